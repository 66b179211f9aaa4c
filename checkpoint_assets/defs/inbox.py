"""Sensor ``scenario_inbox``: a new or changed scenario file becomes a session."""

from collections.abc import Iterable

import dagster as dg

from checkpoint_assets.collection.scenario_watch import FolderChange, Seen, find_changes
from checkpoint_assets.defs.jobs import capture_job
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.errors import CheckpointError

# Each asks the daemon for a run; a tick has a minute.
MOST_CAPTURES = 100


@dg.sensor(
    job_name=capture_job.name,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Captures each scenario file that appears or changes, once. A file that cannot be used is "
        "reported once, with its line. Off until you turn it on: it starts browsers."
    ),
)
def scenario_inbox(
    context: dg.SensorEvaluationContext, setup: dg.ResourceParam[CaptureSetup]
) -> dg.SensorResult | dg.SkipReason:
    """Look at the folder, or at the inbox in the bucket."""
    name = scenario_partitions.name or ""
    partitions = set(context.instance.get_dynamic_partitions(name))
    seen = Seen.from_cursor(context.cursor)
    try:
        folder = setup.look()
    except CheckpointError as err:
        return dg.SkipReason(str(err))
    change = find_changes(folder, seen, partitions, limit=MOST_CAPTURES)
    for problem in change.problems:
        context.log.error("cannot be used: %s", problem)
    if change.is_nothing and change.seen == seen:
        return dg.SkipReason(f"nothing new among {len(folder.scenarios)} scenarios")
    return dg.SensorResult(
        run_requests=_requests(change) or None,
        skip_reason=None if change.captures else dg.SkipReason(_words(change)),
        dynamic_partitions_requests=_partitions(change, partitions, setup) or None,
        cursor=change.seen.to_cursor(),
    )


def _requests(change: FolderChange) -> list[dg.RunRequest]:
    return [
        dg.RunRequest(run_key=key, partition_key=name, tags={"checkpoint/origin": "inbox"})
        for name, key in change.captures.items()
    ]


def _partitions(
    change: FolderChange, partitions: Iterable[str], setup: CaptureSetup
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    new = sorted(set(change.captures) - set(partitions))
    if new:
        requests.append(scenario_partitions.build_add_request(new))
    if setup.settings.retire_removed and change.removed:
        requests.append(scenario_partitions.build_delete_request(sorted(change.removed)))
    return requests


def _words(change: FolderChange) -> str:
    parts = [f"cannot be used: {problem}" for problem in change.problems]
    if change.removed:
        parts.append(f"removed: {', '.join(sorted(change.removed))}")
    return "; ".join(parts) or "noted the scenarios that are there"
