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
from checkpoint_assets.defs.pointers import JSON, point_at, view_key
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.model.records import SessionManifest, encode_json
from checkpoint_assets.storage.completeness import incomplete_steps
from checkpoint_assets.storage.step_artifacts import StepArtifacts

PARQUET = "application/vnd.apache.parquet"


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
        kind: Any = get_origin(wanted) or wanted
        lazy = isinstance(kind, type) and issubclass(kind, StepArtifacts)
        if not lazy and kind not in (Any, pd.DataFrame, SessionManifest, dict, list):
            raise _refusal(context, "DataFrame, StepArtifacts, SessionManifest, dict or list")
        extension, data = self._read(context, frame_first=kind is pd.DataFrame)
        if extension == "parquet":
            if kind not in (Any, pd.DataFrame):
                raise _refusal(context, "DataFrame")
            return pd.read_parquet(io.BytesIO(data))
        value = json.loads(data)
        asset = context.asset_key.to_user_string()
        if not (lazy or kind is SessionManifest or asset == SESSION or asset in ARTIFACTS):
            if kind is pd.DataFrame:
                raise _refusal(context, "dict or list")
            return value
        return self._session_as(kind, value, context)

    def _session_as(self, kind: Any, pointer: Any, context: dg.InputContext) -> Any:
        """What the pointer points at: the manifest, or the artifacts of one kind."""
        if not isinstance(pointer, dict) or pointer.keys() != {"session_id", "artifact"}:  # pyright: ignore[reportUnknownMemberType] (from JSON)
            raise _refusal(context, "dict or list")
        store = self.storage.manager
        manifest = store.get_manifest(pointer["session_id"])
        if kind is SessionManifest:
            return manifest
        if pointer["artifact"] is None:
            if kind not in (Any, dict):
                raise _refusal(context, "SessionManifest or dict")
            return manifest.model_dump(mode="json") if kind is dict else manifest
        if kind in (pd.DataFrame, list):
            raise _refusal(context, "StepArtifacts, SessionManifest or dict")
        reader: type[StepArtifacts[Any]] = StepArtifacts if kind in (Any, dict) else kind
        artifact = Artifact(pointer["artifact"])
        found = reader(store, manifest.session_id, artifact, manifest.steps)
        return dict(found) if kind is dict else found

    def _point_at(
        self, context: dg.OutputContext, session_id: str, artifact: Artifact | None = None
    ) -> None:
        """Name the session, if it is whole."""
        store = self.storage.manager
        if missing := store.call(incomplete_steps, store.get_manifest(session_id)):
            raise dg.Failure("the session is not whole", metadata={"missing": missing})
        key = _key(context, "json")
        point_at(store, key, session_id, artifact)
        context.add_output_metadata({"key": dg.MetadataValue.text(key)})

    def _write(self, context: dg.OutputContext, extension: str, data: bytes) -> None:
        key = _key(context, extension)
        media_type = PARQUET if extension == "parquet" else JSON
        self.storage.manager.write_object(key, data, media_type=media_type, create=False)
        context.add_output_metadata({"key": dg.MetadataValue.text(key)})

    def _read(self, context: dg.InputContext, *, frame_first: bool) -> tuple[str, bytes]:
        """What the asset is, and its extension. Raises ``NotFound``."""
        extensions = ("parquet", "json") if frame_first else ("json", "parquet")
        for extension in extensions:
            try:
                return extension, self.storage.manager.read_object(_key(context, extension)).data
            except NotFound:
                continue
        asset = context.asset_key.to_user_string()
        partition = f" for {context.asset_partition_key}" if context.has_asset_partitions else ""
        raise NotFound(
            f"nothing is stored of {asset}{partition}",
            key=_key(context, extensions[0]),
            hint="materialize it first",
        )


def _refusal(context: dg.InputContext, fitting: str) -> dg.DagsterInvariantViolationError:
    wanted: Any = context.dagster_type.typing_type
    return dg.DagsterInvariantViolationError(
        f"{context.asset_key.to_user_string()} cannot be loaded as "
        f"{getattr(wanted, '__name__', wanted)}; annotate the input {context.name!r} as {fitting}"
    )


def _key(context: dg.InputContext | dg.OutputContext, extension: str) -> str:
    partition = context.asset_partition_key if context.has_asset_partitions else None
    return view_key("/".join(context.asset_key.path), partition, extension)
