"""The retention job: dry, for real, refused, and what starts it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.config import RetentionRule
from checkpoint_assets.defs.capture_runs import register_scenarios
from checkpoint_assets.defs.catalogue import SyncCatalogue
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.clock import ManualClock, system_clock
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

pytestmark = pytest.mark.dagster


@pytest.fixture
def old(project: Project) -> Project:
    """Ten sessions that were closed a week ago, in the catalogue."""
    clock = ManualClock(system_clock.now() - timedelta(days=7))
    with SyncStorageManager(project.store.as_uri(), clock=clock) as storage:
        for number in range(10):
            session = f"s{number}"
            storage.store_step_data(session, "0001-goto", html_content=f"<p>{number}")
            storage.close_session(session, SessionState.COMPLETE, manifest={"scenario": "note"})
            SyncCatalogue(storage).append_session(session)
            clock.advance(timedelta(minutes=1))
    return project


def run(project: Project, *rules: RetentionRule, **config: object) -> dg.ExecuteInProcessResult:
    settings = project.settings.model_copy(update={"retention": rules})
    setup = CaptureSetup(settings, project.setup.open_site)
    changed = Project.__new__(Project)
    changed.__dict__ = {**project.__dict__, "settings": settings, "setup": setup}
    return (
        changed.definitions()
        .resolve_job_def("retention_job")
        .execute_in_process(instance=project.instance, raise_on_error=False, run_config=config)
    )


def plan_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (observed,) = result.get_asset_observation_events()
    metadata = observed.asset_observation_data.asset_observation.metadata
    return {name: value.value for name, value in metadata.items()}


LAST = RetentionRule(name="last", keep_last=9)


def test_a_dry_run_names_what_would_go_and_why(old: Project) -> None:
    result = run(old, LAST)
    assert result.success
    plan = plan_of(result)
    assert (plan["to_delete"], plan["dry_run"]) == (1, True)
    assert plan["first"][0]["session_id"] == "s0"  # type: ignore[index]
    assert len(old.storage.list_sessions()) == 10
    assert list((old.store / "_retention" / "plans").iterdir())


def test_what_the_plan_names_goes_and_can_be_restored(old: Project) -> None:
    result = run(old, LAST, dry_run=False)
    assert result.success
    assert old.storage.list_sessions() == [f"s{number}" for number in range(1, 10)]
    old.storage.restore_session("s0")
    assert len(old.storage.list_sessions()) == 10


def test_a_pinned_session_stays(old: Project) -> None:
    old.storage.pin("s0", "case 7")
    SyncCatalogue(old.storage).append_events(["s0"])
    assert run(old, LAST, dry_run=False).success
    assert "s0" in old.storage.list_sessions()


def test_a_plan_for_too_many_is_refused_unless_somebody_insists(old: Project) -> None:
    few = RetentionRule(name="few", keep_last=5)
    assert "refused" in failure(run(old, few, dry_run=False))
    assert len(old.storage.list_sessions()) == 10
    assert run(old, few, dry_run=False, insist=True).success
    assert len(old.storage.list_sessions()) == 5


def test_without_rules_nothing_goes(old: Project) -> None:
    assert run(old, dry_run=False).success
    assert len(old.storage.list_sessions()) == 10


def test_the_rule_of_a_scenario_file_counts(old: Project, tmp_path: Path) -> None:
    (old.scenarios / "note.yaml").write_text(
        "name: note\nsite: pages\nretention: {keep_last: 9}\nsteps:\n  - goto: /note.html\n"
    )
    assert run(old, dry_run=False).success
    assert len(old.storage.list_sessions()) == 9


def test_a_partition_goes_with_the_last_session_of_a_scenario_without_a_file(
    old: Project,
) -> None:
    register_scenarios(old.instance, ["note", "gone"])
    old.add(NOTE.replace("name: note", "name: kept"))
    everything = RetentionRule(name="all", keep_last=0)

    def partitions() -> set[str]:
        return set(old.instance.get_dynamic_partitions("scenarios"))

    assert run(old, LAST, dry_run=True).success
    assert partitions() == {"note", "gone", "kept"}
    assert run(old, LAST, dry_run=False).success
    assert partitions() == {"note", "kept"}
    assert run(old, everything, dry_run=False, insist=True).success
    assert partitions() == {"kept"}


def test_no_partition_goes_while_a_file_cannot_be_read(old: Project) -> None:
    register_scenarios(old.instance, ["gone"])
    (old.scenarios / "broken.yaml").write_text("name: [")

    assert run(old, dry_run=False).success
    assert old.instance.get_dynamic_partitions("scenarios") == ["gone"]


def test_pressure_starts_the_job_only_above_the_limit(old: Project) -> None:
    from dagster_aws.s3 import S3Resource

    from checkpoint_assets.defs.resources import StorageResource
    from checkpoint_assets.defs.retention import storage_pressure

    storage = StorageResource(url=old.store.as_uri(), s3=S3Resource(region_name="us-west-2"))

    def tick(*rules: RetentionRule) -> object:
        setup = CaptureSetup(old.settings.model_copy(update={"retention": rules}))
        resources = {"storage": storage, "setup": setup}
        with dg.build_sensor_context(old.instance, resources=resources) as context:
            return storage_pressure(context)

    assert isinstance(tick(), dg.SkipReason)
    assert isinstance(tick(RetentionRule(name="disk", most_bytes=10**9)), dg.SkipReason)
    assert isinstance(tick(RetentionRule(name="disk", most_bytes=10)), dg.RunRequest)
