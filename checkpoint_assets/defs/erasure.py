"""Job ``erase_job``: nothing of one session is left, in the store or in Dagster."""

import asyncio
from dataclasses import asdict

import dagster as dg
from pydantic import Field

from checkpoint_assets.defs.erased_events import erase_events
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.retention.blocking import SyncRetention


class EraseConfig(dg.Config):
    """What is erased, and why."""

    session_id: str = Field(description="The session; nobody may write to it any more.")
    reason: str = Field(description="Kept in the receipt: who asked for it, by which right.")


@dg.op(description="Erases the session, with no grace period, and keeps a receipt.")
def erase_session(
    context: dg.OpExecutionContext, config: EraseConfig, storage: StorageResource
) -> None:
    """Safe to run again, also after it failed half way."""

    async def dagster_runs(session_id: SessionId) -> int:
        return await asyncio.to_thread(erase_events, context.instance, session_id)

    with failures_by_kind():
        receipt = SyncRetention(storage.manager).erase(
            config.session_id, config.reason, others={"dagster_runs": dagster_runs}
        )
    context.add_output_metadata({"receipt": dg.MetadataValue.json(asdict(receipt))})


@dg.job(
    name="erase_job",
    executor_def=dg.in_process_executor,
    description=(
        "Privacy erasure of one session: its files with all versions, spool, catalogue rows, "
        "views, and Dagster's records of every run that speaks of it. It cannot be undone."
    ),
)
def erase_job() -> None:
    """One op."""
    erase_session()
