"""A pattern is looked for without holding up anything else, and no longer than it may."""

from __future__ import annotations

import asyncio

import pytest

from checkpoint_assets.collection.browser.pattern_search import MOST, is_found
from checkpoint_assets_tests.children import all_gone, descendants
from checkpoint_assets_tests.collection.captures import Captures, check_incomplete

# Doubles its time with every letter.
HOSTILE, TEXT = "(a+)+$", "a" * 60 + "!"


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^tea", "tea", True),
        ("^tea", "green tea", False),
        (r"\bgrün\b", "ganz grün hier", True),
        ("b", "a" * MOST + "b", False),
        ("a\ud800", "a\ud800b", True),
        (r"[[a]", "[", True),
    ],
)
async def test_it_is_found_where_python_finds_it(pattern: str, text: str, found: bool):
    assert await is_found(pattern, text) is found


async def test_a_search_without_end_holds_up_nobody_and_ends_when_it_is_cancelled():
    before = descendants()
    turns = 0
    searching = asyncio.ensure_future(is_found(HOSTILE, TEXT))
    async with asyncio.timeout(20):
        while not any("re.search" in each for each in set(descendants().values())):
            await asyncio.sleep(0.01)
        for _ in range(20):
            await asyncio.sleep(0.01)
            turns += 1
    assert turns == 20
    assert not searching.done()
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    assert await all_gone(before, 5) == {}


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_an_expectation_with_such_a_pattern_fails_within_its_time(captures: Captures):
    url = captures.pages.add(f"<p>{TEXT}</p>")
    async with asyncio.timeout(30):
        manifest = await captures.run(
            {"goto": url}, {"expect": {"selector": "p", "matches": HOSTILE, "timeout": 1}}
        )
    check_incomplete(manifest, "step 2 (expect): expected matches", f"found '{TEXT}'", "within 1 s")
