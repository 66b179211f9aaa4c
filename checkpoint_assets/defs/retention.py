"""Job ``retention_job``: a plan, its batches, a report. Nothing goes that no plan has named."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg
from pydantic import Field

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.collection.durations import parse_duration
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import CaptureSetup, StorageResource
from checkpoint_assets.defs.retired import retire_partitions
from checkpoint_assets.defs.upkeep import is_under_way
from checkpoint_assets.retention.blocking import SyncRetention
from checkpoint_assets.retention.plan import DryRun
from checkpoint_assets.retention.policy import configured_policies

# A row for every session would not fit into an event: the plan's file has them all.
_MOST_ROWS = 20
# What batches are handed on by, within a run.
IN_MEMORY = "in_memory_io"


class RetentionConfig(dg.Config):
    """What may go in this run."""

    dry_run: bool = Field(default=True, description="Only plan; delete nothing.")
    insist: bool = Field(
        default=False, description="Execute a plan that is refused for naming too many sessions."
    )
    floor: str = Field(default="1d", description="Sessions closed less long ago than this stay.")
    most_share: float = Field(
        default=0.2, gt=0, le=1, description="A plan for more of all sessions is refused."
    )
    sweep: bool = Field(
        default=True, description="Then free what was deleted longer ago than its grace period."
    )


@dg.op(
    out=dg.DynamicOut(io_manager_key=IN_MEMORY),
    description="Closes idle sessions, folds the catalogue, and writes the plan with its reasons.",
)
def plan_retention(
    context: dg.OpExecutionContext,
    config: RetentionConfig,
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> Iterator[Any]:
    """An output for each batch; none in a dry run."""
    with failures_by_kind():
        catalogue = SyncCatalogue(storage.manager)
        for session_id in storage.manager.close_idle_sessions():
            catalogue.append_session(session_id, context.run.run_id)
        catalogue.refresh()
        retention = SyncRetention(storage.manager, catalogue=catalogue)
        dry = retention.make_plan(
            configured_policies(setup.settings.retention, setup.look().scenarios),
            floor=parse_duration(config.floor),
            most_share=config.most_share,
        )
        context.log_event(
            dg.AssetObservation("retention", metadata=_plan_metadata(dry, config.dry_run))
        )
        if config.dry_run:
            context.log.info("a dry run: the plan is %s", dry.plan.plan_id)
            return
        retention.check_plan(dry.plan, insist=config.insist)
    for number, _ in enumerate(dry.plan.batches()):
        yield dg.DynamicOutput((dry.plan.plan_id, number), mapping_key=f"batch_{number}")
    if not dry.plan.doomed:
        context.log.info("nothing is to be deleted")


@dg.op(
    ins={"batch": dg.In(input_manager_key=IN_MEMORY)},
    out=dg.Out(io_manager_key=IN_MEMORY),
    description="Deletes one batch of the plan, each session compared with the store right before.",
)
def delete_batch(
    context: dg.OpExecutionContext, batch: Any, storage: StorageResource
) -> dict[str, Any]:
    """What was deleted, kept after all, and failed."""
    plan_id, number = batch
    retention = SyncRetention(storage.manager)
    planned = retention.read_plan(plan_id)
    report = retention.execute_batch(planned, list(planned.batches())[number])
    context.log.info("%d deleted, %d kept", len(report.deleted), len(report.kept))
    return {
        "plan_id": plan_id,
        "deleted": report.deleted,
        "kept": report.kept,
        "failed": {name: str(error) for name, error in report.failed.items()},
        "bytes": report.bytes,
    }


@dg.op(
    ins={"batches": dg.In(input_manager_key=IN_MEMORY)},
    description="Adds the batches up, and sweeps what was deleted longer ago than its grace time.",
)
def report_retention(
    context: dg.OpExecutionContext,
    config: RetentionConfig,
    batches: Any,
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> None:
    """Fails, after all was done, if something could not be deleted: the next run tries again."""
    failed = {name: error for batch in batches for name, error in batch["failed"].items()}
    metadata: dict[str, Any] = {
        "deleted": sum(len(batch["deleted"]) for batch in batches),
        "kept": sum(len(batch["kept"]) for batch in batches),
        "bytes": sum(batch["bytes"] for batch in batches),
        "failed": dg.JsonMetadataValue(dict(list(failed.items())[:_MOST_ROWS])),
    }
    if config.sweep and not config.dry_run:
        with failures_by_kind():
            swept = storage.manager.sweep()
        swept_sessions = {name.partition("/")[0] for name in swept.swept}
        SyncCatalogue(storage.manager).append_events(swept_sessions)
        metadata |= {"swept": len(swept.swept), "waiting": len(swept.waiting)}
        failed |= {name: str(error) for name, error in swept.failed.items()}
    if not config.dry_run:
        with failures_by_kind():
            retired = retire_partitions(context.instance, storage.manager, setup)
        metadata["retired_partitions"] = dg.JsonMetadataValue(retired[:_MOST_ROWS])
    context.add_output_metadata(metadata)
    if failed:
        raise dg.Failure(
            f"{len(failed)} could not be deleted", metadata=metadata, allow_retries=False
        )


@dg.config_mapping
def retention_config(val: RetentionConfig) -> dg.RunConfig:
    """One set of words for the whole job."""
    return dg.RunConfig(ops={"plan_retention": val, "report_retention": val})


@dg.job(
    name="retention_job",
    config=retention_config,
    executor_def=dg.in_process_executor,
    description=(
        "Plans what the policies let go and, unless it is a dry run, deletes that and nothing "
        "else. Deleted sessions can be restored for the grace period."
    ),
)
def retention_job() -> None:
    """Plan, delete in batches, report."""
    report_retention(plan_retention().map(delete_batch).collect())


nightly_retention = dg.ScheduleDefinition(
    name="nightly_retention",
    job=retention_job,
    cron_schedule="15 3 * * *",
    execution_timezone="UTC",
    run_config={"dry_run": False},
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=(
        "Applies the policies each night. Off until you turn it on: look at a dry run first."
    ),
)


@dg.sensor(
    job_name=retention_job.name,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Starts the retention job when the sessions are larger than `most_bytes` of a rule. Off "
        "until you turn it on: it deletes."
    ),
)
def storage_pressure(
    context: dg.SensorEvaluationContext,
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> dg.RunRequest | dg.SkipReason:
    """Asks the catalogue how much there is."""
    limits = [rule.most_bytes for rule in setup.settings.retention if rule.most_bytes is not None]
    if not limits:
        return dg.SkipReason("no retention rule has most_bytes")
    sizes = SyncCatalogue(storage.manager).sessions(columns=["bytes"])
    total = int(sizes["bytes"].sum())
    if total <= min(limits):
        return dg.SkipReason(f"{total / 1e9:.1f} GB of {min(limits) / 1e9:.1f} GB")
    if is_under_way(context.instance, retention_job.name):
        return dg.SkipReason(f"{total / 1e9:.1f} GB; a run is at work")
    return dg.RunRequest(
        run_config={"dry_run": False}, tags={"checkpoint/origin": "storage_pressure"}
    )


def _plan_metadata(dry: DryRun, dry_run: bool) -> dict[str, Any]:
    shown = [asdict(each) for each in dry.plan.doomed[:_MOST_ROWS]]
    return {
        "plan": dg.MetadataValue.text(dry.plan.plan_id),
        "dry_run": dry_run,
        "sessions": dry.plan.sessions,
        "to_delete": len(dry.plan.doomed),
        "bytes": dry.plan.bytes,
        "reasons": dg.JsonMetadataValue(dry.plan.counts),
        "first": dg.JsonMetadataValue(shown),
        **({"refused": dg.MetadataValue.text(dry.plan.refused)} if dry.plan.refused else {}),
    }
