"""What Dagster itself keeps: pruned when it is old, and erased with a session."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.defs.erased_events import erase_events
from checkpoint_assets.defs.progress import SESSION_BEGUN
from checkpoint_assets.defs.run_records import delete_run, newest, prune_runs
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.errors import DeleteRefused
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

pytestmark = pytest.mark.dagster

SESSIONS = dg.AssetKey("capture_session")
PICTURE = "data:image/jpeg;base64,ofMrsSmith"


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance on disk that knows nothing yet: its databases take seconds to make."""
    folder = tmp_path_factory.mktemp("empty") / "home"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        instance.all_asset_keys()
    return folder


@pytest.fixture
def home(tmp_path: Path, empty_home: Path) -> Iterator[tuple[dg.DagsterInstance, Path]]:
    """An instance on disk, as one machine has it."""
    folder = shutil.copytree(empty_home, tmp_path / "home")
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance, folder


def capture(instance: dg.DagsterInstance, **sessions: str) -> str:
    """A run that says of each scenario which session it captured, and judges them; its id."""

    @dg.op
    def say(context) -> None:  # type: ignore[no-untyped-def]
        for scenario, session_id in sessions.items():
            metadata = {"session_id": session_id, "thumbnail": f"{PICTURE}{session_id}"}
            context.log_event(
                dg.AssetMaterialization(SESSIONS, partition=scenario, metadata=metadata)
            )
            context.log_event(
                dg.AssetCheckEvaluation(
                    asset_key=SESSIONS, check_name="drift", passed=True, metadata=metadata
                )
            )

    @dg.job
    def capture_like() -> None:
        say()

    result = capture_like.execute_in_process(instance=instance)
    assert result.success
    return result.run_id


def current(instance: dg.DagsterInstance, scenario: str) -> str | None:
    record = newest(instance, SESSIONS, scenario)
    event = record and record.asset_materialization
    return str(event.metadata["session_id"].value) if event else None


def stored(folder: Path, words: str) -> list[str]:
    """The tables of all of Dagster's databases in which the words stand."""
    found: list[str] = []
    for path in folder.rglob("*.db"):
        with sqlite3.connect(path) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (table,) in tables.fetchall():
                rows = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - its own names
                if any(words in str(row) for row in rows):
                    found.append(f"{path.name} {table}")
    return found


def later() -> datetime:
    return system_clock.now() + timedelta(minutes=1)


def test_old_runs_go_and_the_newest_of_each_scenario_stays(
    home: tuple[dg.DagsterInstance, Path],
) -> None:
    instance, folder = home
    runs = [capture(instance, note=f"s{number}") for number in range(3)]
    only = capture(instance, other="s9")

    assert prune_runs(instance, later(), most=100) == (2, 2)
    assert {run.run_id for run in instance.get_runs()} == {runs[2], only}
    assert (current(instance, "note"), current(instance, "other")) == ("s2", "s9")
    # Neither checks nor the run's own file are left behind.
    assert stored(folder, f"{PICTURE}s0") == []
    assert not [path for path in folder.rglob("*") if runs[0] in path.name]


def test_young_runs_stay_and_no_more_go_than_are_asked_for(
    home: tuple[dg.DagsterInstance, Path],
) -> None:
    instance, _ = home
    for number in range(3):
        capture(instance, note=f"s{number}")

    assert prune_runs(instance, system_clock.now() - timedelta(days=7), most=100) == (0, 0)
    assert prune_runs(instance, later(), most=1) == (1, 0)
    assert len(instance.get_runs()) == 2


def test_a_run_that_has_not_ended_is_not_pruned(home: tuple[dg.DagsterInstance, Path]) -> None:
    instance, _ = home

    @dg.job
    def idle() -> None: ...

    instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)

    assert prune_runs(instance, later(), most=100) == (0, 0)
    assert len(instance.get_runs()) == 1


def test_deleting_a_run_deletes_its_logs(home: tuple[dg.DagsterInstance, Path]) -> None:
    instance, folder = home
    run_id = capture(instance, note="s1")
    assert [path for path in folder.rglob("*") if run_id in path.name]
    delete_run(instance, run_id)

    assert not [path for path in folder.rglob("*") if run_id in path.name]


