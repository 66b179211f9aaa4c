"""From the PNG that the browser gave to the WebP that is stored: masked, encoded, decoded again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from io import BytesIO
from math import ceil, floor
from typing import Any

from PIL import Image, ImageDraw, UnidentifiedImageError

from checkpoint_assets.config import Capture
from checkpoint_assets.model.errors import InvalidScreenshot

# The format's own limit (libwebp, WEBP_MAX_DIMENSION).
MAX_SIDE = 16383
# Options of libwebp, measured on pages at 1280x800: CPU ms and KB. On a flat page, one of few
# colours that are in few places, method 1 takes 6 ms for 2 to 8 KB, and method 0 takes 12 ms for 30
# to 110; on others, method 0 takes 11 to 28 ms for 46 to 184 KB, and method 1 with this quality 100
# ms for 43 to 112. Small: 37 to 230 ms for 16 to 99 KB; beyond, quality 100 of method 6 takes 1,900
# ms for 40 KB.
_FLAT = {"lossless": True, "quality": 20, "method": 1}
_FAST = {"lossless": True, "quality": 75, "method": 0}
_SMALL = {"lossless": True, "quality": 75, "method": 1}
# Flat, in a sample of one pixel of 64: at most so many colours, most of it in the first few.
_SAMPLE, _COLOURS, _FIRST, _MOST = 8, 200, 16, 0.95
_SIDES = ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class Screenshot:
    """An encoded picture. ``webp`` has been decoded again; sides are in device pixels."""

    webp: bytes
    width: int
    height: int
    lossless: bool = True


def encode_screenshot(
    png: bytes,
    masks: Sequence[dict[str, Any]] = (),
    *,
    scale: float = 1.0,
    settings: Capture | None = None,
) -> Screenshot:
    """The PNG as WebP, with each mask's box (CSS pixels) filled black.

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
    webp, lossless = _encode(image, settings or Capture())
    stored = _decode(webp, "WEBP")
    if stored.size != image.size:
        raise InvalidScreenshot(f"the WebP decodes to {stored.size}, not {image.size}")
    return Screenshot(webp, image.width, image.height, lossless)


def stored_picture(picture: bytes, settings: Capture | None = None) -> Screenshot:
    """A PNG or a WebP that somebody else took, as WebP. Raises ``InvalidScreenshot``."""
    if not picture.startswith(b"RIFF"):
        return encode_screenshot(picture, settings=settings)
    image = _decode(picture, "WEBP")
    return Screenshot(picture, image.width, image.height)


def _encode(image: Image.Image, settings: Capture) -> tuple[bytes, bool]:
    lossy = {"quality": settings.quality, "method": 2}
    if settings.screenshots == "lossy":
        return _webp(image, lossy), False
    fast = _FLAT if _is_flat(image) else _FAST
    webp = _webp(image, _SMALL if settings.screenshots == "small" else fast)
    if settings.lossy_above is not None:
        smaller = _webp(image, lossy)
        if len(webp) > settings.lossy_above * len(smaller):
            return smaller, False
    return webp, True


def _is_flat(image: Image.Image) -> bool:
    size = (ceil(image.width / _SAMPLE), ceil(image.height / _SAMPLE))
    colours = image.resize(size, Image.Resampling.NEAREST).getcolors(_COLOURS)
    if colours is None:
        return False
    counts = sorted((count for count, _ in colours), reverse=True)
    return sum(counts[:_FIRST]) >= _MOST * sum(counts)


def _webp(image: Image.Image, options: dict[str, Any]) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


class ScreenshotEncoder:
    """Encodes pictures one after the other; one that is as the last one was is not encoded again.

    Safe to use from several threads: the second of two equal pictures waits for the first.
    """

    def __init__(self, settings: Capture | None = None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._last: tuple[tuple[Any, ...], Future[Screenshot]] | None = None

    def encode(
        self, png: bytes, masks: Sequence[dict[str, Any]] = (), *, scale: float = 1.0
    ) -> Screenshot:
        """As :func:`encode_screenshot`. Raises ``InvalidScreenshot``."""
        picture = (png, scale, [tuple(box[side] for side in _SIDES) for box in masks])
        with self._lock:
            if self._last is not None and self._last[0] == picture:
                done, ours = self._last[1], False
            else:
                done, ours = Future[Screenshot](), True
                self._last = (picture, done)
        if ours:
            try:
                settings = self._settings
                done.set_result(encode_screenshot(png, masks, scale=scale, settings=settings))
            except BaseException as err:  # noqa: BLE001 (who waits for the same picture gets it)
                done.set_exception(err)
        return done.result()


def _decode(data: bytes, kind: str) -> Image.Image:
    if not data:
        raise InvalidScreenshot(f"the {kind} has no bytes")
    try:
        image = Image.open(BytesIO(data), formats=[kind])
        image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as err:
        raise InvalidScreenshot(f"the {kind} of {len(data)} bytes does not decode: {err}") from err
    return image
