"""Many scenarios in one run: told one by one, failing by name, and only what is missing again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from checkpoint_assets.config import Browsers
from checkpoint_assets.defs.capture import COMPLETE_STEPS
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.runtime.portal import Portal
from checkpoint_assets_tests.defs.project import NOTE, NOTE_PAGE, Project, failure

pytestmark = [pytest.mark.browser, pytest.mark.dagster]

ASSETS = ("actions", "capture_session", "html_snapshots", "screenshots")


@pytest.fixture
def notes(project: Project) -> list[str]:
    """Three scenarios, each with a page of its own."""
    names = ["note-a", "note-b", "note-c"]
    for name in names:
        write_page(project, name)
        project.add(
            NOTE.replace("name: note", f"name: {name}").replace("note.html", f"{name}.html")
        )
    return names


def write_page(project: Project, name: str) -> None:
    (project.scenarios / "pages" / f"{name}.html").write_text(NOTE_PAGE)


def remove_page(project: Project, name: str) -> None:
    (project.scenarios / "pages" / f"{name}.html").unlink()


def tags(names: list[str]) -> dict[str, str]:
    """What the backfill of these scenarios, which are neighbours, puts on its run."""
    return {
        "dagster/asset_partition_range_start": names[0],
        "dagster/asset_partition_range_end": names[-1],
    }


def run_of(project: Project, names: list[str]) -> dg.ExecuteInProcessResult:
    job = project.definitions().resolve_job_def("capture_job")
    return job.execute_in_process(instance=project.instance, tags=tags(names), raise_on_error=False)


def told(project: Project, run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Asset, scenario and metadata of each materialization of the run, in their order."""
    records = project.instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    events = [record.event_log_entry.dagster_event for record in records]
    found = [event.step_materialization_data.materialization for event in events if event]
    return [
        (each.asset_key.to_user_string(), each.partition or "", dict(each.metadata))
        for each in found
    ]


def scenarios(project: Project) -> list[str | None]:
    return sorted(str(each.scenario) for each in project.sessions())


def test_each_session_is_materialized_for_its_own_partition(
    project: Project, notes: list[str]
) -> None:
    result = run_of(project, notes)

    assert result.success, failure(result)
    sessions = {each.scenario: each for each in project.sessions()}
    events = told(project, result.run_id)
    assert Counter((asset, name) for asset, name, _ in events) == {
        (asset, name): 1 for asset in ASSETS for name in notes
    }
    for asset, name, metadata in events:
        manifest = sessions[name]
        assert metadata["session_id"].value == manifest.session_id
        assert metadata["steps"].value == 1
        assert metadata["bytes"].value == manifest.bytes
        assert metadata["seconds"].value == manifest.seconds
        assert metadata["key"].value == f"_views/{asset}/{name}.json"


def test_what_many_captured_is_loaded_by_the_assets_downstream(
    project: Project, notes: list[str]
) -> None:
    assert run_of(project, notes).success

    result = project.materialize(names=["step_text"], key="note-b")

    assert result.success, failure(result)
    assert result.output_for_node("step_text") == {"0001-goto": "Kettle on."}


def test_a_session_is_told_before_the_last_one_has_begun(
    project: Project, notes: list[str]
) -> None:
    project.settings = project.settings.model_copy(update={"browsers": Browsers(sessions=1)})
    project.setup = CaptureSetup(project.settings, project.setup.open_site)

    result = run_of(project, notes)

    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    records = project.instance.get_records_for_run(result.run_id, of_type=kinds).records
    order = [
        (event.event_type, event.partition)
        for record in records
        if (event := record.event_log_entry.dagster_event)
    ]
    first = order.index((dg.DagsterEventType.ASSET_MATERIALIZATION, "note-a"))
    assert first < order.index((dg.DagsterEventType.ASSET_OBSERVATION, "note-c"))


class AtOnce:
    """How many sessions were open at the same time."""

    def __init__(self, project: Project) -> None:
        self.now = self.most = 0
        with Portal() as portal:
            for kind in (EventType.COLLECTION_START, EventType.COLLECTION_COMPLETE):
                portal.call(project.setup.events.subscribe, kind, self.hear)

    async def hear(self, event: SystemEvent) -> None:
        self.now += 1 if event.event_type is EventType.COLLECTION_START else -1
        self.most = max(self.most, self.now)


def test_as_many_run_at_once_as_the_browsers_have_places(
    project: Project, notes: list[str]
) -> None:
    project.settings = project.settings.model_copy(update={"browsers": Browsers(sessions=2)})
    project.setup = CaptureSetup(project.settings, project.setup.open_site)
    at_once = AtOnce(project)

    assert run_of(project, notes).success

    assert at_once.most == 2


