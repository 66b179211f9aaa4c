"""The IO manager: typed, lazy, never pickle.

What a capture wrote is verified and pointed at, never written twice: step files stay where the
collector put them, and ``_views/{asset}/{partition}.json`` names the session. Frames are Parquet,
the rest JSON, under ``_views/`` too.
"""

import io
import json
from typing import Any, get_args, get_origin

import dagster as dg
import pandas as pd

from checkpoint_assets.defs.capture import ARTIFACTS
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import SessionManifest, encode_json
from checkpoint_assets.storage.completeness import incomplete_steps
from checkpoint_assets.storage.step_artifacts import StepArtifacts

PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"


class CheckpointIOManager(dg.ConfigurableIOManager):
    """Stores and loads by type: frames, session manifests, step artifacts, JSON values."""

    storage: dg.ResourceDependency[StorageResource]

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Store ``obj``, or verify what is stored of it already. Raises for any other type."""
        store = self.storage.manager
        match obj:
            case pd.DataFrame():
                buffer = io.BytesIO()
                obj.to_parquet(buffer, index=False)
                key = _key(context, "parquet")
                store.write_object(key, buffer.getvalue(), media_type=PARQUET, create=False)
                context.add_output_metadata({"rows": len(obj), "dagster/row_count": len(obj)})
            case SessionManifest() | StepArtifacts():
                manifest = store.get_manifest(obj.session_id)
                if missing := store.call(incomplete_steps, manifest):
                    raise dg.Failure("the session is not whole", metadata={"missing": missing})
                key = _key(context, "json")
                pointer = encode_json({"session_id": obj.session_id})
                store.write_object(key, pointer, media_type=JSON, create=False)
            case dict() | list():
                key = _key(context, "json")
                store.write_object(key, encode_json(obj), media_type=JSON, create=False)
            case _:
                raise dg.DagsterInvariantViolationError(
                    f"{context.asset_key.to_user_string()} returned a {type(obj).__name__}; return "
                    "a DataFrame, a dict, a list, a SessionManifest or StepArtifacts"
                )
        context.add_output_metadata({"key": dg.MetadataValue.text(key)})

    def load_input(self, context: dg.InputContext) -> Any:
        """What the input's annotation asks for; without one, what the asset naturally is."""
        store = self.storage.manager
        wanted = context.dagster_type.typing_type
        asset = context.asset_key.path[-1]
        if wanted is pd.DataFrame:
            return pd.read_parquet(io.BytesIO(store.read_object(_key(context, "parquet")).data))
        value = json.loads(store.read_object(_key(context, "json")).data)
        if get_origin(wanted) is StepArtifacts or wanted is StepArtifacts or asset in ARTIFACTS:
            manifest = store.get_manifest(value["session_id"])
            kind = get_args(wanted)[0] if get_args(wanted) else None
            artifact = ARTIFACTS.get(asset, Artifact.METADATA)
            return StepArtifacts[Any](store, manifest.session_id, artifact, manifest.steps, kind)
        if wanted is SessionManifest or asset == "capture_session":
            return store.get_manifest(value["session_id"])
        return value


def _key(context: dg.InputContext | dg.OutputContext, extension: str) -> str:
    name = "/".join(context.asset_key.path)
    partition = f"/{context.asset_partition_key}" if context.has_asset_partitions else ""
    return f"_views/{name}{partition}.{extension}"
