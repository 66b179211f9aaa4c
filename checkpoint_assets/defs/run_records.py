"""Dagster's own records of runs: removed whole, with what ``delete_run`` leaves behind.

That is the evaluations of asset checks, the run's compute logs, and its file where the event log is
SQLite, which never shrinks.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import dagster as dg
from sqlalchemy import text

_ENDED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_PAGE = 200


def delete_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Nothing of the run is left in Dagster's storage, but what later runs say of it."""
    instance.delete_run(run_id)
    events = instance.event_log_storage
    # Dagster has no call for these; the table is part of its schema on every storage.
    with events.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(
            text("DELETE FROM asset_check_executions WHERE run_id = :run_id"), {"run_id": run_id}
        )
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    if (shard := getattr(events, "path_for_shard", None)) is not None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{shard(run_id)}{suffix}").unlink(missing_ok=True)


def ended_runs(instance: dg.DagsterInstance, before: datetime) -> Iterator[str]:
    """The runs that were created before that time and have ended, the oldest first."""
    asked = dg.RunsFilter(statuses=_ENDED, created_before=before)
    cursor: str | None = None
    while records := instance.get_run_records(asked, _PAGE, ascending=True, cursor=cursor):
        cursor = records[-1].dagster_run.run_id
        yield from [record.dagster_run.run_id for record in records]


def materializations(
    instance: dg.DagsterInstance, run_id: str
) -> Iterator[tuple[dg.AssetKey, str | None, dg.AssetMaterialization]]:
    """What the run materialized: asset, partition, event."""
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
    ).records
    for record in records:
        event = record.event_log_entry.asset_materialization
        if event is not None:
            yield event.asset_key, event.partition, event


def newest(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None
) -> dg.EventLogRecord | None:
    """The newest materialization of the asset, or of a partition of it."""
    partitions = None if partition is None else [partition]
    asked = dg.AssetRecordsFilter(asset, asset_partitions=partitions)
    return next(iter(instance.fetch_materializations(asked, 1).records), None)


def is_current(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether something that the run materialized is still the newest of its kind.

    Without the run's record Dagster would take its partition for one that was never materialized.
    """
    for asset, partition, _ in materializations(instance, run_id):
        found = newest(instance, asset, partition)
        if found is not None and found.event_log_entry.run_id == run_id:
            return True
    return False


def prune_runs(instance: dg.DagsterInstance, before: datetime, most: int) -> tuple[int, int]:
    """Delete the records of at most that many older runs; how many went, and how many stay on.

    Those that are current stay, however old they are.
    """
    deleted = kept = 0
    for run_id in list(ended_runs(instance, before)):
        if deleted >= most:
            break
        if is_current(instance, run_id):
            kept += 1
        else:
            delete_run(instance, run_id)
            deleted += 1
    return deleted, kept