def test_a_run_that_fails_names_each_scenario_that_failed_and_keeps_the_others(
    project: Project, notes: list[str]
) -> None:
    remove_page(project, "note-a")
    (project.scenarios / "note-c.yaml").write_text(NOTE.replace("goto:", "goot:"))

    result = run_of(project, notes)

    said = failure(result)
    assert "2 of 3 scenarios failed:" in said
    assert f"note-a: {project.scenarios}/note-a.yaml, line 4, step 1 (goto): " in said
    assert "note-c.yaml:4: unknown step 'goot'" in said
    assert [name for _, name, _ in told(project, result.run_id)] == ["note-b"] * 4
    assert [each.state for each in project.sessions() if each.scenario == "note-b"] == [
        SessionState.COMPLETE
    ]


def test_the_checks_of_many_name_those_that_failed(project: Project, notes: list[str]) -> None:
    remove_page(project, "note-b")

    evaluations = run_of(project, notes).get_asset_check_evaluations()

    checks = [each for each in evaluations if each.check_name == COMPLETE_STEPS]
    assert {check.asset_key.to_user_string() for check in checks} == set(ASSETS)
    assert not any(check.passed for check in checks)
    failed = checks[0].metadata["failed"].value
    assert isinstance(failed, dict)
    assert {name: each["state"] for name, each in failed.items()} == {"note-b": "incomplete"}


@pytest.fixture
def on_disk(project: Project, tmp_path: Path) -> Iterator[Project]:
    """The project with an instance that is kept in files: runs of it can be repeated."""
    (tmp_path / "home").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), overrides=quiet) as instance:
        instance.add_dynamic_partitions("scenarios", ["note-a", "note-b", "note-c"])
        project.instance = instance
        yield project


def attempt(
    project: Project, names: list[str], of: dg.JobExecutionResult | None = None
) -> dg.JobExecutionResult:
    """A run, or one more attempt at it."""
    job = dg.build_reconstructable_job(
        "checkpoint_assets_tests.defs.project",
        "capture_job",
        (str(project.scenarios), project.store.as_uri()),
    )
    again = dg.ReexecutionOptions(of.run_id) if of else None
    with dg.execute_job(
        job, instance=project.instance, tags=tags(names), reexecution_options=again
    ) as result:
        return result


def test_a_retry_captures_only_what_is_missing_as_new_sessions(
    on_disk: Project, notes: list[str]
) -> None:
    remove_page(on_disk, "note-b")
    first = attempt(on_disk, notes)
    assert not first.success
    failed = {each.session_id for each in on_disk.sessions() if each.scenario == "note-b"}
    write_page(on_disk, "note-b")

    second = attempt(on_disk, notes, of=first)

    assert second.success
    assert scenarios(on_disk) == ["note-a", "note-b", "note-b", "note-c"]
    events = told(on_disk, second.run_id)
    assert [name for _, name, _ in events] == ["note-b"] * 4
    assert events[0][2]["session_id"].value not in failed


def test_what_repeats_a_run_that_succeeded_captures_anew(
    on_disk: Project, notes: list[str]
) -> None:
    first = attempt(on_disk, notes[:2])

    assert attempt(on_disk, notes[:2], of=first).success

    assert scenarios(on_disk) == ["note-a", "note-a", "note-b", "note-b"]


def test_a_session_that_was_complete_before_its_run_failed_is_told_by_the_retry(
    on_disk: Project, notes: list[str]
) -> None:
    catalogue = on_disk.store / "_catalog"
    catalogue.parent.mkdir(exist_ok=True)
    catalogue.write_text("a file where the folder should be")
    first = attempt(on_disk, notes[:2])
    assert not first.success
    assert told(on_disk, first.run_id) == []
    catalogue.unlink()

    second = attempt(on_disk, notes[:2], of=first)

    assert second.success
    assert scenarios(on_disk) == ["note-a", "note-b"]
    assert len(told(on_disk, second.run_id)) == 8


def test_a_scenario_that_was_changed_is_captured_again_by_the_retry(
    on_disk: Project, notes: list[str]
) -> None:
    remove_page(on_disk, "note-b")
    first = attempt(on_disk, notes[:2])
    write_page(on_disk, "note-b")
    with (on_disk.scenarios / "note-a.yaml").open("a") as file:
        file.write("  - hover: p\n")

    assert attempt(on_disk, notes[:2], of=first).success

    steps = [each.steps for each in on_disk.sessions() if each.scenario == "note-a"]
    assert steps == [["0001-goto"], ["0001-goto", "0002-hover"]]
