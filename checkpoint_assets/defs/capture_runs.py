"""Captures scenarios as runs of ``capture_job`` in this process, on a persistent instance."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.runtime.terminal import Terminal

# The terminal shows the steps; Dagster's own lines are in the run's log.
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class CaptureRun:
    """How one scenario's run ended. ``session_id`` is missing if no session was begun."""

    scenario: str
    state: str
    session_id: str | None = None
    steps: int = 0
    bytes: int = 0
    seconds: float = 0.0
    reason: str | None = None


def register_scenarios(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Make each scenario a partition. What is one already stays as it is."""
    known = set(instance.get_dynamic_partitions(scenario_partitions.name or ""))
    new = sorted(set(names) - known)
    if new:
        instance.add_dynamic_partitions(scenario_partitions.name or "", new)


def capture_in_process(
    definitions: dg.Definitions, instance: dg.DagsterInstance, name: str, terminal: Terminal
) -> CaptureRun:
    """One run of ``capture_job`` for the scenario. A failed run is a result, not an exception."""
    terminal.doing(f"{name}: starting the run")
    result = definitions.resolve_job_def("capture_job").execute_in_process(
        instance=instance, partition_key=name, raise_on_error=False, run_config=_QUIET
    )
    for event in result.all_events:
        if (
            event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION
            and event.asset_key == dg.AssetKey("capture_session")
        ):
            return _from_metadata(name, dict(event.materialization.metadata))
    for event in result.all_events:
        if event.is_step_failure:
            said = event.step_failure_data.user_failure_data
            metadata = dict(said.metadata) if said else {}
            return _from_metadata(name, metadata, (said and said.description) or _cause(event))
    return CaptureRun(name, "failed", reason=f"run {result.run_id} ended without a result")


def materialize_catalogue(definitions: dg.Definitions, instance: dg.DagsterInstance) -> int:
    """Materialize ``step_catalog``; returns its number of rows."""
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey("step_catalog")],
        run_config=_QUIET,
    )
    rows = result.asset_materializations_for_node("step_catalog")[0].metadata["rows"].value
    return int(str(rows))


def _cause(failure: dg.DagsterEvent) -> str:
    error = failure.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "the step failed"


def _from_metadata(
    name: str, metadata: dict[str, dg.MetadataValue], reason: str | None = None
) -> CaptureRun:
    values: dict[str, Any] = {key: value.value for key, value in metadata.items()}
    return CaptureRun(
        scenario=name,
        state=str(values.get("state", "failed")),
        session_id=str(values["session_id"]) if "session_id" in values else None,
        steps=int(values.get("steps", 0)),
        bytes=int(values.get("bytes", 0)),
        seconds=float(values.get("seconds", 0)),
        reason=reason,
    )
