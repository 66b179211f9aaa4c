"""Screenshots as pixels: decoded within limits, compared, made small."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from checkpoint_assets.model.errors import ProcessingError

Mask = NDArray[np.bool_]

# A full-page capture has at most so many.
MOST_PIXELS = 40_000_000
# A pixel is another one if a channel differs by more: lossy encodings alone differ by less.
TOLERANCE = 16
TILE = 16
WEBP = "image/webp"
_FORMATS = ("WEBP", "PNG", "JPEG")
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# Rows that are compared at a time.
_ROWS = 512


def decode_picture(data: bytes) -> Image.Image:
    """The picture in RGB, the first one of an animation. Raises ``ProcessingError``.

    Its size is looked at before its pixels are decoded.
    """
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise ProcessingError(f"the picture is {image.width}x{image.height}")
        image.load()
        return image.convert("RGB")
    except UnidentifiedImageError as err:
        raise ProcessingError(
            f"the {len(data)} bytes of the picture do not decode: no {', '.join(_FORMATS)}"
        ) from err
    except (*_BOMBS, OSError, ValueError, SyntaxError) as err:
        # SyntaxError is what Pillow's reader of PNG files says of broken ones.
        raise ProcessingError(f"the {len(data)} bytes of the picture do not decode: {err}") from err


def changed_pixels(before: Image.Image, after: Image.Image) -> Mask:
    """Which pixels are not what they were; where only one of the two has pixels, all are."""
    width, height = max(before.width, after.width), max(before.height, after.height)
    common = min(before.width, after.width), min(before.height, after.height)
    changed = np.ones((height, width), dtype=np.bool_)
    for top in range(0, common[1], _ROWS):
        box = (0, top, common[0], min(top + _ROWS, common[1]))
        old, new = np.asarray(before.crop(box)), np.asarray(after.crop(box))
        apart = np.maximum(old, new) - np.minimum(old, new)
        changed[top : box[3], : common[0]] = (apart > TOLERANCE).any(axis=2)
    return changed


def changed_share(before: Image.Image, after: Image.Image) -> float:
    """The part of the pixels that changed, from 0 to 1."""
    return float(changed_pixels(before, after).mean())


def encode_webp(image: Image.Image, quality: int) -> bytes:
    """The picture as lossy WebP; the same picture is always the same bytes."""
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
