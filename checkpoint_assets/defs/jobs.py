"""The jobs."""

import dagster as dg

from checkpoint_assets.defs.capture import GROUP

capture_job = dg.define_asset_job(
    "capture_job",
    selection=dg.AssetSelection.groups(GROUP),
    description="Capture a scenario: a new session with every artifact.",
)
