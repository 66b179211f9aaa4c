"""What an asset of a session is in the store: a small JSON object that names the session."""

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.blocking import SyncStorageManager

JSON = "application/json"


def view_key(asset: str, partition: str | None, extension: str) -> str:
    """``_views/{asset}/{partition}.{extension}``, or ``_views/{asset}.{extension}``."""
    return f"_views/{asset}{f'/{partition}' if partition else ''}.{extension}"


def point_at(
    storage: SyncStorageManager, key: str, session_id: str, artifact: Artifact | None
) -> None:
    """The object of that key names the session."""
    data = encode_json({"session_id": session_id, "artifact": artifact})
    storage.write_object(key, data, media_type=JSON, create=False)
