"""The power goes while Dagster captures: every process is killed, and all is begun again.

The daemon, its code server, the run and the browser are real processes, and each ends by SIGKILL.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets_tests.fault.scale import FULL
from checkpoint_assets_tests.pages import HERMETIC
from checkpoint_assets_tests.processes import Program

pytestmark = [
    pytest.mark.skipif(not FULL, reason="a minute each: make fault"),
    pytest.mark.fault,
    pytest.mark.browser,
    pytest.mark.dagster,
    pytest.mark.timeout(600),
]

# The project's own, but with seconds for minutes.
SETTINGS = """\
telemetry: {enabled: false}
concurrency:
  pools: {granularity: run, default_limit: 1}
run_monitoring:
  enabled: true
  poll_interval_seconds: 2
  start_timeout_seconds: 60
  max_runtime_seconds: 7200
  free_slots_after_run_end_seconds: 1
run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}
"""
# In which all is well again: two looks of the sensor that finds lost runs, a retry, and a machine
# with other work to do.
SECONDS = 240
SCENARIO = """\
name: note
site: pages
steps:
  - goto: /note.html
  - wait_for: {selector: "#go", timeout: 50}
"""
PAGE = "<!doctype html><title>A note</title><p>Kettle on."
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


class House:
    """A project with a Dagster that watches its inbox, and a switch for the power."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.scenarios = folder / "scenarios"
        self.page = self.scenarios / "pages" / "note.html"
        self.page.parent.mkdir(parents=True)
        self.page.write_text(PAGE)
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text(SETTINGS)
        self.environment = {
            "DAGSTER_HOME": str(self.home),
            "CHECKPOINT_STORAGE_URL": self.store.as_uri(),
            "CHECKPOINT_SCENARIOS": str(self.scenarios),
            "CHECKPOINT_CHROMIUM_ARGUMENTS": HERMETIC,
        }

    def daemon(self) -> Program:
        return Program(
            [sys.executable, "-m", "dagster._daemon", "run", *WORKSPACE], self.environment
        )

    def watch_the_inbox(self) -> None:
        """Turn its sensor on, as the switch in the UI does."""
        command = [sys.executable, "-m", "dagster", "sensor", "start", "scenario_inbox", *WORKSPACE]
        with Program(command, self.environment) as program:
            assert program.wait() == 0, program.output

    def runs(self) -> list[dg.DagsterRun]:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return list(instance.get_runs())

    def wait(self, condition: Callable[[], bool], program: Program) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < deadline, program.output
            assert program.process.poll() is None, program.output
            time.sleep(0.02)

    def sessions(self) -> list[SessionManifest]:
        """All of them; each has an end."""
        with SyncStorageManager(self.store.as_uri()) as storage:
            return [storage.get_manifest(session) for session in storage.iter_sessions()]

    def check_steps(self) -> None:
        """Each step that can be seen can be read whole."""
        with SyncStorageManager(self.store.as_uri()) as storage:
            for session in storage.iter_sessions():
                for step in storage.iter_steps(session):
                    storage.retrieve_step_data(session, step)


WORKSPACE = ["-w", "workspace.yaml"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    shutil.rmtree(tmp_path, ignore_errors=True)


def all_is_well(house: House) -> Callable[[], bool]:
    """All runs have ended, one of them well, and every session has an end."""

    def check() -> bool:
        runs = house.runs()
        ended = {run.status for run in runs} <= ENDED
        if not ended or not any(run.is_success for run in runs):
            return False
        closed = {path.parent.name for path in house.store.glob("*/session.json")}
        begun = {path.parent.name for path in house.store.glob("*/*.metadata.json")}
        return begun <= closed

    return check


def check_the_end(house: House) -> None:
    states = [session.state for session in house.sessions()]
    assert states.count(SessionState.COMPLETE) == 1
    assert set(states) <= {SessionState.COMPLETE, SessionState.INCOMPLETE}
    house.check_steps()
    # One run asked for by the sensor; every other is a further attempt at it.
    assert len([run for run in house.runs() if run.parent_run_id is None]) == 1


def test_a_capture_that_the_power_ended_is_captured_once_more(house: House) -> None:
    house.watch_the_inbox()
    with house.daemon() as first:
        house.wait(lambda: ticked(house), first)
        (house.scenarios / "note.yaml").write_text(SCENARIO)
        house.wait(lambda: any(house.store.glob("*/0001-goto.metadata.json")), first)
    assert first.remains() == []
    (dying,) = [path.parent.name for path in house.store.glob("*/0001-goto.metadata.json")]
    assert not (house.store / dying / "session.json").exists()
    house.page.write_text(PAGE + '<p id="go">Ready.')

    with house.daemon() as second:
        house.wait(all_is_well(house), second)

    check_the_end(house)
    left = next(each for each in house.sessions() if each.session_id == dying)
    assert left.state is SessionState.INCOMPLETE
    assert left.steps == ["0001-goto"]
    assert "ended as FAILURE" in (left.reason or "")


def ticked(house: House) -> bool:
    """Whether the sensor has looked at the inbox, which is empty, for the first time."""
    with dg.DagsterInstance.from_config(str(house.home)) as instance:
        return any(
            state.instigator_data and getattr(state.instigator_data, "cursor", None)
            for state in instance.all_instigator_state()
            if state.instigator_name == "scenario_inbox"
        )


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.0, 2.0, 4.0])
def test_a_power_cut_between_evaluation_and_launch_loses_no_capture_and_doubles_none(
    house: House, delay: float
) -> None:
    house.page.write_text(PAGE + '<p id="go">Ready.')
    house.watch_the_inbox()
    with house.daemon() as first:
        house.wait(lambda: ticked(house), first)
        (house.scenarios / "note.yaml").write_text(SCENARIO)
        house.wait(lambda: bool(house.runs()), first)
        time.sleep(delay)
    assert first.remains() == []

    with house.daemon() as second:
        house.wait(all_is_well(house), second)

    check_the_end(house)
