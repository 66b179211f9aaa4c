"""Captures scenarios as runs of ``capture_job`` in this process, on a persistent instance."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.runtime.terminal import Terminal

# The terminal shows the steps; Dagster's own lines are in the run's log.
_NO_COMPUTE_LOGS = """
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
# What Dagster makes of Ctrl-C and of a termination from its UI.
_INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__
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


@dataclass(frozen=True)
class CatalogueRun:
    """How the catalogue's run ended: the rows that it wrote, or the reason why there are none."""

    rows: int | None = None
    reason: str | None = None


def register_scenarios(instance: dg.DagsterInstance, names: Iterable[str]) -> None:
    """Make each scenario a partition. What is one already stays as it is."""
    known = set(instance.get_dynamic_partitions(scenario_partitions.name or ""))
    new = sorted(set(names) - known)
    if new:
        instance.add_dynamic_partitions(scenario_partitions.name or "", new)


def terminal_instance(home: Path) -> dg.DagsterInstance:
    """The instance of that folder, for runs of this process: what they print goes to the terminal.

    Dagster would copy their output to files with four helper processes a run, which a Ctrl-C in
    the terminal ends with tracebacks of theirs.
    """
    name = "terminal.yaml"
    settings = home / "dagster.yaml"
    text = settings.read_text() if settings.exists() else ""
    (home / name).write_text(text + _NO_COMPUTE_LOGS)
    return dg.DagsterInstance.from_config(str(home), name)


def aborted_runs(ended: Iterable[SystemEvent]) -> list[CaptureRun]:
    """The sessions that were aborted, from the collector's events."""
    return [
        CaptureRun(**{name: event.data[name] for name in CaptureRun.__annotations__})
        for event in ended
        if event.data["state"] == SessionState.ABORTED
    ]


def capture_in_process(
    definitions: dg.Definitions, instance: dg.DagsterInstance, name: str, terminal: Terminal
) -> CaptureRun:
    """One run of ``capture_job`` for the scenario. A failed run is a result, not an exception.

    An interrupt ends the session as aborted and is raised again as ``KeyboardInterrupt``.
    """
    terminal.doing(f"{name}: starting the run")
    result = definitions.resolve_job_def("capture_job").execute_in_process(
        instance=instance, partition_key=name, raise_on_error=False, run_config=_QUIET
    )
    if not result.success:
        reason, metadata = _failure(result)
        return _from_metadata(name, metadata, reason)
    session = next(
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("capture_session")
    )
    return _from_metadata(name, dict(session.metadata))


def materialize_catalogue(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> CatalogueRun:
    """Materialize ``step_catalog``. A failed run is a result, not an exception."""
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey("step_catalog")],
        raise_on_error=False,
        run_config=_QUIET,
    )
    if not result.success:
        return CatalogueRun(reason=_failure(result)[0])
    rows = result.asset_materializations_for_node("step_catalog")[0].metadata["rows"].value
    return CatalogueRun(int(str(rows)))


def _failure(result: dg.ExecuteInProcessResult) -> tuple[str, dict[str, dg.MetadataValue]]:
    """Why the run failed, and the metadata it gave. An interrupt is raised again."""
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        error = event.step_failure_data.error
        if error is not None and error.cls_name == _INTERRUPTED:
            raise KeyboardInterrupt
        said = event.step_failure_data.user_failure_data
        if said is not None and said.description:
            return said.description, dict(said.metadata)
        if error is not None:
            # Dagster's own error says which op; what was raised in it says why.
            return (error.cause or error).message.strip(), {}
    return f"run {result.run_id} ended without a result", {}


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
