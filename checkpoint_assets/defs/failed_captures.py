"""Sensor ``failed_captures``: a run that died leaves no session without an end."""

import dagster as dg

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.progress import begun_sessions
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.blocking import SyncStorageManager


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description=(
        "After a run that failed or was killed: closes the sessions it left open as "
        "incomplete, with the reason. On by default: it writes manifests and nothing else."
    ),
)
def failed_captures(context: dg.RunFailureSensorContext, storage: StorageResource) -> None:
    """What a run that failed in order has closed already stays as it is."""
    run = context.dagster_run
    reason = f"its run {run.run_id} ended as {run.status.value}"
    for session_id, scenario in begun_sessions(context.instance, run.run_id).items():
        if close_open_session(storage.manager, session_id, scenario, reason):
            SyncCatalogue(storage.manager).append_session(session_id, run.run_id)
            context.log.warning("session %s is incomplete: %s", session_id, reason)


def close_open_session(
    storage: SyncStorageManager, session_id: str, scenario: str | None, reason: str
) -> bool:
    """Close the session as incomplete, if it has no manifest; whether it had none."""
    try:
        storage.get_manifest(session_id)
    except NotFound:
        storage.close_session(
            session_id,
            SessionState.INCOMPLETE,
            manifest={"scenario": scenario, "reason": reason},
        )
        return True
    return False
