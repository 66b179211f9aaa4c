"""Pages that misbehave: what they send, open and ask for is bounded, and written down."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Page

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.step_runner import CapturedStep, StepRunner
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.steps import Click, Goto, Hover, Press, Step
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    CaptureTimeout,
    DataCollectionError,
    InvalidScenario,
    NavigationFailed,
)
from checkpoint_assets.testing.web_server import Response
from checkpoint_assets_tests.collection.browser.made_up_network import MadeUpNetwork
from checkpoint_assets_tests.collection.browser.safety_case import Inner, Runner, port_of
from checkpoint_assets_tests.pages import Pages, hermetic_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def network(pages: Pages) -> MadeUpNetwork:
    """``shop.example`` is a public site; its pages are those of ``pages``."""
    made_up = MadeUpNetwork()
    made_up.serve("shop.example", port_of(pages.url))
    return made_up


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Inner]:
    with Inner(tmp_path) as site:
        yield site


@pytest.fixture
def run(browser: LocalChromium, network: MadeUpNetwork) -> Runner:
    return Runner(browser, network)


# Answers that are no pages


async def test_download_is_refused_and_recorded(run: Runner, pages: Pages):
    evil = Response(
        body=b"MZ", headers={"Content-Disposition": "attachment; filename=../../evil.exe"}
    )
    url = pages.add(evil).replace(pages.url, "http://shop.example")
    page = pages.add(f"<a href='{url}'>get</a>").replace(pages.url, "")
    clicked = await run({"goto": page}, {"click": "text=get"})
    assert clicked.error is None
    [download] = clicked.page(1)["downloads"]
    assert download["url"] == url
    assert "/" not in download["name"]
    opened = await run({"goto": url})
    assert isinstance(opened.error, NavigationFailed)
    assert "is a download" in str(opened.error)


async def test_redirect_loop_and_authentication_end_with_a_reason(run: Runner, pages: Pages):
    pages.add(Response.redirect("/loop"), "/loop")
    loop = await run({"goto": "/loop"})
    assert "ERR_TOO_MANY_REDIRECTS" in str(loop.error)
    prompt = Response(401, headers={"WWW-Authenticate": "Basic realm=x"})
    locked = await run({"goto": pages.add(prompt).replace(pages.url, "")})
    assert "status 401" in str(locked.error)


async def test_certificate_that_nobody_signed_is_an_error(run: Runner, tmp_path: Path):
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(
        answer, "127.0.0.1", 0, ssl=self_signed("safe.example", tmp_path)
    )
    run.network.serve("safe.example", server.sockets[0].getsockname()[1], at=443)
    captured = await run({"goto": "https://safe.example/"})
    server.close()
    assert isinstance(captured.error, NavigationFailed)
    assert "ERR_CERT_AUTHORITY_INVALID" in str(captured.error)


def self_signed(name: str, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@asynccontextmanager
async def endless() -> AsyncIterator[int]:
    """A server whose page never ends; the result is its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
            while True:
                writer.write(b"<p>more")
                await writer.drain()
                await asyncio.sleep(0.01)
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the browser has hung up
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_page_that_never_ends_is_given_up(run: Runner):
    async with endless() as port:
        run.network.serve("endless.example", port)
        captured = await run({"goto": {"url": "http://endless.example/", "timeout": 1}})
    assert isinstance(captured.error, CaptureTimeout)
    assert "took longer than 1 s" in str(captured.error)


async def test_compressed_bomb_in_a_page_leaves_the_session_working(run: Runner, pages: Pages):
    bomb = gzip.compress(bytes(100_000_000))
    answer = Response(body=bomb, media_type="image/png", headers={"Content-Encoding": "gzip"})
    pages.add(answer, "/bomb")
    page = pages.add("<title>ok</title><img src=/bomb>").replace(pages.url, "")
    captured = await run({"goto": page}, {"goto": page})
    assert captured.error is None
    assert "ok" in captured.html(1)


async def test_page_of_one_huge_piece_is_cut_off_and_said_to_be(run: Runner, pages: Pages):
    bomb = gzip.compress(b"<!doctype html><p>begins</p><!--" + b"x" * 30_000_000 + b"-->")
    answer = Response(body=bomb, headers={"Content-Encoding": "gzip"})
    captured = await run({"goto": pages.add(answer).replace(pages.url, "")}, {"press": "Tab"})
    assert captured.error is None
    assert captured.page()["incomplete"].startswith("the page was cut off")
    assert len(captured.html()) < 17_000_000


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_page_of_nothing_is_a_page(run: Runner, pages: Pages, body: bytes):
    captured = await run({"goto": pages.add(Response(body=body)).replace(pages.url, "")})
    assert captured.error is None
    assert captured.html().startswith("<html")


