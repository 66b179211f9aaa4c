"""Job ``prune_job``: what Dagster and retention note down does not grow for ever."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from checkpoint_assets.collection.durations import parse_duration
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.defs.run_records import prune_runs
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.retention.blocking import SyncRetention

# The records of yesterday's runs are what somebody looks at today.
SHORTEST = timedelta(days=7)


class PruneConfig(dg.Config):
    """How long notes are kept. Sessions are none of them: see the retention job."""

    keep_runs: str = Field(
        default="90d",
        description="Records of runs that ended: events, checks, logs. A week at least.",
    )
    keep_plans: str = Field(
        default="90d", description="Retention plans and their reports. A week at least."
    )
    most_runs: int = Field(default=5000, ge=1, description="Records to remove in one run.")


@dg.op(description="Removes old records of runs and old retention plans.")
def prune_records(
    context: dg.OpExecutionContext, config: PruneConfig, storage: StorageResource
) -> None:
    """The run that made a scenario's newest session stays, however old it is."""
    with failures_by_kind():
        keep_runs = parse_duration(config.keep_runs)
        if keep_runs < SHORTEST:
            raise InvalidInput(f"keep_runs is {config.keep_runs}, and {SHORTEST} at least")
        before = system_clock.now() - keep_runs
        deleted, kept = prune_runs(context.instance, before, config.most_runs)
        plans = SyncRetention(storage.manager).prune_plans(parse_duration(config.keep_plans))
    context.add_output_metadata({"runs": deleted, "kept_runs": kept, "plan_files": plans})


@dg.job(
    name="prune_job",
    executor_def=dg.in_process_executor,
    description=(
        "Removes Dagster's records of runs that ended long ago, with their checks and logs, and "
        "old retention plans. What is stored of sessions it does not touch."
    ),
)
def prune_job() -> None:
    """One op."""
    prune_records()


weekly_prune = dg.ScheduleDefinition(
    name="weekly_prune",
    job=prune_job,
    cron_schedule="45 5 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Removes records of runs and retention plans older than 90 days. On by default: nothing "
        "else bounds them."
    ),
)
