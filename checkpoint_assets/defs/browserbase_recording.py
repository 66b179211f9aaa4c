"""Sessions in Browserbase that others drive: sensor ``browserbase_sessions`` and its job."""

import dagster as dg
from browserbase import BrowserbaseError
from pydantic import Field

from checkpoint_assets.collection.browser.browserbase_client import translated
from checkpoint_assets.collection.session_watch import Asked, find_sessions
from checkpoint_assets.defs.catalogue import append_to_catalogue
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.progress import log_steps
from checkpoint_assets.defs.resources import (
    BrowserbaseResource,
    BrowserResource,
    CaptureSetup,
    StorageResource,
)
from checkpoint_assets.defs.session_metadata import session_metadata
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.enums import SessionState

POOL = "browserbase"
# Each asks the daemon for a run; a tick has a minute.
MOST_SESSIONS = 20
SESSION_TAG = "checkpoint/browserbase_session"
# As long as a session can last, and a little.
_LONGEST = 21_600 + 600


class RecordingConfig(dg.Config):
    """Which session, and what its manifest says beside."""

    browserbase_session_id: str
    tags: dict[str, str] = Field(default={}, description="Put into the session's manifest.")


@dg.op(pool=POOL, description="Records one session that somebody else drives, until it ends.")
def record_browserbase_session(
    context: dg.OpExecutionContext,
    config: RecordingConfig,
    storage: StorageResource,
    browser: BrowserResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> None:
    """Fails if the connection was lost for good while the session went on."""
    with (
        failures_by_kind(),
        browser.collector(storage.manager, setup) as collector,
        log_steps(context, setup.events, setup.settings.event_log),
    ):
        manifest = collector.record_session(
            config.browserbase_session_id,
            tags={**config.tags, "dagster_run_id": context.run.run_id},
        )
    append_to_catalogue(context, storage.manager, manifest.session_id)
    metadata = session_metadata(storage.manager, manifest)
    if manifest.state is not SessionState.COMPLETE and manifest.remote.get("adopted"):
        raise dg.Failure(manifest.reason or "not complete", metadata, allow_retries=False)
    context.add_output_metadata({**metadata, "remote": dg.MetadataValue.json(manifest.remote)})


@dg.job(
    name="browserbase_recording_job",
    executor_def=dg.in_process_executor,
    tags={"dagster/max_runtime": str(_LONGEST)},
    description=(
        "Records a session in Browserbase that somebody else drives; of one that has ended it "
        "keeps a manifest with what Browserbase still has."
    ),
)
def browserbase_recording_job() -> None:
    """One op."""
    record_browserbase_session()


@dg.sensor(
    job_name=browserbase_recording_job.name,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Records every session that CHECKPOINT_BROWSERBASE__ADOPT names, once: those that run are "
        "adopted until they end, of those that have ended a manifest is kept. Off until you turn "
        "it on: it watches what others do."
    ),
)
def browserbase_sessions(
    context: dg.SensorEvaluationContext,
    browserbase: BrowserbaseResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> dg.SensorResult | dg.SkipReason:
    """One request to Browserbase for each tick."""
    wishes = setup.settings.browserbase
    if wishes.adopt is None:
        return dg.SkipReason("CHECKPOINT_BROWSERBASE__ADOPT names no sessions to record")
    if not browserbase.api_key:
        return dg.SkipReason("there is no key for Browserbase: set BROWSERBASE_API_KEY")
    try:
        listed = browserbase.list_sessions(None if wishes.adopt == "*" else wishes.adopt)
    except BrowserbaseError as err:
        return dg.SkipReason(str(translated(err, "listing sessions")))
    asked = Asked.from_cursor(context.cursor, wishes.adopt)
    chosen, asked = find_sessions(listed, asked, limit=MOST_SESSIONS, now=system_clock.now())
    if chosen:
        _limit_pool(context.instance, wishes.sessions)
    return dg.SensorResult(
        run_requests=[_request(each) for each in chosen],
        skip_reason=None if chosen else dg.SkipReason(f"nothing new among {len(listed)} sessions"),
        cursor=asked.to_cursor(),
    )


def _request(session: object) -> dg.RunRequest:
    session_id = str(getattr(session, "id", ""))
    config = RecordingConfig(browserbase_session_id=session_id)
    return dg.RunRequest(
        run_key=f"browserbase:{session_id}",
        run_config=dg.RunConfig(ops={record_browserbase_session.name: config}),
        tags={"checkpoint/origin": "browserbase_sessions", SESSION_TAG: session_id},
    )


def _limit_pool(instance: dg.DagsterInstance, sessions: int) -> None:
    """As many recordings at once as the plan has sessions, unless the pool has a limit already."""
    events = instance.event_log_storage
    if any(limit.name == POOL and not limit.from_default for limit in events.get_pool_limits()):
        return
    events.set_concurrency_slots(POOL, sessions)
