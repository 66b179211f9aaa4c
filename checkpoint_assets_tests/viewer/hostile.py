"""A session by somebody who wants to be run, or to be told when it is looked at.

``%U`` in an attack is the address of whoever listens; each one adds its own number to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

from PIL import Image

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.viewer.sessions import SESSION, action, page_facts, webp

RUN = "window.pwned=1;document.cookie='pwned=1';alert(1);fetch('%U')"
# Each is a page of its own for the control, and a part of one page for the session.
PAGES = (
    f"<script>{RUN}</script>",
    "<script src='%U'></script>",
    "<script type=module>import('%U')</script>",
    f'<img src="%U" onerror="{RUN}">',
    f'<svg onload="{RUN}"></svg>',
    f'<body onload="{RUN}">',
    f'<details open ontoggle="{RUN}">x</details>',
    f'<input autofocus onfocus="{RUN}">',
    f'<style>@keyframes x{{}}b{{animation:x 1s}}</style><b onanimationstart="{RUN}">x</b>',
    "<img srcset='%U 1x'>",
    "<picture><source srcset='%U'><img></picture>",
    "<input type=image src='%U'>",
    "<video src='%U' poster='%U'></video>",
    "<audio src='%U' autoplay></audio>",
    "<video><track default kind=captions src='%U'><source src='%U'></video>",
    "<iframe src='%U'></iframe>",
    f"<iframe srcdoc=\"<script>{RUN}</script><img src='%U'>\"></iframe>",
    f'<iframe src="javascript:{RUN}"></iframe>',
    "<object data='%U'></object>",
    "<embed src='%U'>",
    "<link rel=stylesheet href='%U'>",
    "<link rel=preload as=image href='%U'>",
    "<link rel=modulepreload href='%U'>",
    "<link rel=prefetch href='%U'>",
    "<link rel=preconnect href='%U'>",
    "<link rel=icon href='%U'>",
    "<link rel='dns-prefetch preconnect' href='%U'>",
    "<link rel=manifest href='%U'>",
    "<meta http-equiv=refresh content='0;url=%U'>",
    "<base href='%U/'><img src='relative.png'>",
    "<style>@import url(%U);</style>",
    "<style>body{background:url(%U)}</style>",
    "<style>@font-face{font-family:f;src:url(%U)}p{font-family:f}</style><p>font</p>",
    "<p style='background-image:url(%U)'>style</p>",
    "<p style='border-image:image-set(url(%U) 1x) 1'>style</p>",
    "<svg><image href='%U' width=9 height=9 /></svg>",
    "<svg><use href='%U#x' /></svg>",
    "<svg><style><p><img src='%U'></style></svg>",
    "<svg><script href='%U'></script></svg>",
    f'<svg><animate onbegin="{RUN}" attributeName=x dur=1s></svg>',
    f"<math><mi xlink:href=\"javascript:{RUN}\">x</mi><annotation-xml encoding='text/html'>"
    "<img src='%U'></annotation-xml></math>",
    "<noscript><img src='%U'></noscript>",
    "<noscript><p title=\"</noscript><img src='%U'>\"></noscript>",
    "<textarea><a title=\"</textarea><img src='%U'>\"></textarea>",
    "<title><a title=\"</title><img src='%U'>\"></title>",
    "<style><a title=\"</style><img src='%U'>\"></style>",
    "<!--><img src='%U'>-->",
    "<!--a--!><img src='%U'>-->",
    "<xmp><p title=\"</xmp><img src='%U'>\"></xmp>",
    "<table background='%U'><td background='%U'>x</table>",
    "<body background='%U'>",
    "<template shadowrootmode=open><img src='%U'></template>",
    "<div><template shadowrootmode=closed><style>:host{background:url(%U)}</style></template></div>",
    "<frameset><frame src='%U'></frameset>",
    '<script type=speculationrules>{"prerender":[{"urls":["%U"]}]}</script>',
    "<img src=x:x style=\"content:url('%U')\">",
)
# Strings that would like to be more, wherever a report shows a string.
STRINGS = (
    "</script><script>alert(1)</script>",
    "<img src='%U' onerror='alert(1)'>",
    '"><svg onload=alert(1)><a href="',
    "' autofocus onfocus='alert(1)' x='",
    "{{ 7*7 }}${7*7}<!--",
    "javascript:alert(1)",
    "![x](%U)",
    "\u202e\u0000\u001b[31m\u2028]]>",
)
TEXT = " ".join(STRINGS)


class Listener:
    """Hears whoever connects to it, and what they ask for."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append("")
        number = len(self.heard) - 1
        line = await reader.readline()
        self.heard[number] = line.decode(errors="replace")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener._hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener.url = f"http://127.0.0.1:{port}/heard"
    try:
        yield listener
    finally:
        server.close()


