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
from checkpoint_assets.defs.capture import capture
from checkpoint_assets.defs.catalogue import session_catalog, step_catalog
from checkpoint_assets.defs.failed_captures import failed_captures
from checkpoint_assets.defs.inbox import scenario_inbox
from checkpoint_assets.defs.io_manager import CheckpointIOManager
from checkpoint_assets.defs.jobs import capture_job
from checkpoint_assets.defs.processing import step_features, step_text
from checkpoint_assets.defs.report import session_report
from checkpoint_assets.defs.resources import BrowserResource, CaptureSetup, StorageResource
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
    resources: dict[str, Any] = {
        "s3": s3,
        "storage": storage,
        "browser": BrowserResource(),
        "setup": CaptureSetup(settings, open_site),
        "checkpoint_io_manager": io_manager,
        # Also what an asset gets that names no IO manager: nothing here is ever pickled.
        "io_manager": io_manager,
        IN_MEMORY: dg.mem_io_manager,
    }
    return dg.Definitions(
        assets=[capture, step_text, step_features, step_catalog, session_catalog, session_report],
        jobs=[capture_job, retention_job, verify_job, spool_drain_job],
        schedules=[scenario_schedule, nightly_retention, weekly_verify],
        sensors=[scenario_inbox, spool_backlog, storage_pressure, failed_captures],
        resources={**resources, **(overrides or {})},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster dev`` and the daemon load."""
    return build_definitions()
