"""Which sessions Dagster's event log speaks of: a hint where to look, never the truth."""

from collections.abc import Iterator

import dagster as dg

_SESSIONS = dg.AssetKey("capture_session")
# Metadata of every materialization about a session: its id.
SESSION_ID = "session_id"


def session_of(event: dg.AssetMaterialization | dg.AssetObservation) -> str | None:
    """The session that the event is about, if it is about one."""
    found = event.metadata.get(SESSION_ID)
    return None if found is None else str(found.value)


def captured_sessions(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The sessions that the run materialized; for one that captured nothing, the newest of all."""
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    entries = [record.event_log_entry for record in records]
    if not entries:
        newest = instance.get_latest_materialization_event(_SESSIONS)
        entries = [newest] if newest else []
    made = (entry.asset_materialization for entry in entries)
    found = (session_of(event) for event in made if event is not None)
    return list(dict.fromkeys(session_id for session_id in found if session_id))


def sessions_of_scenario(instance: dg.DagsterInstance, scenario: str, limit: int) -> Iterator[str]:
    """The scenario's last sessions, the newest first."""
    asked = dg.AssetRecordsFilter(_SESSIONS, asset_partitions=[scenario])
    for record in instance.fetch_materializations(asked, limit).records:
        event = record.asset_materialization
        if event is not None and (session_id := session_of(event)):
            yield session_id