async def test_document_that_is_no_page_ends_with_a_reason(
    each_browser: LocalChromium, network: MadeUpNetwork, pages: Pages
):
    """Chromium shows a PDF in a page of its own; the headless shell downloads it."""
    pdf = b"%PDF-1.1\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    answer = Response(body=pdf, media_type="application/pdf")
    page = pages.add("<title>after</title>").replace(pages.url, "")
    run = Runner(each_browser, network)
    captured = await run({"goto": pages.add(answer).replace(pages.url, "")})
    if captured.error is not None:
        assert "is a download" in str(captured.error)
    assert (await run({"goto": page})).error is None


async def test_redirect_off_the_web_is_refused(run: Runner, pages: Pages):
    for target in ("file:///etc/passwd", "chrome://version", "data:text/html,canary"):
        captured = await run({"goto": pages.add(Response.redirect(target)).replace(pages.url, "")})
        assert isinstance(captured.error, NavigationFailed)
        assert not captured.steps[0].artifacts
        assert "root:" not in captured.everything()


async def test_page_that_closes_itself_ends_the_session_and_not_the_next(run: Runner, pages: Pages):
    page = pages.add("<button onclick='close()'>b</button>")
    closing = {"goto": page.replace(pages.url, "")}
    captured = await run(closing, {"click": "button"}, {"click": "button"})
    assert captured.error is None or "gone" in str(captured.error)
    assert (await run(closing)).error is None


async def test_page_that_hangs_when_it_is_left_is_given_up(run: Runner, pages: Pages):
    page = pages.add(
        "<button>b</button><script>onbeforeunload = () => { for (;;); }</script>"
    ).replace(pages.url, "")
    away = {"goto": {"url": pages.add("<p>there").replace(pages.url, ""), "timeout": 1}}
    async with asyncio.timeout(60):
        captured = await run({"goto": page}, {"click": "button"}, away)
        assert "took longer than 1 s" in str(captured.error)
        assert (await run(away)).error is None


# What a page may open and ask for


async def test_popups_are_recorded_and_beyond_ten_closed(run: Runner, pages: Pages):
    pages.add("<title>popup</title>", "/popup")
    page = pages.add(
        "<button onclick=\"for (let i = 0; i < 25; i++) window.open('/popup?' + i)\">open</button>"
    )
    captured = await run(
        {"goto": page.replace(pages.url, "")}, {"click": "text=open"}, {"click": "text=open"}
    )
    assert captured.error is None
    popups = captured.page(1)["popups"] + captured.page(2).get("popups", [])
    assert len(popups) == 50
    assert len([each for each in popups if not each.get("closed")]) == 10
    assert all(each["url"].startswith("http://shop.example/popup?") for each in popups)


async def test_popup_into_the_private_network_is_blocked_and_recorded(
    run: Runner, pages: Pages, inner: Inner
):
    page = pages.add(
        f"<button onclick=\"window.open('{inner.url}/');"
        " setTimeout(() => document.body.append('later'), 1000)\">open</button>"
    )
    captured = await run(
        {"goto": page.replace(pages.url, "")},
        {"click": "text=open"},
        {"wait_for": {"text": "later"}},
    )
    assert captured.error is None
    # The browser tells of a popup when it knows what is in it: that may be a step later.
    assert captured.blocked(1) | captured.blocked(2) == {inner.host}
    assert len(captured.page(1).get("popups", []) + captured.page(2).get("popups", [])) == 1
    assert not inner.visits


# Pages that are not on the web


@dataclass
class Tab:
    """A page, and what does steps on it."""

    page: Page
    runner: StepRunner

    async def step(self, step: Step) -> tuple[CapturedStep, DataCollectionError | None]:
        run = await self.runner.run(step, 1, artifacts=list(Artifact), full_page=False)
        return await run.captured, run.error


@asynccontextmanager
async def open_tab(browser: LocalChromium, base_url: str) -> AsyncIterator[Tab]:
    context = await browser.new_context()
    encoders = ThreadPoolExecutor(1)
    runner = await StepRunner.open(
        context,
        hermetic_settings(),
        base_url=base_url,
        allowed=frozenset({base_url.removeprefix("http://")}),
        secrets={},
        redactor=Redactor(),
        encoders=encoders,
        clock=system_clock,
    )
    yield Tab(context.pages[0], runner)
    await context.close()
    encoders.shutdown()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: LocalChromium, pages: Pages) -> AsyncIterator[Tab]:
    async with open_tab(browser, pages.url) as opened:
        yield opened


