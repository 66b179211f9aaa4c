"""The IO manager on S3, with an executor of many processes, and beside one that keeps in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from checkpoint_assets.defs.capture import capture
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.step_artifacts import StepArtifacts
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

pytestmark = [pytest.mark.browser, pytest.mark.dagster]

BUCKET = "s3://checkpoints/captures"


@pytest.fixture(scope="module")
def on_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that stores in a bucket, with its scenario ``note`` captured."""
    with pytest.MonkeyPatch.context() as patch, FaultyS3(buckets=["checkpoints"]) as server:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("SM_S3_ENDPOINT_URL", server.endpoint_url)
        patch.setenv("SM_SPOOL_PATH", str(tmp_path_factory.mktemp("spool")))
        with dg.DagsterInstance.ephemeral() as instance:
            project = Project(tmp_path_factory.mktemp("project"), instance)
            project.settings = project.settings.model_copy(update={"storage_url": BUCKET})
            project.setup = CaptureSetup(project.settings, project.setup.open_site)
            project.storage = SyncStorageManager(BUCKET)
            with project.storage:
                result = project.capture(project.add(NOTE))
                assert result.success, failure(result)
                yield project


def first(value: Any) -> Any:
    return value["0001-goto"]


def name_of(value: Any) -> Any:
    return value.scenario


@pytest.mark.parametrize(
    ("upstream", "annotation", "read", "expected"),
    [
        ("html_snapshots", StepArtifacts[str], lambda v: "Kettle on." in first(v), True),
        ("screenshots", StepArtifacts[bytes], lambda v: first(v)[:4], b"RIFF"),
        ("actions", dict, lambda v: first(v)["kind"], "goto"),
        ("capture_session", SessionManifest, name_of, "note"),
    ],
)
def test_inputs_are_loaded_from_s3(
    on_s3: Project, upstream: str, annotation: Any, read: Callable[[Any], Any], expected: Any
) -> None:
    found: list[Any] = []

    def consumer(value):  # type: ignore[no-untyped-def]
        found.append(read(value))

    consumer.__annotations__ = {"value": annotation, "return": None}
    asset = dg.asset(ins={"value": dg.AssetIn(upstream)}, partitions_def=scenario_partitions)

    result = on_s3.materialize(asset(consumer), key="note")

    assert result.success, failure(result)
    assert found == [expected]


def test_a_frame_goes_through_s3(on_s3: Project) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def words() -> pd.DataFrame:
        return pd.DataFrame({"word": ["tea", "cup"]})

    found: list[pd.DataFrame] = []

    @dg.asset(partitions_def=scenario_partitions)
    def reader(words: pd.DataFrame) -> None:
        found.append(words)

    result = on_s3.materialize(words, reader, key="note")

    assert result.success, failure(result)
    assert list(found[0]["word"]) == ["tea", "cup"]
    (event,) = result.asset_materializations_for_node("words")
    assert event.metadata["key"].value == "_views/words/note.parquet"
    assert event.metadata["rows"].value == 2


# A capture takes many partitions in a run, what is made of it one; Dagster says that it takes one.
@pytest.mark.filterwarnings("ignore:Asset job .* varying BackfillPolicies:UserWarning")
def test_assets_in_processes_of_their_own_hand_on_through_the_store(
    project: Project, tmp_path: Path
) -> None:
    project.add(NOTE)
    (tmp_path / "home").mkdir()
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), overrides=quiet) as instance:
        instance.add_dynamic_partitions("scenarios", ["note"])
        job = dg.build_reconstructable_job(
            "checkpoint_assets_tests.defs.project",
            "spread_job",
            (str(project.scenarios), project.store.as_uri()),
        )
        tags = {"dagster/partition": "note"}
        with dg.execute_job(job, instance=instance, tags=tags) as result:
            assert result.success

    (manifest,) = project.sessions()
    views = project.store / "_views"
    assert json.loads((views / "step_text" / "note.json").read_text()) == {
        "0001-goto": "Kettle on."
    }
    report = json.loads((views / "session_report" / "note.json").read_text())
    assert report["session_id"] == manifest.session_id


@pytest.mark.filterwarnings("ignore:Asset job .* varying BackfillPolicies:UserWarning")
def test_assets_are_materialized_to_memory_too(project: Project) -> None:
    name = project.add(NOTE)

    @dg.asset(partitions_def=scenario_partitions)
    def lengths(html_snapshots: StepArtifacts[str]) -> dict:  # type: ignore[type-arg]
        return {step: len(html) for step, html in html_snapshots.items()}

    needed = {"storage", "browser", "setup", "s3"}
    own = project.definitions().resources or {}
    result = dg.materialize_to_memory(
        [capture, lengths],
        instance=project.instance,
        partition_key=name,
        resources={key: value for key, value in own.items() if key in needed},
    )

    assert result.success
    assert result.output_for_node("lengths")["0001-goto"] > len("Kettle on.")
    # The capture stores its steps as ever; nothing points at them.
    assert len(project.sessions()) == 1
    assert not (project.store / "_views").exists()
