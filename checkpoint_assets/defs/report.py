"""The session report, as an asset: one document beside the session it shows."""

from typing import Any

import dagster as dg

from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.viewer.report import write_report


@dg.asset(
    group_name="views",
    io_manager_key="checkpoint_io_manager",
    partitions_def=scenario_partitions,
    kinds={"html"},
)
def session_report(
    context: dg.AssetExecutionContext, storage: StorageResource, capture_session: SessionManifest
) -> dict[str, Any]:
    """One HTML document over the newest session: timeline, pictures, pages, differences."""
    session_id = capture_session.session_id
    location = storage.manager.call(write_report, session_id)
    context.add_output_metadata(
        {
            "session_id": dg.MetadataValue.text(session_id),
            "report": dg.MetadataValue.path(location),
            "steps": dg.MetadataValue.int(len(capture_session.steps)),
        }
    )
    return {"session_id": session_id, "report": location}
