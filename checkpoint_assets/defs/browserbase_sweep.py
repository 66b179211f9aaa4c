"""``browserbase_sweep_job``: no session of ours in Browserbase outlives its capture."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from checkpoint_assets.collection.browser.browserbase_sessions import IsClosed
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import BrowserResource, CaptureSetup, StorageResource
from checkpoint_assets.model.errors import InvalidId, NotFound
from checkpoint_assets.storage.blocking import SyncStorageManager


class SweepConfig(dg.Config):
    """What counts as forgotten."""

    older_than_minutes: float | None = Field(
        default=None, ge=0, description="Also those that are older, whoever captures in them."
    )


@dg.op(description="Releases sessions of ours that nobody captures in any more.")
def sweep_browserbase(
    context: dg.OpExecutionContext,
    config: SweepConfig,
    storage: StorageResource,
    browser: BrowserResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> None:
    """Ours are known by their user metadata; those of others are left alone."""
    minutes = config.older_than_minutes
    older_than = None if minutes is None else timedelta(minutes=minutes)
    with failures_by_kind(), browser.collector(storage.manager, setup) as collector:
        released = collector.release_orphans(older_than, is_closed=_has_manifest(storage.manager))
    context.add_output_metadata({"released": dg.MetadataValue.json(released)})


def _has_manifest(storage: SyncStorageManager) -> IsClosed:
    async def has_manifest(session_id: str) -> bool:
        try:
            await storage.asynchronous.get_manifest(session_id)
        except (NotFound, InvalidId):  # anybody can write anything into a session's metadata
            return False
        return True

    return has_manifest


@dg.job(
    name="browserbase_sweep_job",
    executor_def=dg.in_process_executor,
    description=(
        "Releases sessions in Browserbase that a crash of ours has left running: their process is "
        "gone, or their session here is closed. Safe to run at any time."
    ),
)
def browserbase_sweep_job() -> None:
    """One op."""
    sweep_browserbase()


browserbase_sweep = dg.ScheduleDefinition(
    name="browserbase_sweep",
    job=browserbase_sweep_job,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Off until you turn it on: it needs a key for Browserbase.",
)
