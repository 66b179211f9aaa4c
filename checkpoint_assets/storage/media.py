"""Media types: what bytes are, and how a browser may show them."""

from __future__ import annotations

from checkpoint_assets.model.enums import Artifact

HTML = "text/html; charset=utf-8"
JSON = "application/json"
BINARY = "application/octet-stream"

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# Types that no browser runs as a page. All others are stored as a download.
_INERT = frozenset(
    ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", JSON, "text/plain"]
)


def sniff_image(data: bytes) -> str:
    """The media type of a picture by its first bytes; ``application/octet-stream`` if unknown."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            return media_type
    return BINARY


def artifact_media_type(artifact: Artifact, data: bytes) -> str:
    """The media type that an artifact is stored and recorded with."""
    if artifact is Artifact.HTML:
        return HTML
    if artifact is Artifact.SCREENSHOT:
        return sniff_image(data)
    return JSON


def content_disposition(media_type: str) -> str | None:
    """``attachment`` for all that a browser might run, so that a presigned link only downloads."""
    essence = media_type.partition(";")[0].strip().lower()
    return None if essence in _INERT else "attachment"
