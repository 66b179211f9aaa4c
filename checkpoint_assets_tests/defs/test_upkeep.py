"""The jobs that look after the store, and the sensors that start them."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.failed_captures import close_open_session, failed_captures
from checkpoint_assets.defs.progress import SESSION_BEGUN
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.defs.upkeep import spool_backlog
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.retrying import RetryPolicy
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.defs.project import Project, failure

pytestmark = pytest.mark.dagster


def run(project: Project, job: str) -> dg.ExecuteInProcessResult:
    return (
        project.definitions()
        .resolve_job_def(job)
        .execute_in_process(instance=project.instance, raise_on_error=False)
    )


def resource(url: str, **s3: str) -> StorageResource:
    return StorageResource(url=url, s3=S3Resource(region_name="us-west-2", **s3))


def test_a_good_store_is_verified_and_a_bad_one_fails_with_its_findings(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>tea")
    assert run(project, "verify_job").success
    page = project.store / "s1" / "0001-goto.html"
    page.chmod(0o600)
    page.write_bytes(b"")
    result = run(project, "verify_job")
    assert "truncated" in failure(result)
    assert page.exists()


def test_a_repair_is_told_to_the_catalogue(project: Project) -> None:
    for step in ("0001-goto", "0002-click"):
        project.storage.store_step_data("s1", step, html_content=f"<p>{step}")
    catalogue = SyncCatalogue(project.storage)
    catalogue.append_session("s1")
    page = project.store / "s1" / "0001-goto.html"
    page.chmod(0o600)
    page.write_bytes(b"")
    assert len(catalogue.steps()) == 2
    job = project.definitions().resolve_job_def("verify_job")
    job.execute_in_process(
        instance=project.instance,
        run_config={"ops": {"verify_store": {"config": {"repair": True}}}},
        raise_on_error=False,
    )

    assert list(catalogue.steps()["step_id"]) == ["0002-click"]


def test_a_rebuild_makes_the_catalogue_of_what_is_stored(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>tea")
    project.storage.store_step_data("s2", "0001-goto", html_content="<p>cup")
    (project.store / "_catalog").mkdir()
    (project.store / "_catalog" / "HEAD.json").write_bytes(b"{")
    assert run(project, "catalogue_rebuild_job").success
    assert list(SyncCatalogue(project.storage).sessions()["session_id"]) == ["s1", "s2"]

    record = project.store / "s2" / "0001-goto.metadata.json"
    record.chmod(0o600)
    record.write_bytes(b"{")
    assert "1 sessions could not be read" in failure(run(project, "catalogue_rebuild_job"))
    assert list(SyncCatalogue(project.storage).sessions()["session_id"]) == ["s1", "s2"]


def test_a_drain_without_a_spool_does_nothing(project: Project) -> None:
    assert run(project, "spool_drain_job").success


def test_a_backlog_starts_one_drain(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("SM_SPOOL_PATH", str(tmp_path / "spool"))
    with FaultyS3() as server:
        server.create_bucket("checkpoints")
        address = server.endpoint_url
    # The server is gone: what is stored waits.
    monkeypatch.setenv("SM_S3_ENDPOINT_URL", address)
    bucket = resource("s3://checkpoints", endpoint_url=address)

    def tick() -> dg.RunRequest | dg.SkipReason:
        with dg.build_sensor_context(project.instance, resources={"storage": bucket}) as context:
            answer = spool_backlog(context)
        assert isinstance(answer, dg.RunRequest | dg.SkipReason)
        return answer

    assert isinstance(tick(), dg.SkipReason)
    with SyncStorageManager("s3://checkpoints", retry=RetryPolicy(deadline=0.5)) as storage:
        storage.store_step_data("s1", "0001-goto", html_content="<p>tea")
    assert isinstance(tick(), dg.RunRequest)
    project.instance.create_run_for_job(
        project.definitions().resolve_job_def("spool_drain_job"),
        status=dg.DagsterRunStatus.STARTED,
    )
    skipped = tick()
    assert isinstance(skipped, dg.SkipReason)
    assert "a run is at work" in (skipped.skip_message or "")


def test_a_session_whose_run_died_is_closed_as_incomplete(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>tea")

    @dg.op
    def begun(context) -> None:  # type: ignore[no-untyped-def]
        context.log_event(
            dg.AssetObservation(
                "capture_session",
                partition="note",
                metadata={SESSION_BEGUN: dg.MetadataValue.text("s1")},
            )
        )

    @dg.job
    def capture_like() -> None:
        begun()

    result = capture_like.execute_in_process(instance=project.instance)
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_captures",
        dagster_event=result.get_run_success_event(),
        dagster_instance=project.instance,
        dagster_run=result.dagster_run,
        resources={"storage": resource(project.store.as_uri())},
    ).for_run_failure()
    with context:
        failed_captures(context)
    manifest = project.storage.get_manifest("s1")
    assert (manifest.state, manifest.scenario) == (SessionState.INCOMPLETE, "note")
    assert result.run_id in (manifest.reason or "")
    assert list(SyncCatalogue(project.storage).sessions()["state"]) == ["incomplete"]


def test_a_session_that_has_an_end_keeps_it(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>tea")
    project.storage.close_session("s1", SessionState.COMPLETE)
    assert not close_open_session(project.storage, "s1", "note", "its run died")
    assert project.storage.get_manifest("s1").state is SessionState.COMPLETE
