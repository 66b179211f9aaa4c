"""From the PNG that the browser gave to the WebP that is stored: masked, encoded, decoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, floor
from typing import Any

from PIL import Image, ImageDraw, UnidentifiedImageError

from checkpoint_assets.model.errors import InvalidScreenshot

# The format's own limit (libwebp, WEBP_MAX_DIMENSION).
MAX_SIDE = 16383


@dataclass(frozen=True, slots=True)
class Screenshot:
    """An encoded picture. ``webp`` has been decoded again; sides are in device pixels."""

    webp: bytes
    width: int
    height: int


def encode_screenshot(
    png: bytes,
    masks: Sequence[dict[str, Any]] = (),
    *,
    scale: float = 1.0,
) -> Screenshot:
    """The PNG as lossless WebP, with each mask's box (CSS pixels) filled black.

    ``scale`` is the device pixel ratio. Raises ``InvalidScreenshot`` for a picture that is empty,
    broken or too large.
    """
    image = _decode(png, "PNG")
    if max(image.size) > MAX_SIDE:
        raise InvalidScreenshot(
            f"the picture is {image.width}x{image.height}; a WebP side has at most {MAX_SIDE}"
        )
    if image.mode != "RGB":
        image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    for box in masks:
        left, top = box["x"] * scale, box["y"] * scale
        right, bottom = left + box["width"] * scale, top + box["height"] * scale
        draw.rectangle((floor(left), floor(top), ceil(right), ceil(bottom)), fill="black")
    out = BytesIO()
    # quality 0 and method 0 is the fast lossless mode: the pixels are the same, the file larger.
    image.save(out, "WEBP", lossless=True, quality=0, method=0)
    webp = out.getvalue()
    stored = _decode(webp, "WEBP")
    if stored.size != image.size:
        raise InvalidScreenshot(f"the WebP decodes to {stored.size}, not {image.size}")
    return Screenshot(webp, image.width, image.height)


def _decode(data: bytes, kind: str) -> Image.Image:
    if not data:
        raise InvalidScreenshot(f"the {kind} has no bytes")
    try:
        image = Image.open(BytesIO(data), formats=[kind])
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as err:
        raise InvalidScreenshot(f"the {kind} of {len(data)} bytes does not decode: {err}") from err
    return image
