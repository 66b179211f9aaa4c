"""Screenshots, decoded to be made small and compared. What does not decode is no picture."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops

# Formats that a screenshot is stored in; nothing else is decoded or shown.
_FORMATS = {"WEBP": "image/webp", "PNG": "image/png", "JPEG": "image/jpeg"}
MEDIA_TYPES = frozenset(_FORMATS.values())
_MOST_PIXELS = 50_000_000
# What a timeline shows, and what a gallery does: each twice as large as it is drawn.
SMALL, LARGE = (256, 192), (560, 350)


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot that could be decoded; sizes are in its own pixels."""

    media_type: str
    width: int
    height: int
    image: Image.Image

    def thumbnail(self, size: tuple[int, int] = SMALL) -> bytes:
        """The upper part of the picture, small, as WebP of our own making."""
        width, height = size
        visible = min(self.height, max(1, self.width * height // width))
        small = self.image.crop((0, 0, self.width, visible))
        small.thumbnail((width, height))
        out = BytesIO()
        small.save(out, "WEBP", quality=60, method=2)
        return out.getvalue()


@dataclass(frozen=True, slots=True)
class PictureDifference:
    """The share of the pixels that changed, and the box around them (left, top, right, bottom)."""

    share: float
    box: tuple[int, int, int, int] | None


def read_picture(data: bytes) -> Picture:
    """The decoded picture. Raises ``ValueError`` with the reason why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=list(_FORMATS))
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(f"it has {image.width} x {image.height} pixels")
            media_type = _FORMATS[image.format or ""]
            return Picture(media_type, image.width, image.height, image.convert("RGB"))
    except ValueError:
        raise
    except Exception as err:  # Pillow raises many kinds for bytes that are no picture
        raise ValueError("it cannot be decoded") from err


def small_picture(data: bytes, size: tuple[int, int] = SMALL) -> bytes:
    """The thumbnail of a screenshot. Raises ``ValueError`` for what is no picture."""
    return read_picture(data).thumbnail(size)


def compare_pictures(before: Picture, after: Picture) -> PictureDifference | None:
    """What changed; ``None`` for pictures of different sizes."""
    if (before.width, before.height) != (after.width, after.height):
        return None
    red, green, blue = ImageChops.difference(before.image, after.image).split()
    changed = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    same = changed.histogram()[0]
    return PictureDifference(1 - same / (after.width * after.height), changed.getbbox())
