"""Where the pixels of a step differ from those of the step before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from PIL import Image, ImageDraw

from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.pixels import TILE, WEBP, Mask, changed_pixels, encode_webp
from checkpoint_assets.processing.step_processor import StepProcessor

DIFFERENCE_FILE = "difference.webp"
MOST_BOXES = 20
# A look at it, not the data: the largest difference picture.
_LARGEST = (1280, 4096)
_QUALITY = 60
_MARK = (226, 32, 96)

Box = tuple[int, int, int, int]


class VisualDifference(StepProcessor):
    """The share of pixels that changed, boxes around them, and a picture that shows them.

    ``changed_boxes`` is JSON: ``[[left, top, width, height], ...]``, the largest first, 20 at
    most, on a grid of 16 pixels. The picture is the new page in grey with what changed marked,
    ``difference.webp``; there is none if nothing changed.
    """

    name = "visual_difference"
    columns: ClassVar[Mapping[str, str]] = {"pixels_changed": "Float64", "changed_boxes": "string"}

    def can_use(self, step: CapturedStep) -> bool:
        before = step.previous
        return bool(step.screenshot) and before is not None and bool(before.screenshot)

    def derive(self, step: CapturedStep) -> Derived:
        if step.previous is None or step.screenshot == step.previous.screenshot:
            return Derived({"pixels_changed": 0.0, "changed_boxes": "[]"})
        changed = changed_pixels(step.previous.picture, step.picture)
        boxes = changed_boxes(changed)
        columns = {"pixels_changed": float(changed.mean()), "changed_boxes": json.dumps(boxes)}
        if not boxes:
            return Derived(columns)
        picture = encode_webp(marked_picture(step.picture, changed, boxes), _QUALITY)
        return Derived(columns, {DIFFERENCE_FILE: (picture, WEBP)})


def changed_boxes(changed: Mask) -> list[Box]:
    """Boxes around tiles with changed pixels that touch each other, the largest first."""
    height, width = changed.shape
    down, across = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((down * TILE, across * TILE), dtype=np.bool_)
    padded[:height, :width] = changed
    tiles = padded.reshape(down, TILE, across, TILE).any(axis=(1, 3))
    left = {(int(row), int(column)) for row, column in np.argwhere(tiles)}
    boxes: list[Box] = []
    while left:
        group = _touching(left)
        top, begin = min(row for row, _ in group) * TILE, min(at for _, at in group) * TILE
        bottom = min((max(row for row, _ in group) + 1) * TILE, height)
        end = min((max(at for _, at in group) + 1) * TILE, width)
        boxes.append((begin, top, end - begin, bottom - top))
    boxes.sort(key=lambda box: (-box[2] * box[3], box[1], box[0]))
    return boxes[:MOST_BOXES]


def _touching(left: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Takes one tile out of the set, with all that touch it, also at a corner."""
    group = [left.pop()]
    for row, column in group:  # grows on the way
        around = {(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)}
        found = left & around
        left -= found
        group.extend(found)
    return group


def marked_picture(picture: Image.Image, changed: Mask, boxes: list[Box]) -> Image.Image:
    """The picture in grey, with what changed marked, and boxes around it."""
    height, width = changed.shape
    faded = picture.convert("L").point([170 + value // 3 for value in range(256)]).convert("RGB")
    page = Image.new("RGB", (width, height), "white")
    page.paste(faded)
    page.paste(Image.new("RGB", page.size, _MARK), mask=Image.fromarray(changed))
    page.thumbnail(_LARGEST)
    draw = ImageDraw.Draw(page)
    scale = page.width / width
    for left, top, wide, high in boxes:
        corners = (left, top, left + wide - 1, top + high - 1)
        draw.rectangle([round(at * scale) for at in corners], outline=_MARK, width=2)
    return page
