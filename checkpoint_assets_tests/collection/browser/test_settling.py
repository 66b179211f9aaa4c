"""After an action: what it began is waited for, what never ends is not."""

from __future__ import annotations

import asyncio
import time

import pytest

from checkpoint_assets.collection.browser.settling import Settle, Settling
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.collection.browser.conftest import Tab
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def slow(pages: Pages, seconds: float, body: str = "done") -> str:
    """The URL of an answer that takes its time."""

    def answer(_: Request) -> Response:
        pages.pause(seconds)
        return Response(body=body.encode(), headers={"Access-Control-Allow-Origin": "*"})

    return pages.add(answer)


async def after_click(tab: Tab, script: str, *, limit: float = 3, more: str = "") -> Settle:
    """Open a page whose button runs the script, click it, and let the page settle."""
    html = f"<!doctype html>{more}<button onclick='go()'>go</button><p id=out></p><script>"
    html += "const out = document.getElementById('out'); async function go() {" + script + "}"
    await tab.show(html + "</script>")
    settling = Settling(tab.page, tab.world)
    await settling.settle(limit)
    settling.begin()
    await tab.page.click("button")
    return await settling.settle(limit)


async def shown(tab: Tab) -> str:
    return await tab.page.inner_text("#out")


async def test_a_page_at_rest_settles_at_once(tab: Tab):
    settle = await after_click(tab, "")
    assert settle.reason == "quiet"
    assert settle.mutations == 0
    assert settle.ms < 1500


async def test_a_change_of_the_page_is_counted_and_waited_for(tab: Tab):
    settle = await after_click(tab, "setTimeout(() => out.textContent = 'x', 20)")
    assert settle.reason == "quiet"
    assert settle.mutations <= 1  # it may have come before anybody was there to count
    assert await shown(tab) == "x"


async def test_a_fetch_after_the_click_is_waited_for(tab: Tab):
    url = slow(tab.pages, 0.4)
    settle = await after_click(tab, f"out.textContent = await (await fetch('{url}')).text()")
    assert (settle.reason, await shown(tab)) == ("quiet", "done")
    assert settle.ms >= 350


async def test_a_chain_of_fetches_is_waited_for_to_its_end(tab: Tab):
    urls = [slow(tab.pages, 0.1, str(n)) for n in range(4)]
    script = f"for (const url of {urls}) out.textContent += await (await fetch(url)).text()"
    settle = await after_click(tab, script)
    assert (settle.reason, await shown(tab)) == ("quiet", "0123")


async def test_a_page_that_the_click_opens_is_waited_for(tab: Tab):
    url = slow(tab.pages, 0.3, "<p id=out></p><script>out.textContent = 'there'</script>")
    settle = await after_click(tab, f"location.href = '{url}'")
    assert (settle.reason, await shown(tab)) == ("quiet", "there")


async def test_a_page_that_never_rests_says_timeout(tab: Tab):
    script = "let n = 0; setInterval(() => out.textContent = ++n, 10)"
    settle = await after_click(tab, script, limit=0.5)
    assert settle.reason == "timeout"
    assert settle.mutations > 5
    assert 450 <= settle.ms < 1500


async def test_a_request_that_does_not_end_in_time_says_timeout(tab: Tab):
    settle = await after_click(tab, f"fetch('{slow(tab.pages, 3)}')", limit=0.4)
    assert settle.reason == "timeout"
    assert settle.ms < 1500


async def test_a_request_that_fails_has_ended(tab: Tab):
    script = "await fetch('http://127.0.0.1:9/').catch(() => out.textContent = 'failed')"
    settle = await after_click(tab, script)
    assert (settle.reason, await shown(tab)) == ("quiet", "failed")


@pytest.mark.parametrize(
    "script",
    [
        "new EventSource('URL')",
        "new WebSocket('URL'.replace('http', 'ws'))",
        "navigator.sendBeacon('URL')",
        "document.body.appendChild(document.createElement('video')).src = 'URL'",
    ],
)
async def test_what_stays_open_is_not_waited_for(tab: Tab, script: str):
    settle = await after_click(tab, script.replace("URL", slow(tab.pages, 3)))
    assert settle.reason == "quiet"
    assert settle.ms < 2000


async def test_a_request_of_before_the_action_is_not_waited_for(tab: Tab):
    await tab.show(f"<!doctype html><script>fetch('{slow(tab.pages, 3)}')</script>")
    settling = Settling(tab.page, tab.world)
    settling.begin()
    settle = await settling.settle(2)
    assert settle.reason == "quiet"


async def test_an_animation_that_ends_is_waited_for(tab: Tab):
    css = "<style>#out { height: 5px; transition: height .4s } #out.on { height: 50px }</style>"
    settle = await after_click(tab, "out.className = 'on'", more=css)
    assert settle.reason == "quiet"
    assert settle.ms >= 350
    assert await tab.page.evaluate("out.offsetHeight") == 50


async def test_an_animation_that_never_ends_is_not_waited_for(tab: Tab):
    css = "<style>@keyframes k { to { opacity: .5 } } .on { animation: k .2s infinite }</style>"
    settle = await after_click(tab, "out.className = 'on'", more=css)
    assert settle.reason == "quiet"
    assert settle.ms < 1500


async def test_a_font_on_its_way_is_waited_for(tab: Tab):
    css = f"<style>@font-face {{ font-family: late; src: url({slow(tab.pages, 0.4)}) }}</style>"
    settle = await after_click(
        tab, "out.style.fontFamily = 'late'; out.textContent = 'x'", more=css
    )
    assert settle.reason == "quiet"
    assert await tab.page.evaluate("document.fonts.status") == "loaded"


async def test_a_page_that_keeps_opening_itself_says_timeout(tab: Tab):
    url = tab.pages.add("<script>setTimeout(() => location.reload(), 5)</script>")
    settling = Settling(tab.page, tab.world)
    await tab.page.goto(url)
    settle = await settling.settle(0.6)
    assert settle.ms < 1500


async def test_a_page_that_hangs_is_given_up_in_time(tab: Tab):
    await tab.show("<p>")
    settling = Settling(tab.page, tab.world)
    await tab.hang()
    started = time.monotonic()
    settle = await settling.settle(0.5)
    assert settle.reason == "timeout"
    assert time.monotonic() - started < 2


async def test_a_page_that_is_closed_meanwhile_is_no_error(tab: Tab):
    await tab.show("<script>setInterval(() => document.title += 'x', 5)</script>")
    settling = Settling(tab.page, tab.world)
    waiting = asyncio.ensure_future(settling.settle(3))
    await asyncio.sleep(0.1)
    await tab.page.close()
    assert (await waiting).reason == "timeout"
