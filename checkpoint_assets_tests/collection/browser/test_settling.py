"""After an action: what it began is waited for, what never ends is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import re
import time
from collections.abc import Callable

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


async def test_a_fetch_after_the_click_is_waited_for(tab: Tab):
    url = slow(tab.pages, 0.4)
    settle = await after_click(tab, f"out.textContent = await (await fetch('{url}')).text()")
    assert (settle.reason, await shown(tab)) == ("quiet", "done")
    assert settle.ms >= 350


async def test_a_page_that_the_click_opens_is_waited_for(tab: Tab):
    url = slow(tab.pages, 0.3, "<p id=out></p><script>out.textContent = 'there'</script>")
    settle = await after_click(tab, f"location.href = '{url}'")
    assert (settle.reason, await shown(tab)) == ("quiet", "there")


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


# Whatever ends in time: what it leads to is there when the page is captured. SLOW is an answer that
# takes its time, QUICK one that does not; MODULE and WORKER are scripts, IMAGE is a picture.

POLL = "const poll = async () => { const n = +await (await fetch('COUNT')).text();"
ENDING = {
    "change at once": "out.textContent = 'done'",
    "timer": "setTimeout(() => out.textContent = 'done', 40)",
    "debounce": "let t; for (let n = 0; n < 5; n++) { clearTimeout(t);"
    " t = setTimeout(() => out.textContent = 'done', 45) }",
    "timers in a row": "let n = 0; const go = () => { out.textContent = n++;"
    " if (n < 12) setTimeout(go, 30); else out.textContent = 'done' }; go()",
    "interval that ends": "let n = 0; const t = setInterval(() => { out.textContent = n++;"
    " if (n > 9) { clearInterval(t); out.textContent = 'done' } }, 30)",
    "animation frames": "let n = 0; const go = () => { out.textContent = n++; if (n < 20)"
    " requestAnimationFrame(go); else out.textContent = 'done' }; go()",
    "idle callback": "requestIdleCallback(() => out.textContent = 'done', {timeout: 30})",
    "promises": "let p = Promise.resolve(); for (let n = 0; n < 2000; n++) p = p.then(() => n);"
    " p.then(() => out.textContent = 'done')",
    "microtask and message": "const c = new MessageChannel(); c.port1.onmessage = () =>"
    " queueMicrotask(() => out.textContent = 'done'); c.port2.postMessage(0)",
    "long task": "setTimeout(() => { const end = Date.now() + 400; while (Date.now() < end);"
    " out.textContent = 'done' }, 10)",
    "fetch": "out.textContent = await (await fetch('SLOW')).text()",
    "fetch that is stored and used later": "const r = await fetch('SLOW'); const text = await"
    " r.text(); setTimeout(() => out.textContent = text, 40)",
    "answer that is used late": "await fetch('QUICK'); setTimeout(() =>"
    " out.textContent = 'done', 150)",
    "XMLHttpRequest": "const r = new XMLHttpRequest(); r.open('GET', 'SLOW');"
    " r.onload = () => out.textContent = r.responseText; r.send()",
    "chain of requests": "for (let n = 0; n < 5; n++) out.textContent ="
    " await (await fetch('QUICK?' + n)).text()",
    "requests side by side": "const all = await Promise.all([fetch('SLOW'), fetch('QUICK')]);"
    " out.textContent = await all[0].text()",
    "request that fails, then another": "await fetch('http://127.0.0.1:9/').catch(() => 0);"
    " out.textContent = await (await fetch('SLOW')).text()",
    "answer in pieces": "const reader = (await fetch('SLOW')).body.getReader(); let text = '';"
    " for (;;) { const {done, value} = await reader.read(); if (done) break;"
    " text += new TextDecoder().decode(value); out.textContent = text }",
    "cached answer": "await fetch('QUICK', {cache: 'force-cache'}); out.textContent ="
    " await (await fetch('QUICK', {cache: 'force-cache'})).text()",
    "polling that changes nothing until the end": POLL + " if (n < 4) setTimeout(poll, 150);"
    " else out.textContent = 'done' }; poll()",
    "polling that tells of itself": POLL + " out.textContent = n < 8 ? 'busy' : 'done';"
    " if (n < 8) setTimeout(poll, 40) }; poll()",
    "picture": "const i = new Image(); i.onload = () => out.textContent = 'done';"
    " i.src = 'IMAGE'; document.body.append(i)",
    "picture that is seen when scrolled to": "const i = new Image(); i.loading = 'lazy';"
    " i.onload = () => out.textContent = 'done'; i.src = 'IMAGE'; i.style.cssText ="
    " 'display: block; margin-top: 9000px'; document.body.append(i); scrollTo(0, 99999)",
    "what is loaded when it is seen": "new IntersectionObserver(async (seen) => {"
    " if (seen[0].isIntersecting) out.textContent = await (await fetch('SLOW')).text() })"
    ".observe(out)",
    "module": "out.textContent = (await import('MODULE')).text",
    "script": "const s = document.createElement('script'); s.type = 'module';"
    " s.textContent = `import {text} from 'MODULE'; document.getElementById('out').textContent ="
    " text`; document.body.append(s)",
    "style sheet": "const l = document.createElement('link'); l.rel = 'stylesheet';"
    " l.onload = () => out.textContent = 'done'; l.href = 'CSS'; document.head.append(l)",
    "frame": "const f = document.createElement('iframe'); f.onload = () => out.textContent ="
    " 'done'; f.src = 'SLOW'; document.body.append(f)",
    "worker": "const w = new Worker('WORKER'); w.onmessage = (e) => out.textContent = e.data;"
    " w.postMessage(0)",
    "new address": "history.pushState(null, '', '/there'); out.textContent ="
    " await (await fetch('SLOW')).text()",
    "web socket": "const s = new WebSocket('SOCKET'); let n = 0; s.onmessage = (e) => {"
    " out.textContent = ++n < 4 ? n : 'done'; if (n == 4) s.close() }",
    "event stream": "const s = new EventSource('STREAM'); let n = 0; s.onmessage = (e) => {"
    " out.textContent = ++n < 4 ? n : 'done'; if (n == 4) s.close() }",
    "what the page calls busy": "out.ariaBusy = 'true'; out.textContent = 'wait'; setTimeout(() =>"
    " { out.ariaBusy = null; out.textContent = 'done' }, 700)",
    "spinner": "out.innerHTML = '<i class=spin>o</i>'; out.textContent ="
    " await (await fetch('SLOW')).text()",
    "transition": "out.className = 'fade'; out.offsetWidth; out.style.opacity = 0;"
    " out.ontransitionend = () => out.textContent = 'done'",
    "animation that ends": "out.animate([{opacity: 0}, {opacity: 1}], 300).finished.then(() =>"
    " out.textContent = 'done')",
    "view transition": "document.startViewTransition(() => { out.textContent = 'done' })",
    "font": "out.style.fontFamily = 'late'; document.fonts.load('9px late').catch(() => 0)"
    ".then(() => out.textContent = 'done')",
    "form that is sent": "document.body.insertAdjacentHTML('beforeend', '<form action=NEXT>');"
    " document.forms[0].submit()",
    "another page by timer": "setTimeout(() => location.href = 'NEXT', 40)",
}
LOOK = (
    "<style>@keyframes k { to { rotate: 360deg } } .spin { animation: k 1s infinite }"
    " .fade { transition: opacity .3s } @font-face { font-family: late; src: url(FONT) }</style>"
)


class Streams:
    """A server of an event stream and of a web socket, which say something every 120 ms."""

    async def __aenter__(self) -> Streams:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = re.search(r"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
            if key is None:
                hello = "200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store"
                message = b"data: x\n\n"
            else:
                # RFC 6455, section 1.3
                accept = f"{key[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
                digest = base64.b64encode(hashlib.sha1(accept).digest()).decode()  # noqa: S324
                hello = "101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                hello += f"\r\nSec-WebSocket-Accept: {digest}"
                message = b"\x81\x01x"
            hello += "\r\nAccess-Control-Allow-Origin: *\r\n\r\n"
            writer.write(f"HTTP/1.1 {hello}".encode())
            for _ in range(100):
                await asyncio.sleep(0.12)
                writer.write(message)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the page has heard enough
        finally:
            writer.close()


def filled_in(script: str, pages: Pages, port: int) -> str:
    """The script with the URLs of what it asks for."""
    asked = itertools.count(1)

    def count(_: Request) -> Response:
        return Response(body=str(next(asked)).encode(), media_type="text/plain")

    def answer(body: str, media_type: str) -> Callable[[], str]:
        def late(_: Request) -> Response:
            pages.pause(0.3)
            return Response(body=body.encode(), media_type=media_type)

        return lambda: pages.add(late)

    picture = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    urls: dict[str, Callable[[], str]] = {
        "SLOW": lambda: slow(pages, 0.4),
        "QUICK": lambda: slow(pages, 0.02),
        "COUNT": lambda: pages.add(count),
        "IMAGE": answer(picture, "image/svg+xml"),
        "MODULE": answer("export const text = 'done'", "text/javascript"),
        "WORKER": answer("onmessage = () => postMessage('done')", "text/javascript"),
        "CSS": answer("p { color: red }", "text/css"),
        "FONT": answer("no font", "font/woff2"),
        "NEXT": lambda: slow(pages, 0.3, "<p id=out>done</p>"),
        "SOCKET": lambda: f"ws://127.0.0.1:{port}/",
        "STREAM": lambda: f"http://127.0.0.1:{port}/",
    }
    for word, url in urls.items():
        if word in script:
            script = script.replace(word, url())
    return script


@pytest.mark.parametrize("case", ENDING)
async def test_what_ends_in_time_is_there_in_the_end(tab: Tab, case: str):
    async with Streams() as streams:
        script = filled_in(ENDING[case], tab.pages, streams.port)
        more = filled_in(LOOK, tab.pages, streams.port)
        settle = await after_click(tab, script, more=more)
    assert (settle.reason, await shown(tab)) == ("quiet", "done")
    assert "waiting_for" not in settle.to_dict()


# What does not end in time is given up, and said to be.

ENDLESS = {
    "ticker": ("setInterval(() => out.textContent = Date.now(), 20)", "changes"),
    "animation frames": ("const go = () => { out.textContent = performance.now();"
                         " requestAnimationFrame(go) }; go()", "changes"),
    "request without an answer": ("fetch('NEVER')", "requests"),
    "picture without an answer": ("new Image().src = 'NEVER'", "requests"),
    "polling": ("const poll = () => fetch('QUICK'); poll(); setInterval(poll, 60)", "requests"),
    "stream that goes on": ("new EventSource('STREAM').onmessage = () =>"
                            " out.textContent = Date.now()", "changes"),
    "long animation": ("out.animate([{opacity: 0}, {opacity: 1}], 60_000)", "animations"),
    "busy for ever": ("out.ariaBusy = 'true'; out.textContent = 'wait'", "busy"),
    "script that hangs": ("setTimeout(() => { for (;;); }, 20)", "answer"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDLESS)
async def test_what_does_not_end_in_time_is_given_up_with_the_reason(tab: Tab, case: str):
    script, waiting_for = ENDLESS[case]
    async with Streams() as streams:
        script = filled_in(script.replace("NEVER", slow(tab.pages, 3)), tab.pages, streams.port)
        settle = await after_click(tab, script, limit=1)
    assert settle.to_dict() == {
        "reason": "timeout",
        "ms": settle.ms,
        "mutations": settle.mutations,
        "waiting_for": settle.waiting_for,
    }
    # On a machine that is too busy, the page's own answer may come too late.
    late = settle.ms > 1200
    assert settle.waiting_for in ({waiting_for, "answer"} if late else {waiting_for})
    assert 900 <= settle.ms < 5000 or waiting_for == "animations"


async def test_a_page_that_polled_before_the_action_is_not_waited_for(tab: Tab):
    url = slow(tab.pages, 0)
    await tab.show(f"<p id=out></p><script>setInterval(() => fetch('{url}'), 200)</script>")
    settling = Settling(tab.page, tab.world)
    for _ in range(3):
        await tab.page.wait_for_event("requestfinished")
    settling.begin()
    settle = await settling.settle(3)
    assert settle.reason == "quiet"
    assert settle.ms < 1500


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
