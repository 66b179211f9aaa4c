"""Sensor ``lost_runs``: a run whose process is gone fails soon, and not at its longest time.

Dagster's own launcher sees a process die as long as the code server that started it lives. After a
power cut nobody does: the run would stay "started", and keep its place in the pool of browsers,
until ``max_runtime_seconds`` are over.
"""

import os
from pathlib import Path

import dagster as dg

IN_PROGRESS = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
# Between what a clock and what the kernel's count of ticks say of one moment.
_SECONDS_APART = 5.0


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Fails the runs whose process is gone, after a power cut say, so that they are tried "
        "again. On by default; does nothing where runs are not processes of this machine."
    ),
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Only with Dagster's own launcher and SQLite: then every run is on this machine."""
    instance = context.instance
    own = isinstance(instance.run_launcher, dg.DefaultRunLauncher)
    if not own or "Sqlite" not in type(instance.run_storage).__name__:
        return dg.SkipReason("runs may be on other machines: their launcher looks after them")
    records = instance.get_run_records(dg.RunsFilter(statuses=IN_PROGRESS))
    lost = [record for record in records if is_lost(instance, record)]
    for record in lost:
        instance.report_run_failed(record.dagster_run, "The process of the run is gone.")
    return dg.SkipReason(f"{len(lost)} of {len(records)} runs had lost their process")


def is_lost(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether the process that the run wrote down is gone, or is another one by now."""
    pid = _pid(instance, record.dagster_run.run_id)
    if pid is None or record.start_time is None:
        return False
    begun = process_begin(pid)
    return begun is None or begun > record.start_time + _SECONDS_APART


def process_begin(pid: int) -> float | None:
    """When the process began, in seconds since 1970; ``None`` if there is none. Linux only."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None
    lines = Path("/proc/stat").read_text().splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def _pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """Of the process that executes the run: the first one that its log names."""
    if not Path("/proc/stat").exists():
        return None
    events = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for record in events.records:
        event = record.event_log_entry.dagster_event
        value = event.engine_event_data.metadata.get("pid") if event else None
        if value is not None and str(value.value).isdecimal():
            return int(str(value.value))
    return None
