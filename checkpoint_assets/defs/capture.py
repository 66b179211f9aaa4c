"""Capture: one subsettable multi-asset over scenarios. One materialization is one session."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from checkpoint_assets.defs.catalogue import append_to_catalogue
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.progress import log_steps
from checkpoint_assets.defs.resources import BrowserResource, CaptureSetup, StorageResource
from checkpoint_assets.defs.session_metadata import session_metadata
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.completeness import incomplete_steps
from checkpoint_assets.storage.step_artifacts import StepArtifacts

GROUP = "capture"
SESSION = "capture_session"
# Asset -> the artifact that selecting it asks for.
ARTIFACTS = {
    "html_snapshots": Artifact.HTML,
    "screenshots": Artifact.SCREENSHOT,
    "actions": Artifact.ACTION,
}
COMPLETE_STEPS = "complete_steps"

_DESCRIPTIONS = {
    SESSION: "One execution of the scenario: its manifest.",
    "html_snapshots": "The page after each step, with form values, shadow roots and frames.",
    "screenshots": "The pixels of each step, lossless WebP, taken at the same instant as the page.",
    "actions": "What each step did: target, selector, value, times, outcome.",
}


class CaptureConfig(dg.Config):
    """Set in the launchpad for one run."""

    tags: dict[str, str] = Field(
        default={}, description="Put into the session's manifest, beside the scenario's own tags."
    )


def _out(name: str) -> dg.AssetOut:
    return dg.AssetOut(
        group_name=GROUP,
        is_required=False,
        io_manager_key="checkpoint_io_manager",
        description=_DESCRIPTIONS[name],
        kinds={"playwright"},
    )


@dg.multi_asset(
    name="capture",
    outs={name: _out(name) for name in _DESCRIPTIONS},
    partitions_def=scenario_partitions,
    can_subset=True,
    pool="browser",
    check_specs=[
        dg.AssetCheckSpec(
            COMPLETE_STEPS,
            asset=name,
            description="Every step of the scenario is stored, with every artifact it should have.",
        )
        for name in _DESCRIPTIONS
    ],
)
def capture(
    context: dg.AssetExecutionContext,
    config: CaptureConfig,
    storage: StorageResource,
    browser: BrowserResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> Iterator[Any]:
    """Capture the partition's scenario; the selected assets decide which artifacts."""
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    if not selected:
        # "Execute" beside the check in the UI asks for the check alone, and for no partition.
        raise dg.Failure(
            "a session is judged when it is captured: materialize an asset of it",
            allow_retries=False,
        )
    wanted = {artifact for name, artifact in ARTIFACTS.items() if name in selected}
    with failures_by_kind():
        scenario = setup.scenario(context.partition_key)
        with (
            browser.collector(storage.manager, setup) as collector,
            log_steps(context, setup.events, setup.settings.event_log),
        ):
            manifest = collector.capture_scenario(
                scenario,
                artifacts=wanted or None,
                tags={**config.tags, "dagster_run_id": context.run.run_id},
            )
    append_to_catalogue(context, storage.manager, manifest.session_id)
    missing = storage.manager.call(incomplete_steps, manifest)
    for check in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(
            check_name=check.name,
            asset_key=check.asset_key,
            passed=not missing and manifest.state is SessionState.COMPLETE,
            metadata={"state": str(manifest.state), "missing": dg.JsonMetadataValue(missing)},
        )
    if manifest.state is SessionState.COMPLETE and missing:
        raise dg.Failure(
            f"session {manifest.session_id} is not whole",
            metadata={"session_id": manifest.session_id, "missing": dg.JsonMetadataValue(missing)},
        )
    metadata = session_metadata(storage.manager, manifest)
    if manifest.state is not SessionState.COMPLETE:
        reason = f"{scenario.path}, {manifest.reason or 'not complete'}"
        raise dg.Failure(reason, metadata=metadata, allow_retries=False)
    for name in sorted(selected):
        yield dg.Output(_value(name, storage, manifest), output_name=name, metadata=metadata)


def _value(
    name: str, storage: StorageResource, manifest: SessionManifest
) -> SessionManifest | StepArtifacts[Any]:
    if name == SESSION:
        return manifest
    return StepArtifacts[Any](storage.manager, manifest.session_id, ARTIFACTS[name], manifest.steps)
