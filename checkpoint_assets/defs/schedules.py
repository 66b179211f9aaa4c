"""Schedules: scenarios by their own cron, and the checks of the week."""

from zoneinfo import ZoneInfo

import dagster as dg

from checkpoint_assets.collection.cron import is_due
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.defs.jobs import capture_job
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.defs.upkeep import verify_job
from checkpoint_assets.model.clock import isoformat, to_utc
from checkpoint_assets.model.errors import CheckpointError


@dg.schedule(
    job=capture_job,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Each minute: captures the scenarios whose `schedule` names it, in the scenario's own time "
        "zone, else in UTC. On by default: a file without `schedule` is never captured by it."
    ),
)
def scenario_schedule(
    context: dg.ScheduleEvaluationContext, setup: dg.ResourceParam[CaptureSetup]
) -> list[dg.RunRequest] | dg.SkipReason:
    """A run for each scenario that is due."""
    moment = to_utc(context.scheduled_execution_time)
    try:
        folder = setup.look()
    except CheckpointError as err:
        return dg.SkipReason(str(err))
    due = [scenario for scenario in folder.scenarios if _is_due(scenario, context)]
    if not due:
        return dg.SkipReason("no scenario is due")
    names = [scenario.name for scenario in due]
    name = scenario_partitions.name or ""
    known = set(context.instance.get_dynamic_partitions(name))
    if new := sorted(set(names) - known):
        context.instance.add_dynamic_partitions(name, new)
    return [
        dg.RunRequest(
            run_key=f"schedule:{each}:{isoformat(moment)}",
            partition_key=each,
            tags={"checkpoint/origin": "schedule"},
        )
        for each in names
    ]


def _is_due(scenario: Scenario, context: dg.ScheduleEvaluationContext) -> bool:
    if scenario.schedule is None:
        return False
    zone = ZoneInfo(scenario.timezone or "UTC")
    return is_due(scenario.schedule, context.scheduled_execution_time.astimezone(zone))


weekly_verify = dg.ScheduleDefinition(
    name="weekly_verify",
    job=verify_job,
    cron_schedule="30 4 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Compares the store with its commit records and reads a sample; changes nothing. On by "
        "default."
    ),
)