def attack(number: int, url: str) -> str:
    """One attack, as the body of a page."""
    return PAGES[number].replace("%U", f"{url}{number}")


async def store_hostile(storage: StorageManager, url: str, session_id: str = SESSION) -> str:
    """The attacks one by one and all at once, with files that are not what they say they are."""
    said = TEXT.replace("%U", url)
    facts = page_facts(
        title=said,
        url=f"javascript:alert(1)//{said}",
        console_errors=[{"text": said}, "no mapping", {"text": {"deep": said}}],
        page_errors=[{"text": said}],
        failed_requests=[{"url": said, "status": said}, {"url": url, "error": said}],
        blocked_requests=[{"host": said, "reason": said}],
        dialogs=[{"type": said, "message": said}],
        downloads=[{"url": said, "name": said}],
        redactions=[{"rule": said, "count": 2**62}, {"rule": said, "count": 2}],
        settle={"reason": said, "ms": said},
        incomplete=said,
    )
    done = action(
        said,
        selector=said,
        selectors=[said, 5, None],
        value=said,
        label=said,
        secret=said,
        options={said: said},
        url_before=said,
        url_after=said,
        milliseconds={said: 5, "act": -1, "settle": said},
        target={
            "tag": said,
            "text": said,
            "attributes": {said: said},
            "box": {"x": 1, "y": 1, "width": 1e300, "height": -5},
        },
        error={"type": said, "message": said},
        outcome="failed",
    )
    polyglot = b"RIFF\x00\x00\x00\x00WEBP<script>alert(1)</script>" + said.encode(errors="replace")
    gif, noise = BytesIO(), BytesIO()
    Image.new("RGB", (9, 9)).save(gif, "GIF")
    Image.effect_noise((64, 64), 90).save(noise, "WEBP", lossless=True)
    pictures = {
        "0900-corrupt": noise.getvalue()[: len(noise.getvalue()) // 2],
        "0901-polyglot": polyglot,
        "0902-svg": f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{url}'/></svg>".encode(),
        "0903-gif": gif.getvalue(),
        "0904-empty": b"",
    }
    for number in range(len(PAGES)):
        page = f"<!DOCTYPE html><p>{number}</p>{attack(number, url)}"
        await storage.store_step_data(
            session_id, f"{number:04d}-step", page, webp("red"), done, facts
        )
    everything = "".join(attack(number, url) for number in range(len(PAGES)))
    links = (
        f"<a href='{url}' ping='{url}'>leave</a><form action='{url}'><button>send</button></form>"
    )
    await storage.store_step_data(
        session_id, "0800-all", f"<!DOCTYPE html>{links}{everything}", webp("red"), done, facts
    )
    for step_id, data in pictures.items():
        await storage.store_step_data(session_id, step_id, links, data, done, facts)
    huge = page_facts(title="T" * 1_000_000, url="http://x/" + "u" * 1_000_000)
    await storage.store_step_data(
        session_id,
        "0950-huge",
        f"<title>{'T' * 1_000_000}</title>{'<div>' * 50_000}{links}",
        webp("red"),
        action("goto", value="v" * 1_000_000),
        huge,
    )
    await storage.close_session(
        session_id,
        manifest={
            "scenario": said,
            "source": said,
            "reason": said,
            "started_at": said,
            "tags": {said: said},
            "metadata": {"browser": said},
        },
    )
    await storage.pin(session_id, reason=said[:900])
    return session_id
