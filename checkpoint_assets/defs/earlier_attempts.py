"""What earlier attempts at a run have done already: the store says so, the runs say where."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from checkpoint_assets.defs.progress import begun_sessions
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager


@dataclass(frozen=True)
class EarlierAttempts:
    """``sessions`` are the complete ones by scenario.

    ``told`` are the (asset, session id) pairs that were materialized: an attempt may have died
    after a session was complete and before that was told.
    """

    sessions: dict[str, SessionManifest]
    told: frozenset[tuple[str, str]]


def earlier_attempts(
    instance: dg.DagsterInstance, run: dg.DagsterRun, storage: SyncStorageManager
) -> EarlierAttempts:
    """Of the attempts of this run itself, and of the runs that it repeats since the last success.

    A run with other configuration is another one; so is what repeats a run that succeeded.
    """
    sessions: dict[str, SessionManifest] = {}
    told: set[tuple[str, str]] = set()
    for attempt in _attempts(instance, run):
        for session_id, scenario in begun_sessions(instance, attempt.run_id).items():
            if scenario is None or scenario in sessions:
                continue
            if manifest := _complete(storage, session_id):
                sessions[scenario] = manifest
        told |= _told(instance, attempt.run_id)
    return EarlierAttempts(sessions, frozenset(told))


def _attempts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[dg.DagsterRun]:
    """The newest first."""
    yield run
    while run.parent_run_id:
        parent = instance.get_run_by_id(run.parent_run_id)
        if parent is None or parent.is_success or parent.run_config != run.run_config:
            return
        yield parent
        run = parent


def _complete(storage: SyncStorageManager, session_id: str) -> SessionManifest | None:
    try:
        manifest = storage.get_manifest(session_id)
    except NotFound:
        return None
    return manifest if manifest.state is SessionState.COMPLETE else None


def _told(instance: dg.DagsterInstance, run_id: str) -> set[tuple[str, str]]:
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    found: set[tuple[str, str]] = set()
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        told = event.step_materialization_data.materialization
        if (session := told.metadata.get("session_id")) is not None:
            found.add((told.asset_key.to_user_string(), str(session.value)))
    return found
