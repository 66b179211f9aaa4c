"""The IO manager: typed, lazy, never pickle.

What a capture wrote is verified and pointed at, never written twice: step files stay where the
collector put them, and ``_views/{asset}/{partition}.json`` names the session. Frames are Parquet,
the rest JSON, under ``_views/`` too.
"""

import io
import json
from typing import Any, get_origin

import dagster as dg
import pandas as pd

from checkpoint_assets.defs.capture import ARTIFACTS, SESSION
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound
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
        match obj:
            case pd.DataFrame():
                buffer = io.BytesIO()
                obj.to_parquet(buffer)
                self._write(context, "parquet", buffer.getvalue())
                context.add_output_metadata({"rows": len(obj), "dagster/row_count": len(obj)})
            case SessionManifest():
                self._point_at(context, obj.session_id)
            case StepArtifacts():
                self._point_at(context, obj.session_id, obj.artifact)
            case dict() | list():
                self._write(context, "json", encode_json(obj))
            case _:
                raise dg.DagsterInvariantViolationError(
                    f"{context.asset_key.to_user_string()} returned a {type(obj).__name__}; return "
                    "a DataFrame, a dict, a list, a SessionManifest or StepArtifacts"
                )

    def load_input(self, context: dg.InputContext) -> Any:
        """What the input's annotation asks for; without one, what the asset naturally is.

        Step artifacts are read as they are asked for; annotated as a dict, all at once.
        """
        wanted = context.dagster_type.typing_type
        asset = context.asset_key.to_user_string()
        if wanted is pd.DataFrame:
            return _frame(self._read(context, "parquet"))
        try:
            value = json.loads(self._read(context, "json"))
        except NotFound:
            if wanted is not Any:
                raise
            return _frame(self._read(context, "parquet"))
        if wanted is SessionManifest or asset == SESSION:
            return self.storage.manager.get_manifest(value["session_id"])
        lazy = isinstance(wanted, type) and issubclass(wanted, StepArtifacts)
        if not lazy and asset not in ARTIFACTS:
            return value
        manifest = self.storage.manager.get_manifest(value["session_id"])
        reader: type[StepArtifacts[Any]] = wanted if lazy else StepArtifacts
        artifact = Artifact(value["artifact"])
        found = reader(self.storage.manager, manifest.session_id, artifact, manifest.steps)
        return dict(found) if (get_origin(wanted) or wanted) is dict else found

    def _point_at(
        self, context: dg.OutputContext, session_id: str, artifact: Artifact | None = None
    ) -> None:
        """Name the session, if it is whole."""
        store = self.storage.manager
        if missing := store.call(incomplete_steps, store.get_manifest(session_id)):
            raise dg.Failure("the session is not whole", metadata={"missing": missing})
        self._write(context, "json", encode_json({"session_id": session_id, "artifact": artifact}))

    def _write(self, context: dg.OutputContext, extension: str, data: bytes) -> None:
        key = _key(context, extension)
        media_type = PARQUET if extension == "parquet" else JSON
        self.storage.manager.write_object(key, data, media_type=media_type, create=False)
        context.add_output_metadata({"key": dg.MetadataValue.text(key)})

    def _read(self, context: dg.InputContext, extension: str) -> bytes:
        key = _key(context, extension)
        try:
            return self.storage.manager.read_object(key).data
        except NotFound as err:
            asset = context.asset_key.to_user_string()
            partition = (
                f" for {context.asset_partition_key}" if context.has_asset_partitions else ""
            )
            raise NotFound(
                f"nothing is stored of {asset}{partition}", key=key, hint="materialize it first"
            ) from err


def _frame(parquet: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(parquet))


def _key(context: dg.InputContext | dg.OutputContext, extension: str) -> str:
    name = "/".join(context.asset_key.path)
    partition = f"/{context.asset_partition_key}" if context.has_asset_partitions else ""
    return f"_views/{name}{partition}.{extension}"
