"""The code location: everything Dagster sees, assembled explicitly.

Works from a checkout, a wheel and a container alike. ``build_definitions`` is the seam for tests
and for other programs: settings and any resource can be given.
"""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from checkpoint_assets.config import Settings
from checkpoint_assets.defs.browserbase_recording import (
    browserbase_recording_job,
    browserbase_sessions,
)
from checkpoint_assets.defs.browserbase_sweep import browserbase_sweep, browserbase_sweep_job
from checkpoint_assets.defs.capture import capture
from checkpoint_assets.defs.catalogue import (
    catalogue_rebuild_job,
    session_catalog,
    step_catalog,
)
from checkpoint_assets.defs.checks import session_checks
from checkpoint_assets.defs.erasure import erase_job
from checkpoint_assets.defs.failed_captures import failed_captures
from checkpoint_assets.defs.inbox import scenario_inbox
from checkpoint_assets.defs.io_manager import CheckpointIOManager
from checkpoint_assets.defs.jobs import capture_job
from checkpoint_assets.defs.lost_runs import lost_runs
from checkpoint_assets.defs.processing import step_features, step_text
from checkpoint_assets.defs.pruning import prune_job, weekly_prune
from checkpoint_assets.defs.report import session_report
from checkpoint_assets.defs.resources import (
    BrowserbaseResource,
    BrowserResource,
    CaptureSetup,
    StagehandResource,
    StorageResource,
)
from checkpoint_assets.defs.retention import (
    IN_MEMORY,
    nightly_retention,
    retention_job,
    storage_pressure,
)
from checkpoint_assets.defs.schedules import scenario_schedule, weekly_verify
from checkpoint_assets.defs.upkeep import spool_backlog, spool_drain_job, verify_job
from checkpoint_assets.storage.location import DEFAULT_S3_REGION
from checkpoint_assets.testing.sites import open_site


def build_definitions(
    settings: Settings | None = None, *, overrides: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Fresh definitions from the settings; ``overrides`` replaces resources by name."""
    settings = settings or Settings()
    s3 = S3Resource(
        region_name=os.environ.get("SM_S3_REGION") or DEFAULT_S3_REGION,
        endpoint_url=os.environ.get("SM_S3_ENDPOINT_URL") or None,
        # Once: the store's own retry wrapper counts and logs each attempt.
        max_attempts=1,
    )
    storage = StorageResource(url=settings.storage_url, backends=list(settings.backends), s3=s3)
    io_manager = CheckpointIOManager(storage=storage)
    given = dict(overrides or {})
    # What others are made of is replaced in them, too.
    browserbase = given.get("browserbase") or BrowserbaseResource(
        api_key=_secret("BROWSERBASE_API_KEY"), base_url=os.environ.get("BROWSERBASE_BASE_URL")
    )
    stagehand = given.get("stagehand") or StagehandResource(
        model=settings.stagehand_model, model_api_key=_secret("CHECKPOINT_STAGEHAND_API_KEY")
    )
    resources: dict[str, Any] = {
        "s3": s3,
        "storage": storage,
        "browserbase": browserbase,
        "stagehand": stagehand,
        "browser": BrowserResource(browserbase=browserbase, stagehand=stagehand),
        "setup": CaptureSetup(settings, open_site),
        "checkpoint_io_manager": io_manager,
        # Also what an asset gets that names no IO manager: nothing here is ever pickled.
        "io_manager": io_manager,
        IN_MEMORY: dg.mem_io_manager,
    }
    return dg.Definitions(
        assets=[capture, step_text, step_features, step_catalog, session_catalog, session_report],
        asset_checks=[session_checks],
        jobs=[
            capture_job,
            retention_job,
            verify_job,
            spool_drain_job,
            catalogue_rebuild_job,
            prune_job,
            erase_job,
            browserbase_recording_job,
            browserbase_sweep_job,
        ],
        schedules=[
            scenario_schedule,
            nightly_retention,
            weekly_verify,
            weekly_prune,
            browserbase_sweep,
        ],
        sensors=[
            scenario_inbox,
            spool_backlog,
            storage_pressure,
            failed_captures,
            lost_runs,
            browserbase_sessions,
        ],
        resources={**resources, **given},
        executor=dg.in_process_executor,
    )


def _secret(name: str) -> Any:
    """The variable, read when a run begins; none where there is none: a run must not need it."""
    return dg.EnvVar(name) if os.environ.get(name) else None


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster dev`` and the daemon load."""
    return build_definitions()
