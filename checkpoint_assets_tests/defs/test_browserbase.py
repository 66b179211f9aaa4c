"""Sessions that others drive in Browserbase are recorded once each; ours are never forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from playwright.sync_api import sync_playwright

from checkpoint_assets.collection.browser.browserbase_tags import Owner, tags
from checkpoint_assets.config import Browserbase, Settings
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets.defs.browserbase_recording import POOL, browserbase_sessions
from checkpoint_assets.defs.resources import BrowserbaseResource, CaptureSetup
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = [pytest.mark.dagster, pytest.mark.browser]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    with LocalBrowserbase(arguments=[HERMETIC], reuse=True) as running:
        yield running


class Account:
    """A project whose sensor looks at the local Browserbase, for the sessions of one team."""

    def __init__(
        self, server: LocalBrowserbase, store: SyncStorageManager, instance: dg.DagsterInstance
    ) -> None:
        self.server = server
        self.store = store
        self.instance = instance
        # One of its own: the server keeps what earlier tests have left.
        team = f"team-{len(server.sessions)}"
        self.team = {"team": team}
        adopt = f"user_metadata['team']:'{team}'"
        self.settings = Settings(
            storage_url=store.asynchronous.url, browserbase=Browserbase(adopt=adopt, sessions=2)
        )
        self.account = BrowserbaseResource(api_key=server.api_key, base_url=server.url)
        self.cursor: str | None = None

    def tick(self, settings: Settings | None = None, **account: Any) -> Any:
        """What the sensor says, with the cursor that it has left."""
        resources = {
            "browserbase": BrowserbaseResource(**account) if account else self.account,
            "setup": CaptureSetup(settings or self.settings),
        }
        with dg.build_sensor_context(
            self.instance, cursor=self.cursor, resources=resources
        ) as context:
            answer = browserbase_sessions(context)
        if isinstance(answer, dg.SensorResult):
            self.cursor = answer.cursor
        return answer

    def run(self, job: str, config: Any = None) -> dg.ExecuteInProcessResult:
        definitions = build_definitions(self.settings, overrides={"browserbase": self.account})
        return definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config=config, raise_on_error=False
        )

    def only_manifest(self):
        (session_id,) = self.store.iter_sessions()
        return self.store.get_manifest(session_id)


@pytest.fixture
def account(
    server: LocalBrowserbase, tmp_path: Path, instance: dg.DagsterInstance
) -> Iterator[Account]:
    with SyncStorageManager(tmp_path.as_uri()) as store, server.client() as client:
        yield Account(server, store, instance)
        for each in server.live:
            client.sessions.update(each.id, status="REQUEST_RELEASE")


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def test_sessions_of_the_query_are_asked_for_once_and_no_others(account: Account):
    client = account.server.client()
    mine = client.sessions.create(user_metadata=account.team)
    client.sessions.create(user_metadata={"team": "b"})
    client.sessions.create(user_metadata={**account.team, **tags("s1", Owner.this_process())})
    ended = client.sessions.create(user_metadata=account.team)
    client.sessions.update(ended.id, status="REQUEST_RELEASE")
    before = account.server.counts
    first = account.tick()
    assert [each.run_key for each in first.run_requests] == [
        f"browserbase:{mine.id}",
        f"browserbase:{ended.id}",
    ]
    assert first.run_requests[0].tags["checkpoint/browserbase_session"] == mine.id
    client.sessions.update(mine.id, status="REQUEST_RELEASE")
    assert not account.tick().run_requests
    assert (account.server.counts - before)["sessions.list"] == 2


def test_it_is_off_and_says_what_is_missing(account: Account):
    assert browserbase_sessions.default_status is dg.DefaultSensorStatus.STOPPED
    none = account.settings.model_copy(update={"browserbase": Browserbase()})
    for answer, word in (
        (account.tick(none), "CHECKPOINT_BROWSERBASE__ADOPT"),
        (account.tick(api_key=None), "BROWSERBASE_API_KEY"),
        (account.tick(api_key="wrong", base_url=account.server.url), "401"),
    ):
        assert isinstance(answer, dg.SkipReason)
        assert word in (answer.skip_message or "")


def test_as_many_are_recorded_at_once_as_the_plan_has_unless_the_pool_says_otherwise(
    account: Account,
):
    def limits() -> dict[str, int]:
        found = account.instance.event_log_storage.get_pool_limits()
        return {each.name: each.limit for each in found}

    account.server.client().sessions.create(user_metadata=account.team)
    account.tick()
    assert limits() == {POOL: 2}
    account.instance.event_log_storage.set_concurrency_slots(POOL, 7)
    account.cursor = None
    assert account.tick().run_requests
    assert limits() == {POOL: 7}


def test_a_running_session_is_recorded_until_it_ends(account: Account, pages: Pages):
    client = account.server.client()
    session = client.sessions.create(user_metadata=account.team, keep_alive=True)
    (request,) = account.tick().run_requests
    results: list[dg.ExecuteInProcessResult] = []

    def record() -> None:
        results.append(account.run("browserbase_recording_job", request.run_config))

    with sync_playwright() as driver:
        browser = driver.chromium.connect_over_cdp(session.connect_url)
        browser.contexts[0].pages[0].goto(pages.add("<title>theirs</title>"))
        recording = threading.Thread(target=record)
        recording.start()
        until(lambda: [*account.store.iter_sessions()])
        client.sessions.update(session.id, status="REQUEST_RELEASE")
        recording.join(30)
    assert results[0].success
    manifest = account.only_manifest()
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.steps == ["0001-navigate"]
    assert manifest.tags["dagster_run_id"] == results[0].run_id
    assert (manifest.remote["session_id"], manifest.remote["adopted"]) == (session.id, True)
    assert manifest.remote["status"] == "COMPLETED"
    assert manifest.remote["logs"]["entries"]
    keys = (account.server.api_key, session.signing_key)
    for each in account.instance.all_logs(results[0].run_id):
        assert not any(key in str(each) for key in keys)


def test_of_a_session_that_has_ended_what_is_left_is_recorded_and_nothing_invented(
    account: Account,
):
    client = account.server.client()
    session = client.sessions.create(user_metadata=account.team)
    client.sessions.update(session.id, status="REQUEST_RELEASE")
    (request,) = account.tick().run_requests
    assert account.run("browserbase_recording_job", request.run_config).success
    manifest = account.only_manifest()
    assert (manifest.state, manifest.steps) == (SessionState.INCOMPLETE, [])
    assert "had ended before it was recorded" in (manifest.reason or "")
    assert manifest.remote["adopted"] is False
    assert [each["path"] for each in manifest.remote["replay"]] == [
        f"/v1/sessions/{session.id}/replays/0"
    ]
    assert [each["status"] for each in manifest.remote["videos"]] == ["NOT_REQUESTED"]


def test_the_sweep_releases_what_a_crash_has_left_and_nothing_else(account: Account):
    client = account.server.client()

    def create(session_id: str) -> str:
        # As another machine of ours would: of its processes nothing is known here.
        metadata = tags(session_id, Owner("another-host", 1))
        return client.sessions.create(user_metadata=metadata, keep_alive=True).id

    account.store.store_step_data("closed", "0001-goto", html_content="<p>x")
    account.store.close_session("closed", SessionState.INCOMPLETE)
    account.store.store_step_data("running", "0001-goto", html_content="<p>x")
    left, busy, odd = create("closed"), create("running"), create("no/id of ours")
    theirs = client.sessions.create(user_metadata=account.team, keep_alive=True).id
    result = account.run("browserbase_sweep_job")
    assert result.success
    assert {each.id for each in account.server.live} == {busy, odd, theirs}
    (event,) = [each for each in result.all_events if each.is_successful_output]
    assert event.step_output_data.metadata["released"].value == [left]


def test_the_key_is_read_from_the_environment_and_told_to_nobody(
    server: LocalBrowserbase,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("BROWSERBASE_API_KEY", server.api_key)
    monkeypatch.setenv("BROWSERBASE_BASE_URL", server.url)
    definitions = build_definitions(Settings(storage_url=tmp_path.as_uri()))
    result = definitions.resolve_job_def("browserbase_sweep_job").execute_in_process(
        instance=instance
    )
    assert result.success
    assert server.counts["sessions.list"]
    assert server.api_key not in repr(definitions.resources["browserbase"])
    for each in instance.all_logs(result.run_id):
        assert server.api_key not in str(each)
