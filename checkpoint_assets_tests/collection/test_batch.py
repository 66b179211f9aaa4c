"""Many scenarios by one collector: told as they end, and ended with whoever listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoint_assets.collection.batch import Captured, capture_each
from checkpoint_assets.collection.blocking import SyncDataCollector
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets_tests.collection.captures import Captures, capture_settings, scenario_on
from checkpoint_assets_tests.pages import Pages

pytestmark = pytest.mark.browser

NEVER = {"wait_for": {"selector": "#never", "timeout": 60}}


@pytest.fixture
async def own(pages: Pages, tmp_path: Path) -> AsyncIterator[Captures]:
    """A collector that is this test's alone: every session of the store is one of its."""
    async with Captures(tmp_path, pages) as captures:
        yield captures


async def test_each_is_told_with_its_manifest_or_its_error(own: Captures, pages: Pages):
    good = scenario_on(pages, {"goto": pages.add("<p>x")}, name="good")
    bad = scenario_on(pages, {"fill": {"selector": "#i", "secret": "NO_SUCH"}}, name="bad")
    told = [each async for each in capture_each(own.collector, [good, bad], at_once=2)]

    found = {each.scenario.name: each for each in told}
    assert found["good"].manifest is not None
    assert found["good"].manifest.state is SessionState.COMPLETE
    assert found["good"].error is None
    assert found["bad"].manifest is None
    assert "NO_SUCH" in str(found["bad"].error)


async def test_a_quick_one_is_told_while_a_slow_one_runs(own: Captures, pages: Pages):
    slow = scenario_on(pages, {"goto": pages.add("<p>x")}, NEVER, name="slow")
    quick = scenario_on(pages, {"goto": pages.add("<p>x")}, name="quick")
    each = capture_each(own.collector, [slow, quick], at_once=2)

    first = await anext(each)
    await each.aclose()

    assert first.scenario.name == "quick"


async def test_who_stops_listening_ends_what_still_runs_as_aborted(own: Captures, pages: Pages):
    slow = scenario_on(pages, {"goto": pages.add("<p>x")}, NEVER, name="slow")
    quick = scenario_on(pages, {"goto": pages.add("<p>x")}, name="quick")
    each = capture_each(own.collector, [quick, slow], at_once=2)
    await anext(each)

    await each.aclose()

    sessions = await own.manager.list_sessions()
    manifests = [await own.manager.get_manifest(session) for session in sessions]
    states = {manifest.scenario: manifest.state for manifest in manifests}
    assert states == {"quick": SessionState.COMPLETE, "slow": SessionState.ABORTED}


def test_blocking_code_may_stop_listening_too(pages: Pages, tmp_path: Path):
    slow = scenario_on(pages, {"goto": pages.add("<p>x")}, NEVER, name="slow")
    quick = scenario_on(pages, {"goto": pages.add("<p>x")}, name="quick")
    told: list[Captured] = []
    storage = {"type": "local", "path": str(tmp_path)}
    with SyncDataCollector(storage, settings=capture_settings(pages)) as collector:
        each = collector.capture_each([slow, quick], at_once=2)
        told.append(next(each))
        each.close()

    assert [one.scenario.name for one in told] == ["quick"]
    with SyncStorageManager(tmp_path.as_uri()) as manager:
        states = {manager.get_manifest(each).state for each in manager.iter_sessions()}
    assert states == {SessionState.COMPLETE, SessionState.ABORTED}
