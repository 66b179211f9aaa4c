"""Sessions at once: in one browser, apart from each other, and tried again if it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from checkpoint_assets.collection.blocking import SyncBrowserPool, SyncDataCollector
from checkpoint_assets.collection.browser.browser_pool import BrowserPool
from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.children import (
    all_gone,
    browser_pid,
    descendants,
    kill_renderers,
    started_since,
)
from checkpoint_assets_tests.collection.captures import (
    Captures,
    capture_settings,
    check_incomplete,
    check_readable,
    scenario_on,
)
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser]
on_the_loop = pytest.mark.asyncio(loop_scope="session")

# Steps on a page that shows its text a moment after it was opened.
LATE = "<p></p><script>setTimeout(() => document.querySelector('p').textContent = 'late', %d)"


def late(pages: Pages, milliseconds: int) -> list[dict[str, object]]:
    url = pages.add(LATE % milliseconds + "</script>")
    return [{"goto": url}, {"wait_for": {"text": "late", "timeout": 30}}]


async def first_steps(captures: Captures, sessions: int) -> asyncio.Event:
    """Is set when so many sessions have stored their first step."""
    stored: set[str] = set()
    all_stored = asyncio.Event()

    async def hear(event: SystemEvent) -> None:
        stored.add(event.data["session_id"])
        if len(stored) == sessions:
            all_stored.set()

    await captures.events.subscribe(EventType.STEP_STORED, hear)
    return all_stored


@on_the_loop
async def test_sessions_of_a_browser_that_dies_are_tried_again_as_new_ones(
    pages: Pages, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        stored = await first_steps(captures, 2)
        running = [asyncio.ensure_future(captures.run(*late(pages, 3000))) for _ in range(2)]
        await asyncio.wait_for(stored.wait(), 30)
        os.kill(browser_pid(before), signal.SIGKILL)
        again: list[SessionManifest] = await asyncio.wait_for(asyncio.gather(*running), 60)
        assert [each.state for each in again] == [SessionState.COMPLETE] * 2
        all_of_them = set(await captures.manager.list_sessions())
        assert len(all_of_them) == 4
        lost = {each.metadata["retry_of"] for each in again}
        assert lost == all_of_them - {each.session_id for each in again}
        for session in lost:
            manifest = await captures.manager.get_manifest(session)
            check_incomplete(manifest, "the browser or its page was gone")
            await check_readable(captures, manifest)
    assert await all_gone(before) == {}


@on_the_loop
async def test_a_session_that_kills_its_browser_twice_harms_no_other_the_second_time(
    pages: Pages, tmp_path: Path
):
    """Nobody knows which of the two did it, so both are tried again, each alone."""
    before = descendants()
    deaths = 0

    async def kill(event: SystemEvent) -> None:
        nonlocal deaths
        if (event.data["scenario"], event.data["step_id"]) == ("killer", "0001-goto"):
            deaths += 1
            for pid in started_since(before, "--remote-debugging-pipe"):
                os.kill(pid, signal.SIGKILL)

    async with Captures(tmp_path, pages) as captures:
        stored = await first_steps(captures, 1)
        good = asyncio.ensure_future(captures.run(*late(pages, 4000)))
        await asyncio.wait_for(stored.wait(), 30)
        await captures.events.subscribe(EventType.STEP_STORED, kill)
        bad = asyncio.ensure_future(captures.run(*late(pages, 4000), name="killer"))
        first, second = await asyncio.wait_for(asyncio.gather(good, bad), 90)
    assert first.state is SessionState.COMPLETE
    check_incomplete(second, "the browser or its page was gone")
    assert "retry_of" in second.metadata
    assert deaths == 2


@on_the_loop
async def test_a_renderer_that_crashes_ends_its_own_session_and_is_not_tried_again(
    pages: Pages, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        stored = await first_steps(captures, 1)
        crashing = asyncio.ensure_future(captures.run(*late(pages, 30_000)))
        await asyncio.wait_for(stored.wait(), 30)
        kill_renderers(before)
        manifest = await asyncio.wait_for(crashing, 30)
        check_incomplete(manifest, "crashed")
        assert "retry_of" not in manifest.metadata
        assert await captures.manager.list_sessions() == [manifest.session_id]


@on_the_loop
async def test_more_sessions_than_places_wait_their_turn(pages: Pages, tmp_path: Path):
    lock = threading.Lock()
    asking, at_once = 0, 0

    def page(_: Request) -> Response:
        nonlocal asking, at_once
        with lock:
            asking += 1
            at_once = max(at_once, asking)
        pages.pause(0.5)
        with lock:
            asking -= 1
        return Response(body=b"<p>x")

    async with Captures(tmp_path, pages, browsers={"sessions": 2}) as captures:
        url = pages.add(page)
        sessions = await asyncio.gather(*(captures.run({"goto": url}) for _ in range(5)))
    assert {each.state for each in sessions} == {SessionState.COMPLETE}
    assert at_once <= 2


@on_the_loop
async def test_collectors_share_the_browsers_that_they_are_given(pages: Pages):
    before = descendants()
    settings = capture_settings(pages)
    scenario = scenario_on(pages, {"goto": pages.add("<p>x")})
    async with BrowserPool(settings) as browsers:
        used: set[int] = set()
        for _ in range(2):
            async with DataCollector(
                {"type": "memory"}, settings=settings, browsers=browsers
            ) as collector:
                manifest = await collector.capture_scenario(scenario)
                assert manifest.state is SessionState.COMPLETE
            used.add(browser_pid(before))
        assert len(used) == 1
    assert await all_gone(before) == {}


def test_blocking_collectors_share_browsers_too_and_closing_one_leaves_them(pages: Pages):
    before = descendants()
    settings = capture_settings(pages)
    scenario = scenario_on(pages, {"goto": pages.add("<p>x")})
    with SyncBrowserPool(settings) as browsers:
        used: set[int] = set()
        for _ in range(2):
            collector = SyncDataCollector({"type": "memory"}, settings=settings, browsers=browsers)
            assert collector.capture_scenario(scenario).state is SessionState.COMPLETE
            collector.close()
            collector.close()
            with pytest.raises(RuntimeError, match="closed"):
                collector.capture_scenario(scenario)
            used.add(browser_pid(before))
        assert len(used) == 1
    browsers.close()
    assert started_since(before) == {}