def assert_refused(step: CapturedStep, error: DataCollectionError | None, scheme: str) -> None:
    """Nothing of the page was kept, and the step says why."""
    assert isinstance(error, NavigationFailed)
    assert f"the page is at {scheme}:" in str(error)
    assert step.action["outcome"] == "failed"
    assert not step.artifacts
    assert "canary" not in json.dumps([step.action, step.page])


@pytest.mark.parametrize(
    ("scheme", "url"),
    [
        ("file", "file://{folder}/canary.html"),
        ("file", "file://{folder}/"),
        ("file", "view-source:file://{folder}/canary.html"),
        ("data", "data:text/html,<title>canary</title>canary"),
    ],
)
async def test_page_that_is_not_on_the_web_is_left_and_nothing_of_it_kept(
    tab: Tab, tmp_path: Path, scheme: str, url: str
):
    (tmp_path / "canary.html").write_text("<title>canary</title><script>throw 'canary'</script>")
    await tab.page.goto(url.format(folder=tmp_path))
    assert_refused(*await tab.step(Press(key="a", line=1)), scheme)
    assert tab.page.url == "about:blank"


async def test_page_of_the_browser_itself_is_left_and_nothing_of_it_kept(pages: Pages):
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("chromium-headless-shell alone has no such pages")
    settings = hermetic_settings().model_copy(update={"chromium": Path(path)})
    async with LocalChromium(settings) as chromium, open_tab(chromium, pages.url) as tab:
        await tab.page.goto("chrome://version")
        assert_refused(*await tab.step(Press(key="a", line=1)), "chrome")
        assert tab.page.url == "about:blank"


async def test_page_that_moves_off_the_web_during_its_step_is_not_kept(tab: Tab, pages: Pages):
    script = (
        "onclick = () => { location = URL.createObjectURL(new Blob(['<p>canary'],"
        " {type: 'text/html'})) }"
    )
    await tab.page.goto(pages.add(f"<button>go</button><script>{script}</script>"))
    step, error = await tab.step(Click(selectors=("button",), line=1))
    assert_refused(step, error, "blob")
    assert step.action["url_after"] == "blob:"
    assert tab.page.url == "about:blank"


async def test_page_that_is_lost_between_two_steps_fails_the_next_unless_it_opens_another(
    tab: Tab, pages: Pages
):
    await tab.page.goto(pages.add("<p>here"))
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        lost = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/"
        await tab.page.evaluate("url => { location = url }", lost)
        async with asyncio.timeout(10):
            while not tab.page.url.startswith("chrome-error:"):
                await asyncio.sleep(0.01)
    step, error = await tab.step(Hover(selectors=("p",), line=1))
    assert isinstance(error, NavigationFailed)
    assert "ERR_CONNECTION_REFUSED" in str(error)
    assert not step.artifacts
    step, error = await tab.step(Goto(url=pages.add("<p>there"), line=2))
    assert error is None
    assert step.artifacts


async def test_empty_page_may_be_captured(tab: Tab):
    step, error = await tab.step(Press(key="a", line=1))
    assert error is None
    assert step.artifacts


# The end of a session


async def test_sessions_leave_no_socket_and_no_task(run: Runner, pages: Pages):
    page = pages.add("<p>x").replace(pages.url, "")
    await run({"goto": page})
    tasks, sockets = len(asyncio.all_tasks()), open_sockets()
    await asyncio.gather(*(run({"goto": page}) for _ in range(3)))
    source = run.source({"goto": page}, {"wait_for": {"text": "never"}})
    await source.connect()
    stream = source.collect_stream()
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await source.disconnect()
    assert len(asyncio.all_tasks()) <= tasks
    # Those of the site that answered end when its threads see that the browser has left.
    async with asyncio.timeout(10):
        while open_sockets() > sockets:
            await asyncio.sleep(0.01)


async def test_device_that_nobody_knows_leaves_no_socket(run: Runner):
    sockets = open_sockets()
    source = run.source({"goto": "/"}, device="Abacus")
    with pytest.raises(InvalidScenario):
        await source.connect()
    assert open_sockets() == sockets


def open_sockets() -> int:
    """How many sockets this process has; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    found = 0
    for each in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):  # it was that of the listing itself
            found += str(each.readlink()).startswith("socket:")
    return found
