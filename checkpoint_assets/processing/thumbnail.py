"""A small picture of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from PIL import Image

from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.pixels import WEBP, encode_webp
from checkpoint_assets.processing.step_processor import StepProcessor

THUMBNAIL_FILE = "thumbnail.webp"
LONGEST_SIDE = 320
_QUALITY = 75


class Thumbnail(StepProcessor):
    """The screenshot with at most 320 pixels a side, ``thumbnail.webp``, and its original size."""

    name = "thumbnail"
    columns: ClassVar[Mapping[str, str]] = {
        "screenshot_width": "Int64",
        "screenshot_height": "Int64",
    }

    def can_use(self, step: CapturedStep) -> bool:
        return bool(step.screenshot)

    def derive(self, step: CapturedStep) -> Derived:
        width, height = step.picture.size
        small = step.picture.copy()
        small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        columns = {"screenshot_width": width, "screenshot_height": height}
        return Derived(columns, {THUMBNAIL_FILE: (encode_webp(small, _QUALITY), WEBP)})
