"""What a page says about itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import CollectedData, ParsedMetadata
from checkpoint_assets.processing.metadata_parser import PageMetadataParser
from checkpoint_assets.processing.page_metadata import PageMetadata
from checkpoint_assets_tests.processing.steps import step

GOOD = '<html lang="de-AT"><title> A\n cup </title>'


def parsed(html: str, **metadata: Any) -> ParsedMetadata:
    data = CollectedData(
        "made", system_clock.now(), "checkpoint/step", "made", html.encode(), metadata
    )
    return PageMetadataParser().parse(data)


def test_everything_that_a_page_says_is_read() -> None:
    found = parsed(
        """<html lang=en><head><title>A cup</title>
        <meta name=Description content="Blue  and small"><meta name=robots content=noindex>
        <meta name=author content=Ann><link rel="alternate canonical" href="/cup">
        <meta property="og:title" content="Cup!"><meta property="og:image" content="/cup.png">
        <meta property="article:published_time" content="2026-01-31T10:30:00+01:00">
        <script data-checkpoint-type="application/ld+json" type="text/x-checkpoint-inert">
        {"@graph": [{"@type": "Article", "dateModified": "2026-02-01"}]}</script></head>""",
        page={"url": "http://shop.example/list"},
    )

    assert dict(found.fields) == {
        "url": "http://shop.example/list",
        "title": "A cup",
        "language": "en",
        "description": "Blue and small",
        "robots": "noindex",
        "author": "Ann",
        "canonical_url": "http://shop.example/cup",
        "open_graph": {"title": "Cup!", "image": "/cup.png"},
        "published_at": "2026-01-31T09:30:00.000000Z",
        "modified_at": "2026-02-01T00:00:00.000000Z",
    }
    assert found.is_valid


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<html lang=en>", "there is no title"),
        ("<title>x</title>", "there is no language"),
        ("<html lang='not a tag'><title>x</title>", "is no language tag"),
        (GOOD + "<title>second</title>", "more than one title"),
        (GOOD + "<link rel=canonical href='/x'>", "canonical_url is no http"),
        (GOOD + "<link rel=canonical href='http://[x'>", "canonical_url is no http"),
        (GOOD + "<link rel=canonical href='http://a.b/'><link rel=canonical href='http://c.d/'>",
         "more than one canonical"),
        (GOOD + "<meta name=date content='last week'>", "published_at is no time"),
        (GOOD + "<script type='application/ld+json'>{no json}</script>", "cannot be read"),
        (GOOD + "<script type='application/ld+json'>" + "[" * 50_000 + "</script>", "cannot be read"),
        (GOOD + f"<meta name=description content='{'x' * 2000}'>", "description has 2000 characters"),
        ("<html lang=en><title>" + "x" * 1_000_000, "title has 1000000 characters"),
        (GOOD + "<div>" * 5000, "deep"),
    ],
)  # fmt: skip
def test_each_problem_is_named(html: str, problem: str) -> None:
    found = parsed(html)

    assert any(problem in each for each in found.problems), found.problems
    assert all(len(str(value)) <= 1000 for value in found.fields.values())


def test_titles_of_pictures_and_of_framed_pages_are_not_the_pages() -> None:
    found = parsed(
        "<html lang=en><svg><title>Star</title></svg><iframe srcdoc='<title>In</title>'></iframe>"
        "<template><title>Later</title></template><title>Page</title>"
    )
    assert found.fields["title"] == "Page"
    assert found.is_valid


def test_a_format_that_is_not_read_is_a_problem() -> None:
    data = CollectedData("made", system_clock.now(), "image/png", "made", b"", {})

    assert "image/png" in PageMetadataParser().parse(data).problems[0]


def test_metadata_that_somebody_changed_can_be_checked_again() -> None:
    found = ParsedMetadata("made", system_clock.now(), "x", {"title": "x", "language": "?"})

    assert len(PageMetadataParser().validate(found)) == 1


def test_the_columns_of_a_step_are_its_pages_metadata() -> None:
    html = GOOD + "<meta name=date content='2026-01-31T09:30:00Z'>"
    columns = PageMetadata().derive(step(html, metadata={"url": "http://x.example/"})).columns

    assert columns["page_title"] == "A cup"
    assert columns["page_language"] == "de-AT"
    assert columns["published_at"] == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert columns["metadata_problems"] == ""
    assert PageMetadata.columns.keys() == columns.keys()
