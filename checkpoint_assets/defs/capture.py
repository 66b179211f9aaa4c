"""Capture: one subsettable multi-asset over scenarios. One materialization is one session."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from checkpoint_assets.defs.capture_config import CaptureConfig
from checkpoint_assets.defs.checks import tell_checks
from checkpoint_assets.defs.earlier_attempts import EarlierAttempts, earlier_attempts
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.outcomes import CaptureRun, Outcome, failure
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.pointers import point_at, view_key
from checkpoint_assets.defs.resources import BrowserResource, CaptureSetup, StorageResource
from checkpoint_assets.defs.session_metadata import session_metadata
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.step_artifacts import StepArtifacts

GROUP = "capture"
SESSION = "capture_session"
# Asset -> the artifact that selecting it asks for.
ARTIFACTS = {
    "html_snapshots": Artifact.HTML,
    "screenshots": Artifact.SCREENSHOT,
    "actions": Artifact.ACTION,
}
# What each is for an asset downstream that gets it as it is, from memory.
_READ_AS: dict[Artifact, type[StepArtifacts[Any]]] = {
    Artifact.HTML: StepArtifacts[str],
    Artifact.SCREENSHOT: StepArtifacts[bytes],
    Artifact.ACTION: StepArtifacts[dict[str, Any]],
}
COMPLETE_STEPS = "complete_steps"

_DESCRIPTIONS = {
    SESSION: "One execution of the scenario: its manifest.",
    "html_snapshots": "The page after each step, with form values, shadow roots and frames.",
    "screenshots": "The pixels of each step, lossless WebP, taken at the same instant as the page.",
    "actions": "What each step did: target, selector, value, times, outcome.",
}


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
    # A backfill is one run for each row of neighbours among the scenarios: they share a browser.
    backfill_policy=dg.BackfillPolicy.single_run(),
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
    """Capture the scenarios of the run; the selected assets decide which artifacts."""
    selected = sorted(key.to_user_string() for key in context.selected_asset_keys)
    if not selected:
        # "Execute" beside the check in the UI asks for the check alone, and for no partition.
        raise dg.Failure(
            "a session is judged when it is captured: materialize an asset of it",
            allow_retries=False,
        )
    artifacts = {artifact for name, artifact in ARTIFACTS.items() if name in selected}
    outcomes: list[Outcome] = []
    with failures_by_kind():
        before = earlier_attempts(context.instance, context.run, storage.manager)
        run = CaptureRun(context, config, storage.manager, setup, artifacts, before)
        for outcome in run.outcomes(browser):
            outcomes.append(outcome)
            if len(context.partition_keys) > 1:
                _tell(context, storage.manager, outcome, selected, before)
    if len(context.partition_keys) > 1:
        whole = [each.manifest.session_id for each in outcomes if each.is_whole and each.manifest]
        tell_checks(context, storage.manager, setup, whole)
    error = failure(outcomes, storage.manager)
    if not isinstance(error, dg.RetryRequested):
        yield from _checks(context, outcomes)
    if error is not None:
        raise error from outcomes[0].error
    if len(outcomes) == 1 and (manifest := outcomes[0].manifest):
        metadata = session_metadata(storage.manager, manifest)
        for name in selected:
            yield dg.Output(_value(name, storage, manifest), output_name=name, metadata=metadata)


def _tell(
    context: dg.AssetExecutionContext,
    storage: SyncStorageManager,
    outcome: Outcome,
    selected: Sequence[str],
    before: EarlierAttempts,
) -> None:
    """One of many has ended: its materializations are logged now, with numbers of its own.

    Dagster would log them when the last one has ended, and has one set of metadata for all.
    """
    if not outcome.is_whole or outcome.manifest is None:
        context.log.error("%s: %s", outcome.scenario, outcome.reason)
        return
    session_id = outcome.manifest.session_id
    metadata = session_metadata(storage, outcome.manifest)
    for name in selected:
        if (name, session_id) in before.told:
            continue
        key = view_key(name, outcome.scenario, "json")
        point_at(storage, key, session_id, ARTIFACTS.get(name))
        context.log_event(
            dg.AssetMaterialization(
                name,
                partition=outcome.scenario,
                metadata={**metadata, "key": dg.MetadataValue.text(key)},
            )
        )


def _checks(
    context: dg.AssetExecutionContext, outcomes: Sequence[Outcome]
) -> Iterator[dg.AssetCheckResult]:
    """Of one session what it is, of many those that failed."""
    failed = {each.scenario: each.as_json() for each in outcomes if not each.is_whole}
    if len(outcomes) == 1:
        if outcomes[0].manifest is None:
            return
        state, missing = str(outcomes[0].manifest.state), dict(outcomes[0].missing)
        metadata: dict[str, Any] = {"state": state, "missing": dg.MetadataValue.json(missing)}
    else:
        metadata = {"sessions": len(outcomes), "failed": dg.MetadataValue.json(failed)}
    for check in context.selected_asset_check_keys:
        yield dg.AssetCheckResult(
            check_name=check.name,
            asset_key=check.asset_key,
            passed=not failed,
            metadata=metadata,
        )


def _value(
    name: str, storage: StorageResource, manifest: SessionManifest
) -> SessionManifest | StepArtifacts[Any]:
    if name == SESSION:
        return manifest
    artifact = ARTIFACTS[name]
    return _READ_AS[artifact](storage.manager, manifest.session_id, artifact, manifest.steps)
