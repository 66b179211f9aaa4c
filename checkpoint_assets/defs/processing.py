"""What is made of the captured steps: their texts, and a table of features."""

from collections import defaultdict

import dagster as dg
import pandas as pd

from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup, StorageResource
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.processing.features import features_frame
from checkpoint_assets.processing.session import process_session, session_texts
from checkpoint_assets.processing.standard import default_processing
from checkpoint_assets.storage.step_artifacts import StepArtifacts

GROUP = "processing"
# The UI loads every problem with the event: a look, not the data.
_MOST_PROBLEMS = 20


@dg.asset(
    group_name=GROUP,
    io_manager_key="checkpoint_io_manager",
    partitions_def=scenario_partitions,
    kinds={"json"},
)
def step_text(
    context: dg.AssetExecutionContext,
    html_snapshots: StepArtifacts[str],
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> dict[str, str]:
    """What a reader sees of each page of the session: ``step_id -> text``."""
    session_id = html_snapshots.session_id
    with failures_by_kind():
        processing = default_processing(setup.settings)
        texts, problems = storage.manager.call(session_texts, processing, session_id)
    context.add_output_metadata(
        {
            "session_id": dg.MetadataValue.text(session_id),
            "characters": sum(map(len, texts.values())),
            "problems": _shown(problems),
        }
    )
    return texts


@dg.asset(
    group_name=GROUP,
    io_manager_key="checkpoint_io_manager",
    partitions_def=scenario_partitions,
    deps=["html_snapshots", "screenshots", "actions"],
    kinds={"pandas", "parquet"},
)
def step_features(
    context: dg.AssetExecutionContext,
    capture_session: SessionManifest,
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> pd.DataFrame:
    """One row per step of the session, a column for each thing that a processor found out."""
    session_id = capture_session.session_id
    seconds: defaultdict[str, float] = defaultdict(float)
    with failures_by_kind():
        processing = default_processing(setup.settings)
        steps = process_session(
            storage.manager.asynchronous, processing, session_id, events=setup.events
        )
        done = [*storage.manager.iterate(steps, 1)]
    for step in done:
        for each in step.steps:
            seconds[each.processor] += each.seconds
    context.add_output_metadata(
        {
            "session_id": dg.MetadataValue.text(session_id),
            "seconds": dg.MetadataValue.json({k: round(v, 3) for k, v in seconds.items()}),
            "problems": _shown({step.step_id: step.problems for step in done if step.problems}),
        }
    )
    return features_frame(step.row for step in done)


def _shown(problems: dict[str, str] | dict[str, list[str]]) -> dg.JsonMetadataValue:
    return dg.MetadataValue.json(dict([*problems.items()][:_MOST_PROBLEMS]))
