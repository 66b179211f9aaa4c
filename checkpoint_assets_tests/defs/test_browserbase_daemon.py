"""A real daemon finds the sessions of others in Browserbase, and records each once, in turn."""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from playwright.sync_api import sync_playwright

from checkpoint_assets.defs.browserbase_recording import SESSION_TAG, browserbase_sessions
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets_tests.pages import HERMETIC, Pages
from checkpoint_assets_tests.processes import ROOT, Program

pytestmark = [pytest.mark.dagster, pytest.mark.browser, pytest.mark.timeout(400)]

WORKSPACE = ["-w", "workspace.yaml"]
_SECONDS = 300


class Watch:
    """A Dagster with the project's own settings, whose sensor looks at the local Browserbase."""

    def __init__(self, folder: Path, server: LocalBrowserbase) -> None:
        self.store = folder / "store"
        self.home = folder / "home"
        self.home.mkdir()
        shutil.copy(ROOT / "dagster.yaml", self.home)
        self.environment = {
            "DAGSTER_HOME": str(self.home),
            "BROWSERBASE_API_KEY": server.api_key,
            "BROWSERBASE_BASE_URL": server.url,
            "CHECKPOINT_STORAGE_URL": self.store.as_uri(),
            "CHECKPOINT_BROWSERBASE__ADOPT": "user_metadata['team']:'agents'",
            "CHECKPOINT_BROWSERBASE__SESSIONS": "1",
        }

    def turn_on(self) -> None:
        """As with the switch in the UI."""
        command = ["sensor", "start", browserbase_sessions.name, *WORKSPACE]
        with Program([sys.executable, "-m", "dagster", *command], self.environment) as program:
            assert program.wait() == 0, program.output

    def daemon(self) -> Program:
        command = [sys.executable, "-m", "dagster._daemon", "run", *WORKSPACE]
        return Program(command, self.environment)

    def runs(self) -> dict[str, dg.RunRecord]:
        """By the session in Browserbase that each records."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            records = instance.get_run_records()
        found = {each.dagster_run.tags[SESSION_TAG]: each for each in records}
        assert len(found) == len(records)
        return found

    def found_nothing(self, after: float) -> bool:
        """Whether the sensor has found nothing new since."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            (state,) = [
                each
                for each in instance.all_instigator_state()
                if each.instigator_name == browserbase_sessions.name
            ]
            return bool(
                instance.get_ticks(
                    state.instigator_origin_id,
                    state.selector_id,
                    after=after,
                    statuses=[TickStatus.SKIPPED],
                )
            )

    def recorded(self) -> int:
        """How many sessions have steps."""
        return len({path.parent for path in self.store.glob("*/*.metadata.json")})


def test_each_session_is_recorded_once_and_no_more_at_a_time_than_the_plan_has(
    tmp_path: Path, pages: Pages
):
    with LocalBrowserbase(arguments=[HERMETIC]) as server, sync_playwright() as driver:
        client, watch = server.client(), Watch(tmp_path, server)
        team = {"team": "agents"}
        first, second = (
            client.sessions.create(user_metadata=team, keep_alive=True) for _ in range(2)
        )
        over = client.sessions.create(user_metadata=team)
        client.sessions.update(over.id, status="REQUEST_RELEASE")
        for session in (first, second):
            browser = driver.chromium.connect_over_cdp(session.connect_url)
            browser.contexts[0].pages[0].goto(pages.add("<title>theirs</title>"))
        watch.turn_on()

        with watch.daemon() as daemon:
            daemon.wait_for_line("is blocked by global concurrency limits")
            until(lambda: watch.recorded() == 1, daemon)
            runs = watch.runs()
            assert runs.keys() == {first.id, second.id, over.id}
            client.sessions.update(first.id, status="REQUEST_RELEASE")
            until(lambda: watch.runs()[first.id].dagster_run.is_finished, daemon)
            released = time.time()
            until(lambda: watch.recorded() == 2, daemon)
            client.sessions.update(second.id, status="REQUEST_RELEASE")
            until(lambda: all(run.dagster_run.is_finished for run in watch.runs().values()), daemon)
            until(lambda: watch.found_nothing(released), daemon)

        runs = watch.runs()
        assert all(run.dagster_run.is_success for run in runs.values())
        turns = sorted((run.start_time or 0, run.end_time or 0) for run in runs.values())
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(turns))
        with SyncStorageManager(watch.store.as_uri()) as store:
            manifests = [store.get_manifest(each) for each in store.iter_sessions()]
        assert len(manifests) == 3
        adopted = {each.remote["session_id"]: each.remote["adopted"] for each in manifests}
        assert adopted == {first.id: True, second.id: True, over.id: False}
        keys = [server.api_key, *(each.signing_key for each in server.sessions)]
    told = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for text in (daemon.output.encode(), *told):
        assert not any(key.encode() in text for key in keys)


def until(condition: Callable[[], object], daemon: Program) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, daemon.output
        assert daemon.process.poll() is None, daemon.output
        time.sleep(0.2)
