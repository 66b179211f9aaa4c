"""However a session ends, what was committed stays, nothing is left running, the next one works."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets_tests.children import (
    all_gone,
    browser_pid,
    descendants,
    kill_renderers,
    started_since,
)
from checkpoint_assets_tests.collection.captures import Captures, check_incomplete, check_readable
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

QUICK = {"action": 1, "settle": 0.3, "capture": 1, "close": 2}
HANG = {"fill": {"selector": "#i", "text": "x"}}
# Its button keeps the page busy for ever; its field is there before.
BUSY = "<button onclick='setTimeout(() => { for (;;); })'>b</button><input id=i>"


@pytest.fixture
def page(pages: Pages) -> str:
    return pages.add("<title>A title</title><p>x")


async def first_step(captures: Captures) -> asyncio.Event:
    """Is set when the next step is stored."""
    stored = asyncio.Event()

    async def hear(_: SystemEvent) -> None:
        stored.set()

    await captures.events.subscribe(EventType.STEP_STORED, hear)
    return stored


WAIT = {"wait_for": {"selector": "#never", "timeout": 60}}


async def test_a_cancelled_session_is_aborted_and_its_steps_stay(
    pages: Pages, page: str, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        stored = await first_step(captures)
        running = asyncio.ensure_future(captures.run({"goto": page}, WAIT))
        await asyncio.wait_for(stored.wait(), 30)
        assert started_since(before, "chrom")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    (session,) = await captures.manager.list_sessions()
    manifest = await captures.manager.get_manifest(session)
    assert manifest.state is SessionState.ABORTED
    assert manifest.steps == ["0001-goto"]
    assert manifest.reason == "stopped before its end"
    await check_readable(captures, manifest)
    assert await all_gone(before) == {}


@pytest.mark.parametrize("turns", [0, 1, 5, 40, 200])
async def test_a_session_that_is_cancelled_while_the_browser_starts_leaves_nothing(
    pages: Pages, page: str, tmp_path: Path, turns: int
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        running = asyncio.ensure_future(captures.run({"goto": page}, WAIT))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    for session in await captures.manager.list_sessions():
        assert (await captures.manager.get_manifest(session)).state is SessionState.ABORTED
    assert await all_gone(before) == {}


async def test_closing_a_collector_twice_is_fine_and_one_that_never_ran_too(
    pages: Pages, tmp_path: Path
):
    captures = Captures(tmp_path, pages)
    await captures.collector.close()
    await captures.collector.close()


async def test_a_session_that_takes_too_long_is_ended(pages: Pages, page: str, tmp_path: Path):
    async with Captures(tmp_path, pages, timeouts={"session": 2}) as captures:
        started = time.monotonic()
        manifest = await captures.run({"goto": page}, WAIT)
    check_incomplete(manifest, "the session took longer than 2 s")
    assert time.monotonic() - started < 15


async def test_a_page_that_hangs_ends_the_session_within_its_deadlines(
    pages: Pages, page: str, tmp_path: Path
):
    busy = pages.add(BUSY)
    async with Captures(tmp_path, pages, timeouts=QUICK) as captures:
        started = time.monotonic()
        manifest = await captures.run({"goto": busy}, {"click": "button"}, HANG)
        assert time.monotonic() - started < 20
        check_incomplete(manifest, "took longer than 1 s")
        assert "0001-goto.html" in captures.tree(manifest.session_id)
        await check_readable(captures, manifest)
        assert (await captures.run({"goto": page})).state is SessionState.COMPLETE


async def test_a_page_that_never_answers_ends_the_session_within_its_deadline(
    pages: Pages, tmp_path: Path
):
    def never(_: Any) -> Any:
        pages.pause(60)

    url = pages.add(never)
    async with Captures(tmp_path, pages, timeouts=QUICK | {"navigation": 0.5}) as captures:
        manifest = await captures.run({"goto": url})
    check_incomplete(manifest, "line 1, step 1 (goto): ", "took longer than 0.5 s")


async def test_a_crashed_renderer_ends_the_session_and_not_the_next(
    pages: Pages, page: str, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages, timeouts={"capture": 3}) as captures:
        stored = await first_step(captures)
        running = asyncio.ensure_future(captures.run({"goto": page}, WAIT))
        await asyncio.wait_for(stored.wait(), 30)
        kill_renderers(before)
        manifest = await asyncio.wait_for(running, 20)
        check_incomplete(manifest, "line 2, step 2 (wait_for): ", "crashed")
        assert manifest.steps[0] == "0001-goto"
        await check_readable(captures, manifest)
        assert (await captures.run({"goto": page})).state is SessionState.COMPLETE
    assert await all_gone(before) == {}


async def test_a_killed_browser_ends_the_session_and_the_next_gets_a_new_one(
    pages: Pages, page: str, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        stored = await first_step(captures)
        running = asyncio.ensure_future(captures.run({"goto": page}, WAIT))
        await asyncio.wait_for(stored.wait(), 30)
        killed = browser_pid(before)
        os.kill(killed, signal.SIGKILL)
        manifest = await asyncio.wait_for(running, 20)
        check_incomplete(
            manifest, "line 2, step 2 (wait_for): ", "the browser or its page was gone"
        )
        await check_readable(captures, manifest)
        assert (await captures.run({"goto": page})).state is SessionState.COMPLETE
        assert browser_pid(before) != killed
    assert await all_gone(before) == {}


async def test_a_stopped_browser_ends_the_session_within_its_deadlines_and_is_ended(
    pages: Pages, page: str, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages, timeouts=QUICK | {"close": 1}) as captures:
        stored = await first_step(captures)
        running = asyncio.ensure_future(
            captures.run({"goto": page}, {"wait_for": {"selector": "#never", "timeout": 2}})
        )
        await asyncio.wait_for(stored.wait(), 30)
        os.kill(browser_pid(before), signal.SIGSTOP)
        manifest = await asyncio.wait_for(running, 20)
        check_incomplete(manifest, "line 2, step 2 (wait_for): ")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(captures.collector.close(), 20)
    assert await all_gone(before, 15) == {}


async def test_a_driver_that_dies_ends_the_session_and_the_next_gets_a_new_one(
    pages: Pages, page: str, tmp_path: Path
):
    before = descendants()
    async with Captures(tmp_path, pages) as captures:
        stored = await first_step(captures)
        running = asyncio.ensure_future(captures.run({"goto": page}, WAIT))
        await asyncio.wait_for(stored.wait(), 30)
        (driver,) = started_since(before, "node")
        os.kill(driver, signal.SIGKILL)
        manifest = await asyncio.wait_for(running, 20)
        check_incomplete(manifest, "line 2, step 2 (wait_for): ")
        assert (await captures.run({"goto": page})).state is SessionState.COMPLETE
    assert await all_gone(before) == {}