def test_erased_events_are_in_no_table_any_more(home: tuple[dg.DagsterInstance, Path]) -> None:
    instance, folder = home
    capture(instance, note="s1")
    assert len(stored(folder, f"{PICTURE}s1")) > 2

    assert erase_events(instance, "s1") == 1
    assert stored(folder, f"{PICTURE}s1") == []
    assert current(instance, "note") is None
    assert erase_events(instance, "s1") == 0


def test_what_the_same_run_says_of_other_sessions_is_told_again(
    home: tuple[dg.DagsterInstance, Path],
) -> None:
    instance, folder = home
    capture(instance, tea="s0")
    capture(instance, note="s1", tea="s2", cup="s3")
    capture(instance, tea="s4")

    assert erase_events(instance, "s1") == 1
    assert [current(instance, name) for name in ("note", "tea", "cup")] == [None, "s4", "s3"]
    assert stored(folder, f"{PICTURE}s1") == []


def test_a_run_that_is_at_work_keeps_its_session_from_being_erased(
    home: tuple[dg.DagsterInstance, Path],
) -> None:
    instance, _ = home

    @dg.op
    def work(context) -> None:  # type: ignore[no-untyped-def]
        context.log_event(dg.AssetObservation(SESSIONS, metadata={SESSION_BEGUN: "s1"}))
        with pytest.raises(DeleteRefused):
            erase_events(context.instance, "s1")

    @dg.job
    def capture_like() -> None:
        work()

    assert capture_like.execute_in_process(instance=instance).success
    assert erase_events(instance, "s1") == 1


def test_a_session_that_was_told_without_a_run_is_erased_alone(
    home: tuple[dg.DagsterInstance, Path],
) -> None:
    instance, folder = home
    run_id = capture(instance, other="s0")
    capture(instance, note="s1", tea="s2", cup="s3")
    erase_events(instance, "s1")  # the others are told again, without a run

    assert erase_events(instance, "s2") == 1
    assert [current(instance, name) for name in ("tea", "cup", "other")] == [None, "s3", "s0"]
    assert stored(folder, f"{PICTURE}s2") == []
    assert instance.get_run_by_id(run_id) is not None


@pytest.mark.browser
def test_the_erase_job_leaves_nothing_and_says_so_in_its_receipt(project: Project) -> None:
    assert project.capture(project.add(NOTE)).success
    (session,) = project.sessions()
    run_id = session.tags["dagster_run_id"]
    job = project.definitions().resolve_job_def("erase_job")
    config = {"session_id": session.session_id, "reason": "request 12"}
    result = job.execute_in_process(
        instance=project.instance,
        run_config={"ops": {"erase_session": {"config": config}}},
        raise_on_error=False,
    )

    assert result.success, failure(result)
    assert project.sessions() == []
    assert project.instance.get_run_by_id(run_id) is None
    receipt = project.storage.read_object(f"_retention/erased/{session.session_id}.json").data
    assert b'"dagster_runs":1' in receipt


def test_the_prune_job_removes_old_plans_too(project: Project) -> None:
    plan = project.store / "_retention" / "plans" / "old.json"
    project.storage.write_object("_retention/plans/old.json", b"{}")
    project.storage.write_object("_retention/plans/new.json", b"{}")
    past = (system_clock.now() - timedelta(days=100)).timestamp()
    os.utime(plan, (past, past))
    job = project.definitions().resolve_job_def("prune_job")
    result = job.execute_in_process(instance=project.instance)

    assert result.success
    assert [path.name for path in plan.parent.iterdir()] == ["new.json"]


def test_records_of_this_week_cannot_be_pruned(project: Project) -> None:
    job = project.definitions().resolve_job_def("prune_job")
    config = {"ops": {"prune_records": {"config": {"keep_runs": "1d"}}}}
    result = job.execute_in_process(
        instance=project.instance, run_config=config, raise_on_error=False
    )

    assert "7 days" in failure(result)
