"""What a materialization says about its session. Captured strings appear only as text or JSON."""

import base64
from io import BytesIO
from typing import Any

import dagster as dg
from PIL import Image

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager

_THUMBNAIL = (320, 200)
# The UI loads every row of a table with the event: a look, not the data.
_MOST_ROWS = 20


def session_metadata(storage: SyncStorageManager, manifest: SessionManifest) -> dict[str, Any]:
    """Session id, state, steps, bytes, seconds, a thumbnail of the last picture, and keys."""
    picture = _thumbnail(storage, manifest)
    return {
        "session_id": dg.MetadataValue.text(manifest.session_id),
        "state": dg.MetadataValue.text(str(manifest.state)),
        "steps": dg.MetadataValue.int(len(manifest.steps)),
        "bytes": dg.MetadataValue.int(manifest.bytes),
        "seconds": dg.MetadataValue.float(manifest.seconds or 0.0),
        **({} if picture is None else {"thumbnail": picture}),
        "location": dg.MetadataValue.path(storage.session_url(manifest.session_id)),
        "keys": dg.MetadataValue.json(
            [f"{manifest.session_id}/{step_id}" for step_id in manifest.steps[:_MOST_ROWS]]
        ),
    }


def _thumbnail(
    storage: SyncStorageManager, manifest: SessionManifest
) -> dg.MarkdownMetadataValue | None:
    """The last picture of the session, small, encoded by us: nothing of the page is in the text."""
    for step_id in reversed(manifest.steps):
        webp = storage.read_artifact(manifest.session_id, step_id, Artifact.SCREENSHOT)
        if webp is None:
            continue
        image = Image.open(BytesIO(webp), formats=["WEBP"])
        image.thumbnail(_THUMBNAIL)
        out = BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=70)
        data = base64.b64encode(out.getvalue()).decode()
        return dg.MetadataValue.md(f"![last step](data:image/jpeg;base64,{data})")
    return None
