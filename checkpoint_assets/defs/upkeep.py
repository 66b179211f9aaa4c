"""Jobs that look after the store: verify it, drain the spool."""

from dataclasses import asdict

import dagster as dg
from pydantic import Field

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.resources import StorageResource

# A report's first findings are shown; all are counted.
_MOST_SHOWN = 20


class VerifyConfig(dg.Config):
    """How thorough the check is."""

    read_data: str = Field(default="5%", description="Share of the files to read and hash.")
    repair: bool = Field(default=False, description="Move what is wrong below _quarantine/.")
    seed: int = Field(default=0, description="Picks the sample; another number reads other files.")


@dg.op(description="Compares every key with the commit records.")
def verify_store(
    context: dg.OpExecutionContext, config: VerifyConfig, storage: StorageResource
) -> None:
    """Fails if something is wrong; what is foreign or left over is only counted."""
    report = storage.manager.verify(None, config.read_data, repair=config.repair, seed=config.seed)
    counts = {str(kind): number for kind, number in report.counts.items()}
    if report.quarantined:
        damaged = {finding.session_id for finding in report.findings if finding.session_id}
        SyncCatalogue(storage.manager).append_sessions(damaged)
    context.add_output_metadata(
        {
            "sessions": report.sessions,
            "steps": report.steps,
            "objects": report.objects,
            "files_read": report.files_read,
            "bytes_read": report.bytes_read,
            "findings": dg.JsonMetadataValue(counts),
            "quarantined": len(report.quarantined),
        }
    )
    if not report.ok:
        shown = [asdict(finding) for finding in report.findings[:_MOST_SHOWN]]
        raise dg.Failure(
            f"{sum(counts.values())} findings: {counts}",
            metadata={"findings": dg.JsonMetadataValue(shown)},
            allow_retries=False,
        )


@dg.job(
    name="verify_job",
    executor_def=dg.in_process_executor,
    description="Checks the store against its commit records; repairs only when asked.",
)
def verify_job() -> None:
    """One op."""
    verify_store()


@dg.op(pool="spool", description="Takes what waits in the spool to the bucket, in order.")
def drain_spool(context: dg.OpExecutionContext, storage: StorageResource) -> None:
    """Fails if something could not be drained; it waits for the next time."""
    report = SyncCatalogue(storage.manager).drain_spool()
    failed = {name: str(error) for name, error in report.failed.items()}
    context.add_output_metadata(
        {
            "steps": report.steps,
            "bytes": report.bytes,
            "remaining_files": report.remaining.files,
            "set_aside": len(report.dead),
        }
    )
    if failed or report.stopped:
        raise dg.Failure(
            report.stopped or f"{len(failed)} could not be drained",
            metadata={"failed": dg.JsonMetadataValue(dict(list(failed.items())[:_MOST_SHOWN]))},
        )


@dg.job(
    name="spool_drain_job",
    executor_def=dg.in_process_executor,
    description="Drains the spool of this machine. Safe to kill and to run again.",
)
def spool_drain_job() -> None:
    """One op."""
    drain_spool()


_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_under_way(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job waits or runs."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=_UNDER_WAY)) > 0


@dg.sensor(
    job_name=spool_drain_job.name,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Drains the spool as soon as something waits in it, one run at a time. On by default: it "
        "only moves what was stored while the bucket was away."
    ),
)
def spool_backlog(
    context: dg.SensorEvaluationContext, storage: StorageResource
) -> dg.RunRequest | dg.SkipReason:
    """Looks at the local spool only, never at the bucket."""
    backlog = storage.manager.get_storage_info().get("spool") or {}
    waiting = int(backlog.get("files", 0))
    if not waiting:
        return dg.SkipReason("nothing waits in the spool")
    if is_under_way(context.instance, spool_drain_job.name):
        return dg.SkipReason(f"{waiting} files wait; a run is at work")
    return dg.RunRequest(tags={"checkpoint/origin": "spool_backlog"})
