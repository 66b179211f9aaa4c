"""What Dagster's own storage knows of a session, removed from it for an erasure.

Dagster removes events by whole runs, or of a whole asset, and nothing in between. So the records of
all runs that speak of the session go. What such a run says of other sessions is told once more,
without a run, where nothing newer was said.
"""

from collections.abc import Iterator

import dagster as dg
from sqlalchemy import text

from checkpoint_assets.defs.progress import SESSION_BEGUN
from checkpoint_assets.defs.run_records import delete_run, materializations, newest
from checkpoint_assets.defs.session_events import SESSION_ID
from checkpoint_assets.model.errors import DeleteRefused

_PAGE = 500
# Events that were reported without a run have this one.
_RUNLESS = ""
_JUDGED = "SELECT DISTINCT run_id FROM asset_check_executions WHERE evaluation_event LIKE :about"


def runs_about(instance: dg.DagsterInstance, session_id: str) -> set[str]:
    """The runs with an event about the session. Reads the events of all assets."""
    found = {
        record.event_log_entry.run_id
        for asset in instance.all_asset_keys()
        for record in _events(instance, asset)
        if (event := _asset_event(record)) is not None and _is_about(event, session_id)
    }
    return found | _runs_of_checks(instance, session_id)


def _runs_of_checks(instance: dg.DagsterInstance, session_id: str) -> set[str]:
    """Runs that judged the session and did nothing else.

    That a later session was compared with this one is told by this one's id alone, and may stay.
    """
    # Dagster has no call for these; the table is part of its schema on every storage.
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        rows = connection.execute(text(_JUDGED), {"about": f"%{session_id}%"}).fetchall()
    named = {str(run_id) for (run_id,) in rows if run_id}
    return {run_id for run_id in named if not any(materializations(instance, run_id))}


def _asset_event(
    record: dg.EventLogRecord,
) -> dg.AssetMaterialization | dg.AssetObservation | None:
    return record.event_log_entry.asset_materialization or record.event_log_entry.asset_observation


def _is_about(event: dg.AssetMaterialization | dg.AssetObservation, session_id: str) -> bool:
    named = (event.metadata.get(name) for name in (SESSION_ID, SESSION_BEGUN))
    return any(value is not None and value.value == session_id for value in named)


def _events(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Iterator[dg.EventLogRecord]:
    for fetch in (instance.fetch_materializations, instance.fetch_observations):
        cursor: str | None = None
        more = True
        while more:
            page = fetch(asset, _PAGE, cursor=cursor)
            yield from page.records
            cursor, more = page.cursor, page.has_more


def erase_events(instance: dg.DagsterInstance, session_id: str) -> int:
    """No run, event or check of Dagster's speaks of the session; how many runs' records went.

    Raises ``DeleteRefused`` while one of the runs is at work.
    """
    runs = runs_about(instance, session_id)
    for run in instance.get_runs(dg.RunsFilter(run_ids=sorted(runs))) if runs else ():
        if not run.is_finished:
            raise DeleteRefused(
                f"run {run.run_id} is at work on session {session_id}",
                session_id=session_id,
                hint="wait for it, or cancel it, and erase again",
            )
    told = [
        event
        for asset in instance.all_asset_keys()
        for record in _events(instance, asset)
        if record.event_log_entry.run_id in runs and (event := _asset_event(record)) is not None
    ]
    for run_id in runs - {_RUNLESS}:
        delete_run(instance, run_id)
    if _RUNLESS in runs:
        instance.event_log_storage.delete_events(_RUNLESS)
    # The oldest first, as they came.
    for event in reversed(told):
        if not _is_about(event, session_id):
            _tell_again(instance, event)
    for asset in {event.asset_key for event in told}:
        _refresh(instance, asset)
    return len(runs)


def _tell_again(
    instance: dg.DagsterInstance, event: dg.AssetMaterialization | dg.AssetObservation
) -> None:
    found = newest(instance, event.asset_key, event.partition)
    if isinstance(event, dg.AssetMaterialization) and found is None:
        instance.report_runless_asset_event(event)


def _refresh(instance: dg.DagsterInstance, asset: dg.AssetKey) -> None:
    """Dagster keeps a copy of the asset's last event, which a deletion leaves as it is."""
    found = newest(instance, asset, None)
    event = found and found.asset_materialization
    if event:
        instance.report_runless_asset_event(event)
    else:
        instance.wipe_assets([asset])
