"""The blocking collector: the same, from code that does not await."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from checkpoint_assets.collection.blocking import SyncDataCollector
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import Artifact, EventType, SessionState
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidScenario
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.children import descendants, started_since
from checkpoint_assets_tests.collection.captures import capture_settings, scenario_on
from checkpoint_assets_tests.pages import Pages

pytestmark = pytest.mark.browser

SHOP = parse_scenario("name: shop\nsite: demo\nsteps:\n- goto: /\n- expect: {title: Leaf}\n")


def test_a_session_is_captured_without_awaiting(pages: Pages, tmp_path: Path):
    before = descendants()
    with SyncDataCollector(
        {"type": "local", "path": str(tmp_path)},
        settings=capture_settings(pages),
        open_site=open_site,
    ) as collector:
        manifest = collector.capture_scenario(SHOP, artifacts=[Artifact.HTML], tags={"run": "1"})
        assert manifest.state is SessionState.COMPLETE, manifest.reason
        assert manifest.tags == {"run": "1"}
        assert manifest.artifacts == ["action", "html", "metadata"]
        # The browser is kept for the next session.
        first = started_since(before, "--remote-debugging-pipe")
        assert collector.capture_scenario(SHOP).state is SessionState.COMPLETE
        assert first.keys() & started_since(before, "--remote-debugging-pipe").keys()
    assert started_since(before) == {}
    with SyncStorageManager(tmp_path.as_uri()) as manager:
        assert manifest.session_id in manager.list_sessions()
        html, picture, _, _ = manager.retrieve_step_data(manifest.session_id, "0001-goto")
    assert html is not None
    assert picture is None


async def test_it_works_inside_a_running_loop(pages: Pages, tmp_path: Path):
    with SyncDataCollector(
        {"type": "local", "path": str(tmp_path)}, settings=capture_settings(pages)
    ) as collector:
        scenario = scenario_on(pages, {"goto": pages.add("<p>x")})
        assert collector.capture_scenario(scenario).state is SessionState.COMPLETE
    await asyncio.sleep(0)


def test_what_is_wrong_is_raised_as_it_is(pages: Pages):
    scenario = scenario_on(pages, {"fill": {"selector": "#i", "secret": "NO_SUCH"}})
    with (
        SyncDataCollector({"type": "memory"}, settings=capture_settings(pages)) as collector,
        pytest.raises(InvalidScenario, match="NO_SUCH"),
    ):
        collector.capture_scenario(scenario)


def test_closing_twice_is_fine_and_after_that_a_call_is_an_error(pages: Pages):
    collector = SyncDataCollector({"type": "memory"}, settings=capture_settings(pages))
    collector.close()
    collector.close()
    with pytest.raises(RuntimeError, match="closed"):
        collector.capture_scenario(SHOP)


def test_a_collector_that_cannot_be_made_leaves_no_thread(monkeypatch: pytest.MonkeyPatch):
    before = set(threading.enumerate())
    monkeypatch.setenv("CHECKPOINT_QUEUED_STEPS", "none")
    with pytest.raises(InvalidConfiguration):
        SyncDataCollector({"type": "memory"})
    assert set(threading.enumerate()) <= before


def test_an_interrupt_ends_the_session_as_aborted_and_leaves_no_browser(
    pages: Pages, tmp_path: Path
):
    before = descendants()
    events = EventEmitter()

    async def interrupt(_: SystemEvent) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    asyncio.run(events.subscribe(EventType.STEP_STORED, interrupt))
    scenario = scenario_on(
        pages, {"goto": pages.add("<p>x")}, {"wait_for": {"selector": "#never", "timeout": 60}}
    )
    with (
        SyncDataCollector(
            {"type": "local", "path": str(tmp_path)},
            settings=capture_settings(pages),
            events=events,
        ) as collector,
        pytest.raises(KeyboardInterrupt),
    ):
        collector.capture_scenario(scenario)
    with SyncStorageManager(tmp_path.as_uri()) as manager:
        (session,) = manager.list_sessions()
        manifest = manager.get_manifest(session)
        assert manifest.state is SessionState.ABORTED
        assert list(manager.iter_steps(session)) == manifest.steps == ["0001-goto"]
    assert started_since(before) == {}
