"""The local Browserbase, as the real SDK and a real CDP client see it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import browserbase
import pytest
import pytest_asyncio
from browserbase import Browserbase
from playwright.async_api import Browser, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.testing.local_browserbase import Fault, LocalBrowserbase
from checkpoint_assets.testing.local_browserbase.metadata_query import InvalidQuery, matches
from checkpoint_assets_tests.children import all_gone, descendants
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = pytest.mark.browser
# One driver of Playwright for all tests that need one.
one_loop = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    with LocalBrowserbase(arguments=[HERMETIC], shortest_timeout=1) as running:
        yield running


@pytest.fixture
def client(server: LocalBrowserbase) -> Iterator[Browserbase]:
    """The real SDK; every session that a test leaves is released after it."""
    with server.client(max_retries=0) as sdk:
        yield sdk
        server.clear_faults()
        for session in sdk.sessions.list(status="RUNNING"):
            sdk.sessions.update(session.id, status="REQUEST_RELEASE")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as driver:
        yield driver


@contextlib.asynccontextmanager
async def connected(playwright: Playwright, url: str) -> AsyncIterator[tuple[Browser, Page]]:
    browser = await playwright.chromium.connect_over_cdp(url)
    try:
        yield browser, browser.contexts[0].pages[0]
    finally:
        await browser.close()


async def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (value := condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    return value


@one_loop
async def test_a_session_is_created_driven_and_ends_with_its_last_client(
    client: Browserbase, server: LocalBrowserbase, playwright: Playwright, pages: Pages
):
    session = client.sessions.create(user_metadata={"run": "7"}, region="eu-central-1")
    assert session.status == "RUNNING"
    assert session.region == "eu-central-1"
    assert (session.expires_at - session.created_at).total_seconds() == 300
    async with connected(playwright, session.connect_url) as (_, page):
        await page.goto(pages.add("<title>here</title><p>x"))
        assert await page.title() == "here"
        assert client.sessions.retrieve(session.id).connect_url == session.connect_url
    await until(lambda: client.sessions.retrieve(session.id).status == "COMPLETED")
    ended = client.sessions.retrieve(session.id)
    assert ended.ended_at is not None
    assert ended.connect_url is None
    assert ended.user_metadata == {"run": "7"}


@one_loop
async def test_a_session_that_is_kept_alive_outlives_its_clients(
    client: Browserbase, playwright: Playwright, pages: Pages
):
    session = client.sessions.create(keep_alive=True)
    async with connected(playwright, session.connect_url) as (_, page):
        await page.goto(pages.add("<title>kept</title>"))
    async with connected(playwright, session.connect_url) as (_, page):
        assert await page.title() == "kept"
    assert client.sessions.retrieve(session.id).status == "RUNNING"


@one_loop
async def test_a_release_ends_clients_and_browser(client: Browserbase, playwright: Playwright):
    session = client.sessions.create(keep_alive=True)
    async with connected(playwright, session.connect_url) as (_, page):
        client.sessions.update(session.id, status="REQUEST_RELEASE")
        with pytest.raises(PlaywrightError, match="closed"):
            await page.wait_for_timeout(10_000)
    assert client.sessions.retrieve(session.id).status == "COMPLETED"


@one_loop
async def test_a_session_expires(client: Browserbase):
    session = client.sessions.create(api_timeout=1)
    await until(lambda: client.sessions.retrieve(session.id).status == "TIMED_OUT")


@one_loop
async def test_a_browser_that_dies_is_an_error_of_its_session(
    client: Browserbase, server: LocalBrowserbase
):
    session = client.sessions.create()
    server.inject(Fault("crash", operation="cdp", method="Page.navigate"))
    async with async_playwright() as driver:
        browser = await driver.chromium.connect_over_cdp(session.connect_url)
        with pytest.raises(PlaywrightError):
            await browser.contexts[0].pages[0].goto("data:text/html,x")
    await until(lambda: client.sessions.retrieve(session.id).status == "ERROR")


@one_loop
async def test_nobody_gets_in_with_a_wrong_key_or_to_a_session_that_is_over(
    client: Browserbase, server: LocalBrowserbase, playwright: Playwright
):
    stranger = Browserbase(api_key="bb_wrong", base_url=server.url, max_retries=0)
    with stranger, pytest.raises(browserbase.AuthenticationError) as refused:
        stranger.sessions.create()
    assert refused.value.body == {
        "statusCode": 401,
        "error": "Unauthorized",
        "message": "Unauthorized",
    }
    session = client.sessions.create()
    wrong = session.connect_url.replace(session.signing_key, "wrong")
    with pytest.raises(PlaywrightError, match="401"):
        await playwright.chromium.connect_over_cdp(wrong)
    client.sessions.update(session.id, status="REQUEST_RELEASE")
    with pytest.raises(PlaywrightError, match="410"):
        await playwright.chromium.connect_over_cdp(session.connect_url)


@one_loop
async def test_sessions_are_listed_by_status_and_metadata(client: Browserbase):
    first = client.sessions.create(user_metadata={"run": {"id": "a"}})
    second = client.sessions.create(user_metadata={"run": {"id": "b"}})
    client.sessions.update(second.id, status="REQUEST_RELEASE")
    found = client.sessions.list(q="user_metadata['run']['id']:'b'")
    assert [each.id for each in found] == [second.id]
    running = client.sessions.list(status="RUNNING")
    assert [each.id for each in running] == [first.id]
    with pytest.raises(browserbase.BadRequestError):
        client.sessions.list(q="status:RUNNING")


@pytest.mark.parametrize(
    ("query", "metadata", "expected"),
    [
        ("user_metadata['a']:'1'", {"a": "1"}, True),
        ("user_metadata['a']:'1'", {"a": 1}, False),
        ("user_metadata['a']['b']:'1'", {"a": {"b": "1"}}, True),
        ("user_metadata['a']['b']:'1'", {"a": "b"}, False),
        ("user_metadata['a']:''", None, False),
    ],
)
def test_only_texts_are_compared(query: str, metadata: dict[str, Any] | None, expected: bool):
    assert matches(query, metadata) is expected


@pytest.mark.parametrize("query", ["", "a:'1'", "user_metadata:'1'", "user_metadata['a']:1"])
def test_what_is_no_query_is_refused(query: str):
    with pytest.raises(InvalidQuery):
        matches(query, {"a": "1"})


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"api_timeout": 30_000}, browserbase.BadRequestError),
        ({"region": "mars"}, browserbase.BadRequestError),
        ({"user_metadata": {"a": "x" * 512}}, browserbase.BadRequestError),
        ({"browser_settings": {"context": {"id": "none"}}}, browserbase.NotFoundError),
        ({"extension_id": "none"}, browserbase.NotFoundError),
        ({"project_id": "another"}, browserbase.PermissionDeniedError),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused(
    client: Browserbase, wish: dict[str, Any], error: type[Exception]
):
    with pytest.raises(error):
        client.sessions.create(**wish)


def test_too_many_at_once_and_too_many_in_a_minute_are_told_apart():
    with (
        LocalBrowserbase(concurrent=1, creations=2, arguments=[HERMETIC]) as server,
        server.client(max_retries=0) as sdk,
    ):
        first = sdk.sessions.create()
        with pytest.raises(browserbase.RateLimitError) as full:
            sdk.sessions.create()
        sdk.sessions.update(first.id, status="REQUEST_RELEASE")
        sdk.sessions.create()
        with pytest.raises(browserbase.RateLimitError) as fast:
            sdk.sessions.create()
        assert "max concurrent sessions limit (limit 1, currently 1)" in str(full.value)
        assert "retry-after" not in full.value.response.headers
        assert 0 < int(fast.value.response.headers["retry-after"]) <= 60
        assert fast.value.response.headers["x-ratelimit-limit"] == "2"
        assert fast.value.response.headers["x-ratelimit-remaining"] == "0"
        assert server.most_live == 1


@one_loop
async def test_debug_urls_logs_replays_and_videos(
    client: Browserbase, playwright: Playwright, pages: Pages
):
    session = client.sessions.create()
    url = pages.add("<title>seen</title>")
    async with connected(playwright, session.connect_url) as (_, page):
        await page.goto(url)
        await page.screenshot()
        debug = client.sessions.debug(session.id)
        assert [(each.url, each.title) for each in debug.pages] == [(url, "seen")]
        assert session.signing_key in debug.ws_url
        with pytest.raises(browserbase.ConflictError):
            client.sessions.recording.downloads.create(session.id)
    await until(lambda: client.sessions.retrieve(session.id).status == "COMPLETED")
    entries = client.sessions.logs.list(session.id)
    (navigation,) = [each for each in entries if each.method == "Page.navigate"]
    assert navigation.request is not None
    assert navigation.request.params["url"] == url
    assert navigation.response is not None
    assert "frameId" in navigation.response.result
    assert all(each.response for each in entries if each.method == "Page.captureScreenshot")
    replay = await until(lambda: client.sessions.replays.retrieve(session.id).pages)
    assert [each.url for each in replay] == [url]
    video = client.sessions.replays.retrieve_page("0", id=session.id)
    assert video.read().startswith(b"#EXTM3U")
    downloads = client.sessions.recording.downloads
    assert [each.status for each in downloads.list(session.id).downloads] == ["NOT_REQUESTED"]
    assert [each.status for each in downloads.create(session.id).downloads] == ["PENDING"]
    await until(lambda: downloads.list(session.id).downloads[0].status == "COMPLETED")
    assert "signature=" in (downloads.list(session.id).downloads[0].download_url or "")


@one_loop
async def test_nothing_is_logged_or_recorded_where_that_was_not_wanted(
    client: Browserbase, playwright: Playwright, pages: Pages
):
    session = client.sessions.create(
        browser_settings={"log_session": False, "record_session": False}
    )
    async with connected(playwright, session.connect_url) as (_, page):
        await page.goto(pages.add("x"))
        assert client.sessions.logs.list(session.id) == []
        assert client.sessions.replays.retrieve(session.id).pages == []


@one_loop
async def test_files_go_up_and_down(client: Browserbase, playwright: Playwright, pages: Pages):
    session = client.sessions.create()
    client.sessions.uploads.create(session.id, file=("note.txt", b"up"))
    async with connected(playwright, session.connect_url) as (browser, page):
        cdp = await browser.new_browser_cdp_session()
        await cdp.send(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": "downloads", "eventsEnabled": True},
        )
        await page.goto(pages.add("<a download=d.txt href='data:,down'>d</a>"))
        await page.click("a")

        def packed() -> list[str]:
            content = client.sessions.downloads.list(session.id).read()
            return zipfile.ZipFile(io.BytesIO(content)).namelist()

        await until(packed)


@one_loop
async def test_a_context_keeps_the_log_in_for_the_next_session(
    client: Browserbase, playwright: Playwright, pages: Pages
):
    url = pages.add("x")
    context = client.contexts.create(name="shop")
    wish: Any = {"context": {"id": context.id, "persist": True}}
    for expected in ([], ["ann"]):
        session = client.sessions.create(browser_settings=wish)
        assert session.context_id == context.id
        async with connected(playwright, session.connect_url) as (browser, page):
            await page.goto(url)
            cookies = await browser.contexts[0].cookies()
            assert [each.get("value") for each in cookies] == expected
            await page.evaluate("document.cookie = 'who=ann; max-age=1000'")
        await until(lambda one=session: client.sessions.retrieve(one.id).status == "COMPLETED")
    with pytest.raises(browserbase.ConflictError):
        client.contexts.create(name="SHOP")
    client.contexts.delete(context.id)
    with pytest.raises(browserbase.NotFoundError):
        client.contexts.retrieve(context.id)


def test_an_extension_is_kept_until_it_is_deleted(client: Browserbase):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("manifest.json", "{}")
    extension = client.extensions.create(file=("e.zip", packed.getvalue()))
    assert client.extensions.retrieve(extension.id).file_name == "e.zip"
    client.extensions.delete(extension.id)
    with pytest.raises(browserbase.NotFoundError):
        client.extensions.retrieve(extension.id)
    with pytest.raises(browserbase.BadRequestError):
        client.extensions.create(file=("e.zip", b"no zip"))


def test_the_project_tells_its_limits(client: Browserbase, server: LocalBrowserbase):
    (project,) = client.projects.list()
    assert (project.id, project.concurrency) == (server.project_id, 25)
    assert client.projects.usage(project.id).browser_minutes >= 0


# Faults


def test_an_answer_that_is_lost_leaves_a_session_that_bills(
    client: Browserbase, server: LocalBrowserbase
):
    server.inject(Fault("lost_answer", operation="sessions.create"))
    with pytest.raises(browserbase.APIConnectionError):
        client.sessions.create(user_metadata={"attempt": "lost"})
    assert len(client.sessions.list(q="user_metadata['attempt']:'lost'", status="RUNNING")) == 1
    assert server.requests[-2].status == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", "sessions.retrieve", status=503), browserbase.InternalServerError),
        (Fault("reset", "sessions.retrieve"), browserbase.APIConnectionError),
        (Fault("hang", "sessions.retrieve"), browserbase.APITimeoutError),
    ],
)
def test_a_request_fails_as_it_is_told_and_the_next_one_does_not(
    client: Browserbase, server: LocalBrowserbase, fault: Fault, error: type[Exception]
):
    session = client.sessions.create()
    server.inject(fault)
    with pytest.raises(error):
        client.sessions.retrieve(session.id, timeout=1)
    assert client.sessions.retrieve(session.id).status == "RUNNING"


@one_loop
@pytest.mark.parametrize("kind", ["reset", "truncate", "release"])
async def test_a_socket_fails_in_mid_step(
    client: Browserbase, server: LocalBrowserbase, playwright: Playwright, kind: Any
):
    session = client.sessions.create(keep_alive=True)
    async with connected(playwright, session.connect_url) as (_, page):
        server.inject(Fault(kind, operation="cdp", method="Page.captureScreenshot"))
        with pytest.raises(PlaywrightError, match="closed"):
            await page.screenshot(timeout=5000)
    status = client.sessions.retrieve(session.id).status
    assert status == ("COMPLETED" if kind == "release" else "RUNNING")


@one_loop
async def test_a_socket_falls_silent_or_is_slow(
    client: Browserbase, server: LocalBrowserbase, playwright: Playwright
):
    session = client.sessions.create(keep_alive=True)
    async with connected(playwright, session.connect_url) as (_, page):
        server.inject(Fault("latency", operation="cdp", method="Runtime.evaluate", seconds=0.5))
        cdp = await page.context.new_cdp_session(page)
        started = time.monotonic()
        await cdp.send("Runtime.evaluate", {"expression": "1"})
        assert time.monotonic() - started >= 0.5
        server.inject(Fault("hang", operation="cdp", method="Runtime.evaluate"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await cdp.send("Runtime.evaluate", {"expression": "1"})


def test_a_fault_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="no such fault"):
        Fault("explode")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="seconds"):
        Fault("latency")


# The server itself


@one_loop
async def test_everything_ends_with_the_server():
    before = descendants()
    with LocalBrowserbase(arguments=[HERMETIC]) as server, server.client() as sdk:
        sdk.sessions.create(keep_alive=True)
        assert server.live
    assert not server.live
    assert await all_gone(before) == {}


def test_everything_ends_with_the_process_of_the_server_however_that_ends():
    before = descendants()
    command = [sys.executable, "-m", "checkpoint_assets.testing.local_browserbase"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = dict(
            process.stdout.readline().removeprefix("export ").strip().split("=", 1)
            for _ in range(2)
        )
        client = Browserbase(
            api_key=words["BROWSERBASE_API_KEY"], base_url=words["BROWSERBASE_BASE_URL"]
        )
        with client:
            client.sessions.create(keep_alive=True)
        chromiums = set(descendants()) - set(before) - {process.pid}
        assert chromiums
        process.kill()

    deadline = time.monotonic() + 10
    while any(map(_alive, chromiums)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, chromiums))


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_browser_is_wiped_before_it_is_lent_again(pages: Pages):
    with (
        LocalBrowserbase(arguments=[HERMETIC], reuse=True) as server,
        server.client() as sdk,
    ):
        for _ in range(2):
            session = sdk.sessions.create(keep_alive=True)
            (page,) = sdk.sessions.debug(session.id).pages
            assert page.url == "about:blank"
            pids = {each.browser.pid for each in server.sessions if each.browser}
            sdk.sessions.update(session.id, status="REQUEST_RELEASE")
            time.sleep(0.2)
        assert len(pids) == 1


def test_the_server_listens_on_this_machine_alone(server: LocalBrowserbase):
    assert server.url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(server.url + "/v1/sessions", timeout=5)
