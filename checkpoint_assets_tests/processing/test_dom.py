"""Stored HTML as a tree: what is where, and what it may cost."""

from __future__ import annotations

import time

import pytest

from checkpoint_assets.collection import redaction
from checkpoint_assets.model.errors import ProcessingError
from checkpoint_assets.processing import dom
from checkpoint_assets.processing.dom import DOCUMENT, SHADOW_ROOT, Node, parse_html

MIB = 1 << 20


def tags(node: Node) -> list[str]:
    return [each.tag for each in node.walk()]


def test_a_shadow_root_is_a_child_of_its_host() -> None:
    page = parse_html("<x-a><template shadowrootmode=open><p>in</p></template>light</x-a>")

    host = next(node for node in page.walk() if node.tag == "x-a")
    assert host.shadow_root is not None
    assert tags(host.shadow_root) == [SHADOW_ROOT, "p"]
    assert host.children[1:] == ["light"]


@pytest.mark.parametrize(
    "frame",
    [
        "<iframe srcdoc='&lt;p&gt;in &amp;amp; out'></iframe>",
        "<frameset><frame src='data:text/html;charset=utf-8,%3Cp%3Ein%20%26amp%3B%20out'></frameset>",
        "<object data='data:text/html;charset=utf-8,%3Cp%3Ein%20%26amp%3B%20out'></object>",
    ],
)
def test_the_document_of_a_frame_is_below_it(frame: str) -> None:
    page = parse_html(frame)

    inner = next(node for node in page.walk() if node.tag == DOCUMENT and node is not page)
    assert inner.text() == "in & out"


def test_a_frame_that_leads_elsewhere_is_not_followed() -> None:
    page = parse_html("<iframe src='http://x.example/'></iframe><object data='x.svg'></object>")

    assert tags(page).count(DOCUMENT) == 1


def test_the_text_of_scripts_is_no_markup() -> None:
    page = parse_html("<script>'<p>'</script><style>a > b {}</style><p>x")

    assert tags(page).count("p") == 1


@pytest.mark.parametrize(
    "html", ["", "   ", "<!-- only a comment -->", "\0", "</p>", "<!doctype html>"]
)
def test_a_page_without_elements_is_a_page(html: str) -> None:
    assert "p" not in tags(parse_html(html))


def test_half_a_character_spoils_nothing() -> None:
    assert parse_html("<p>a\ud800b").text() == "a?b"


def deep_frames() -> str:
    html = "<p>innermost"
    for _ in range(12):
        html = "<iframe srcdoc='" + html.replace("&", "&amp;").replace("'", "&#39;") + "'></iframe>"
    return html


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("<div>" * 100_000, "deep"),
        ("<table><tr><td>" * 50_000, "deep"),
        ("".join(f"<b a={n}><p>" for n in range(200_000)), "elements"),
        ("x" * 32_000_001, "characters"),
    ],
    ids=["depth", "tables", "elements", "size"],
)
def test_a_page_beyond_the_limits_is_refused_soon(html: str, reason: str) -> None:
    begun = time.thread_time()
    with pytest.raises(ProcessingError, match=reason):
        parse_html(html)
    assert time.thread_time() - begun < 20


def test_a_page_that_takes_too_long_is_given_up() -> None:
    ends_of_nothing = "<div>" * 1500 + "</b>" * 4 * MIB

    with pytest.raises(ProcessingError, match="too long"):
        parse_html(ends_of_nothing, seconds=0.5)


@pytest.mark.parametrize(
    "html",
    [
        "<a " + " ".join(f"a{n}" for n in range(200_000)) + ">",
        "<!--" * MIB,
        "<" * MIB,
        "&" * MIB,
        "<script>" + "<!--<script>" * 200_000,
        "<a b='" * 500_000,
        deep_frames(),
    ],
    ids=["attributes", "comments", "angles", "entities", "scripts", "quotes", "frames"],
)
def test_an_odd_page_is_read_soon(html: str) -> None:
    begun = time.thread_time()
    parse_html(html)
    assert time.thread_time() - begun < 20


def test_the_mask_is_the_one_that_the_capture_writes() -> None:
    assert dom.MASK == redaction.MASK
