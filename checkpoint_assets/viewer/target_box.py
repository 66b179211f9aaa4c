"""Where an action's target is on a picture.

Its box was taken before the action, in CSS pixels of the viewport at that time. The picture was
taken after it: meanwhile the page may have scrolled, or given way to another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkpoint_assets.viewer.captured_values import mapping, number, text

Box = list[float]


def target_boxes(
    action: Mapping[str, Any],
    page: Mapping[str, Any],
    page_before: Mapping[str, Any],
    size: tuple[int, int],
    size_before: tuple[int, int] | None,
) -> dict[str, Box | None]:
    """The box in percent of the pictures (left, top, width, height): ``after`` and ``before``.

    ``None`` where the target is not on that picture.
    """
    sides = mapping(mapping(action.get("target")).get("box"))
    found = [number(sides.get(side)) for side in ("x", "y", "width", "height")]
    if None in found:
        return {}
    x, y, width, height = (side or 0.0 for side in found)
    scrolled = _scroll(page_before)
    stayed = _place(action.get("url_before")) == _place(action.get("url_after"))
    after: Box | None = None
    if stayed:
        left, top = _scroll(page)
        at = (x + scrolled[0] - left, y + scrolled[1] - top, width, height)
        after = _on_picture(at, page, size)
    before = None
    if size_before is not None:
        before = _on_picture((x, y, width, height), page_before, size_before)
    return {"after": after, "before": before}


def _on_picture(
    box: tuple[float, float, float, float], page: Mapping[str, Any], size: tuple[int, int]
) -> Box | None:
    x, y, width, height = box
    if page.get("full_page") is True:
        left, top = _scroll(page)
        x, y = x + left, y + top
    ratio = number(mapping(page.get("viewport")).get("device_pixel_ratio")) or 1
    across, down = 100 * ratio / max(1, size[0]), 100 * ratio / max(1, size[1])
    shown = [x * across, y * down, width * across, height * down]
    # A target that is not on the picture at all is not pointed at.
    if shown[0] >= 100 or shown[1] >= 100 or shown[0] + shown[2] <= 0 or shown[1] + shown[3] <= 0:
        return None
    return [round(value, 3) for value in shown]


def _scroll(page: Mapping[str, Any]) -> tuple[float, float]:
    scroll = mapping(page.get("scroll"))
    return number(scroll.get("x")) or 0.0, number(scroll.get("y")) or 0.0


def _place(url: object) -> str:
    return text(url, 2000).partition("#")[0]
