"""A session that somebody else drives is recorded, and never disturbed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Dialog, Page, async_playwright

from checkpoint_assets.model.enums import CollectionStatus, EventType, SessionState
from checkpoint_assets.model.errors import (
    Conflict,
    DataCollectionError,
    InvalidInput,
    NotRegistered,
)
from checkpoint_assets.testing.local_browserbase import Fault, LocalBrowserbase
from checkpoint_assets_tests.collection.captures import check_readable
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

COUNTER = "<title>t</title><p>none</p><button id=b onclick='this.textContent += 1'>b</button>"


@pytest_asyncio.fixture(loop_scope="session")
async def captures(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
) -> AsyncIterator[RemoteCaptures]:
    async with RemoteCaptures(tmp_path, pages, server) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def driver() -> AsyncIterator[Any]:
    async with async_playwright() as playwright:
        yield playwright


@contextlib.asynccontextmanager
async def driven(driver: Any, server: LocalBrowserbase) -> AsyncIterator[tuple[Any, Page]]:
    """A session, and the page that somebody drives in it."""
    with server.client() as client:
        session = client.sessions.create(keep_alive=True)
        browser = await driver.chromium.connect_over_cdp(session.connect_url)
        try:
            yield session, browser.contexts[0].pages[0]
        finally:
            await browser.close()
            client.sessions.update(session.id, status="REQUEST_RELEASE")


async def stored(captures: RemoteCaptures, session_id: str, enough: Callable[[list[str]], bool]):
    """The steps of the session, as soon as there are enough."""
    async with asyncio.timeout(20):
        while not enough(steps := await captures.manager.list_steps_for_session(session_id)):
            await asyncio.sleep(0.05)
    return steps


async def test_navigations_changes_and_what_is_told_become_steps(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    url = pages.add(COUNTER)
    async with driven(driver, server) as (session, page):
        session_id = await captures.collector.configure_session(session, tags={"team": "a"})
        await page.goto(url)
        await stored(captures, session_id, lambda steps: len(steps) == 1)
        await page.click("#b")
        await stored(captures, session_id, lambda steps: len(steps) == 2)
        data = await captures.collector.collect_step_data(
            session.id, "task-7", url=url, action_data={"kind": "look", "why": "asked"}
        )
        manifest = await captures.collector.close_session()
        assert server.client().sessions.retrieve(session.id).status == "RUNNING"
        assert await page.title() == "t"
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.steps == ["0001-navigate", "0002-change", "0003-look"]
    assert manifest.tags == {"team": "a"}
    assert manifest.remote["session_id"] == session.id
    assert manifest.remote["adopted"] is True
    assert data["session_id"] == manifest.session_id == session_id
    assert data["url"] == url
    tree = captures.tree(session_id)
    for key in ("html_path", "screenshot_path", "action_data_path", "metadata_path"):
        assert str(data[key]).rpartition("/")[2] in tree
    assert ">b1</button>" in captures.html(manifest, 1)
    agent = captures.action(manifest, 2)["agent"]
    assert agent["task_id"] == "task-7"
    assert agent["data"] == {"kind": "look", "why": "asked"}
    await check_readable(captures, manifest)


async def test_a_page_that_navigates_while_it_is_attached_to_is_recorded(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    urls = [pages.add(f"<title>{number}</title>") for number in range(4)]

    async def wander(page: Page, enough: asyncio.Event) -> None:
        while not enough.is_set():
            for url in urls:
                await page.goto(url)
            await asyncio.sleep(0.02)

    async with driven(driver, server) as (session, page):
        enough = asyncio.Event()
        wandering = asyncio.ensure_future(wander(page, enough))
        try:
            session_id = await captures.collector.configure_session(session.id)
        finally:
            enough.set()
            await wandering
        await page.goto(pages.add("<title>at last</title>"))
        await stored(captures, session_id, bool)
        await captures.collector.close_session(session_id)


async def test_a_page_that_looks_as_before_is_no_new_step(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    async with driven(driver, server) as (session, page):
        await page.goto(pages.add(COUNTER))
        session_id = await captures.collector.configure_session(session.id)
        await captures.collector.collect_step_data(session.id)
        await page.evaluate("document.querySelector('p').textContent = 'none'")
        await page.evaluate("document.querySelector('p').textContent = 'one'")
        await stored(captures, session_id, lambda steps: len(steps) == 3)
        manifest = await captures.collector.close_session(session_id)
    assert manifest.steps == ["0001-navigate", "0002-action", "0003-change"]


async def test_the_driver_s_dialogs_downloads_and_marks_are_left_alone(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    url = pages.add(
        "<script>addEventListener('load', () => { seen = 0;"
        "new MutationObserver(all => seen += all.length).observe(document,"
        "{subtree: true, childList: true, attributes: true}) })</script>"
        "<button id=ask onclick='answer = confirm(\"sure?\")'>ask</button>"
    )
    async with driven(driver, server) as (session, page):
        await captures.collector.configure_session(session, on=())
        await page.goto(url)

        async def agree(dialog: Dialog) -> None:
            await asyncio.sleep(0.5)
            await dialog.accept()

        page.on("dialog", agree)
        await page.click("#ask")
        assert await page.evaluate("answer") is True
        await captures.collector.collect_step_data(session.id)
        assert await page.evaluate("seen") == 0
        assert await page.evaluate("Object.keys(window).filter(k => /checkpoint/i.test(k))") == []
        await captures.collector.close_session()


async def test_a_step_is_of_the_page_that_it_names(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    one, two = pages.add("<title>one</title>"), pages.add("<title>two</title>")
    async with driven(driver, server) as (session, page):
        await page.goto(one)
        other = await page.context.new_page()
        await other.goto(two)
        session_id = await captures.collector.configure_session(session, on=())
        first = await captures.collector.collect_step_data(session.id, url=one)
        second = await captures.collector.collect_step_data(session_id, url=two)
        cdp = await page.context.new_cdp_session(page)
        target = (await cdp.send("Target.getTargetInfo"))["targetInfo"]["targetId"]
        third = await captures.collector.collect_step_data(session.id, page_id=target)
        await captures.collector.close_session(session.id)
    assert [each["url"] for each in (first, second, third)] == [one, two, one]


@pytest.mark.parametrize("ending", ["released", "lost"])
async def test_a_session_is_recorded_until_it_ends(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages, ending: str
):
    async with driven(driver, server) as (session, page):
        recording = asyncio.ensure_future(captures.collector.record_session(session))
        while not captures.told:
            await asyncio.sleep(0.02)
        await page.goto(pages.add("<title>seen</title>"))
        session_id = captures.told[0].data["session_id"]
        await stored(captures, session_id, bool)
        if ending == "released":
            server.client().sessions.update(session.id, status="REQUEST_RELEASE")
        else:
            # In the picture, and in each new connection's beginning.
            server.inject(Fault("reset", "cdp", method="Page.captureScreenshot", times=None))
            await page.evaluate("document.title = 'changed'")
        manifest = await asyncio.wait_for(recording, 30)
    assert manifest.steps[0] == "0001-navigate"
    expected = SessionState.COMPLETE if ending == "released" else SessionState.INCOMPLETE
    assert manifest.state is expected, manifest.reason


async def test_a_lost_connection_is_made_anew_and_the_manifest_says_so(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    async with driven(driver, server) as (session, page):
        recording = asyncio.ensure_future(captures.collector.record_session(session))
        await page.goto(pages.add("<title>before</title>"))
        while not captures.told:
            await asyncio.sleep(0.02)
        session_id = captures.told[0].data["session_id"]
        await stored(captures, session_id, bool)
        server.inject(Fault("reset", operation="cdp", method="Page.captureScreenshot"))
        await page.goto(pages.add("<title>after</title><p>x"))
        steps = await stored(captures, session_id, lambda steps: len(steps) > 1)
        server.client().sessions.update(session.id, status="REQUEST_RELEASE")
        manifest = await asyncio.wait_for(recording, 30)
    assert manifest.steps == steps == ["0001-navigate", "0002-navigate"]
    assert "<title>after</title>" in captures.html(manifest, 1)
    assert manifest.state is SessionState.INCOMPLETE
    assert "connection was lost for a while" in (manifest.reason or "")
    assert manifest.remote["reconnected"] == 1


async def test_what_cannot_be_recorded_is_refused(
    captures: RemoteCaptures, server: LocalBrowserbase
):
    with pytest.raises(InvalidInput):
        await captures.collector.configure_session(42)
    with pytest.raises(DataCollectionError, match="404"):
        await captures.collector.configure_session("no-such-session")
    with pytest.raises(NotRegistered, match="configure_session"):
        await captures.collector.collect_step_data("never-configured")
    with server.client() as client:
        session = client.sessions.create()
        client.sessions.update(session.id, status="REQUEST_RELEASE")
        with pytest.raises(DataCollectionError, match="410"):
            await captures.collector.configure_session(session)
    assert await captures.manager.list_sessions() == []


async def test_a_session_that_is_not_closed_is_incomplete(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any
):
    async with driven(driver, server) as (session, _):
        session_id = await captures.collector.configure_session(session)
        await captures.collector.close()
    manifest = await captures.manager.get_manifest(session_id)
    assert manifest.state is SessionState.INCOMPLETE


async def test_a_session_is_a_source_that_the_collection_pauses_and_stops(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    collection = captures.collector.collection
    async with driven(driver, server) as (session, page):
        await page.goto(pages.add("<title>there</title>"))
        session_id = await captures.collector.configure_session(session, on=["navigate"])
        assert collection.list_sources() == [session_id]
        assert collection.get_status(session_id) is CollectionStatus.RUNNING
        await captures.collector.collect_step_data(session.id)
        await collection.pause(session_id)
        telling = [
            asyncio.ensure_future(captures.collector.collect_step_data(session.id))
            for _ in range(2)
        ]
        # What was under way when it was paused is the wait for the first of them.
        await asyncio.wait_for(asyncio.shield(telling[0]), 20)
        await asyncio.wait(telling, timeout=1)
        assert [each.done() for each in telling] == [True, False]
        await collection.resume(session_id)
        assert (await telling[1])["step_id"] == "0004-action"
        await collection.stop(session_id)
        assert collection.get_status(session_id) is CollectionStatus.STOPPED
        with pytest.raises(DataCollectionError, match="no page any more"):
            await captures.collector.collect_step_data(session.id)
        assert await page.title() == "there"
        manifest = await captures.collector.close_session()
    assert manifest.state is SessionState.ABORTED
    assert manifest.steps == ["0001-navigate", "0002-action", "0003-action", "0004-action"]
    assert collection.list_sources() == []
    kinds = [each.event_type for each in captures.told if "TASK" not in each.event_type.name]
    assert kinds == [
        EventType.COLLECTION_START,
        EventType.STEP_STORED,
        EventType.STEP_STORED,
        EventType.COLLECTION_PAUSED,
        EventType.STEP_STORED,
        EventType.COLLECTION_RESUMED,
        EventType.STEP_STORED,
        EventType.COLLECTION_ERROR,
    ]


async def test_what_is_captured_is_stored_when_a_paused_session_is_closed(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    async with driven(driver, server) as (session, page):
        await page.goto(pages.add("<title>there</title>"))
        session_id = await captures.collector.configure_session(session, on=())
        await captures.collector.collection.pause(session_id)
        telling = [
            asyncio.ensure_future(captures.collector.collect_step_data(session.id))
            for _ in range(3)
        ]
        await stored(captures, session_id, bool)
        manifest = await captures.collector.close_session()
        told = [each["step_id"] for each in await asyncio.gather(*telling)]
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.steps == told


async def test_whoever_tells_a_step_hears_that_it_is_not_stored(
    captures: RemoteCaptures, server: LocalBrowserbase, driver: Any, pages: Pages
):
    collection = captures.collector.collection
    async with driven(driver, server) as (session, page):
        session_id = await captures.collector.configure_session(session, on=["navigate"])
        for step_id in ("0001-action", "0003-navigate"):
            await captures.manager.store_step_data(session_id, step_id, html_content="another")
        with pytest.raises(Conflict):
            await captures.collector.collect_step_data(session.id)
        assert (await captures.collector.collect_step_data(session.id))["step_id"] == "0002-action"
        # Nobody hears of one that came by itself: that ends the recording.
        await page.goto(pages.add("<title>later</title>"))
        with pytest.raises(Conflict):
            await asyncio.wait_for(collection.wait(session_id), 20)
        assert collection.get_status(session_id) is CollectionStatus.ERROR
        with pytest.raises(Conflict):
            await captures.collector.collect_step_data(session.id)
        manifest = await captures.collector.close_session()
    assert manifest.state is SessionState.INCOMPLETE
    assert "0003-navigate" in (manifest.reason or "")
