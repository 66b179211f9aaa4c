"""What a page says while it runs is written down; what it asks is answered, so that it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.page_log import MAX_ENTRIES, MAX_TEXT, PageLog
from checkpoint_assets.testing.web_server import Response
from checkpoint_assets_tests.children import descendants, kill_renderers
from checkpoint_assets_tests.collection.browser.conftest import Tab
from checkpoint_assets_tests.pages import Pages, hermetic_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def said(log: PageLog, there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Everything up to the moment when it is there."""
    all_of_it: dict[str, Any] = {}
    async with asyncio.timeout(10):
        while True:
            for kind, entries in log.take().items():
                all_of_it[kind] = (
                    all_of_it.get(kind, []) + entries if isinstance(entries, list) else entries
                )
            if there(all_of_it):
                return all_of_it
            await asyncio.sleep(0.01)


async def log_of(tab: Tab, html: str, *kinds: str) -> dict[str, Any]:
    """What is written down of the page, once there is something of each kind."""
    log = PageLog(tab.page)
    await tab.show(html)
    return await said(log, lambda found: all(kind in found for kind in kinds))


async def test_errors_on_the_console_are_kept_and_nothing_else(tab: Tab):
    log = await log_of(
        tab,
        "<script>console.log('a'); console.warn('b'); console.error('c', {d: 1})</script>",
        "console_errors",
    )
    assert log["console_errors"] == [{"text": "c {d: 1}"}]


async def test_exceptions_are_kept(tab: Tab):
    log = await log_of(
        tab,
        "<script>setTimeout(() => { throw new Error('one') }); Promise.reject('two')</script>",
        "page_errors",
    )
    assert any("one" in each["text"] for each in log["page_errors"])


async def test_requests_that_fail_or_are_refused_are_kept_with_the_reason(tab: Tab):
    log = PageLog(tab.page)
    await tab.show(
        "<img src=/gone><script>fetch('http://127.0.0.1:2/dead').catch(() => {})</script>"
    )
    found = await said(log, lambda found: len(found.get("failed_requests", [])) == 2)
    gone, dead = sorted(found["failed_requests"], key=lambda each: each["url"], reverse=True)
    assert gone["status"] == 404 or dead["status"] == 404
    assert {each.get("error") for each in (gone, dead)} == {None, "net::ERR_CONNECTION_REFUSED"}


async def test_the_status_is_that_of_the_page_and_not_of_its_parts(tab: Tab):
    frame = tab.pages.add(Response(404, b"<p>no"))
    log = await log_of(tab, f"<iframe src='{frame}'></iframe>", "failed_requests", "status")
    assert log["status"] == 200
    assert log["failed_requests"] == [{"url": frame, "status": 404}]


async def test_what_was_taken_is_not_told_again(tab: Tab):
    log = PageLog(tab.page)
    await tab.show("<script>console.error('c')</script>")
    await said(log, lambda found: "console_errors" in found)
    assert log.take() == {}


async def test_a_page_that_says_too_much_is_cut_short_and_said_to_be(tab: Tab):
    log = PageLog(tab.page)
    await tab.show("<script>for (let n = 0; n < 200; n++) console.error('x'.repeat(9000))</script>")
    await tab.page.evaluate("1")
    await asyncio.sleep(0.2)
    taken = log.take()
    assert len(taken["console_errors"]) == MAX_ENTRIES
    assert taken["dropped"] == 200 - MAX_ENTRIES
    assert {len(each["text"]) for each in taken["console_errors"]} == {MAX_TEXT}


@pytest.mark.parametrize(
    ("call", "kind", "answer"),
    [
        ("alert('what?')", "alert", "undefined"),
        ("confirm('what?')", "confirm", "false"),
        ("prompt('what?', 'this')", "prompt", "null"),
    ],
)
async def test_dialogs_are_dismissed_and_written_down(tab: Tab, call: str, kind: str, answer: str):
    log = PageLog(tab.page)
    await tab.show(
        f"<p></p><script>document.querySelector('p').textContent = `${{{call}}}`</script>"
    )
    assert await tab.page.inner_text("p") == answer
    assert log.take()["dialogs"] == [{"type": kind, "message": "what?"}]


async def test_a_page_that_does_not_want_to_be_left_is_left(tab: Tab):
    log = PageLog(tab.page)
    await tab.show("<button>b</button><script>onbeforeunload = (e) => e.preventDefault()</script>")
    await tab.page.click("button")
    other = tab.pages.add("<p>other")
    await asyncio.wait_for(tab.page.goto(other), 10)
    assert tab.page.url == other
    assert log.take()["dialogs"][0]["type"] == "beforeunload"


async def test_dialogs_without_end_do_not_keep_the_page_from_being_closed(tab: Tab):
    log = PageLog(tab.page)
    await tab.show("<p>x")
    await tab.page.evaluate("void setTimeout(() => { for (let n = 0; ; n++) alert(n) })")
    await said(log, lambda found: len(found.get("dialogs", [])) > 3)
    await asyncio.wait_for(tab.page.close(), 10)


async def test_a_crash_of_the_renderer_is_noticed(pages: Pages):
    before = descendants()
    async with LocalChromium(hermetic_settings()) as browser:
        page = await (await browser.new_context()).new_page()
        log = PageLog(page)
        await page.goto(pages.add("<p>x"))
        assert not log.crashed
        kill_renderers(before)
        await said(log, lambda _: log.crashed)
