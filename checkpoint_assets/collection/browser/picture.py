"""The pixels of a page, over CDP: of what is shown in its window, or of the whole of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.screenshot import MAX_SIDE

# Larger ones cost a browser gigabytes: device pixels.
MAX_AREA = 40_000_000
# What Chromium says now and then, for example while a page is being opened, and no more when it is
# asked again.
_NOT_NOW = ("Unable to capture screenshot", "Not attached to an active page")
_TRIES = 3
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of a part of the page; no bytes if none was asked for, or for the reason ``missing``.

    ``left`` and ``top`` say where the part begins, seen from the page's window, and ``scale`` how
    many pixels make one CSS pixel. ``clipped``: what was left out would make a WebP too large.
    ``beyond_window``: the page has seen itself resized, and may have been scrolled.
    """

    png: bytes = b""
    left: float = 0
    top: float = 0
    scale: float = 1
    clipped: bool = False
    beyond_window: bool = False
    missing: str | None = None

    def boxes(self, boxes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Boxes as the page's scripts see them, in CSS pixels of the picture."""
        return [{**box, "x": box["x"] - self.left, "y": box["y"] - self.top} for box in boxes]


@dataclass(frozen=True, slots=True)
class Shot:
    """What is to be in a picture. Two are equal if the page has not been scrolled or resized."""

    options: dict[str, Any]
    left: float = 0
    top: float = 0
    scale: float = 1
    clipped: bool = False

    async def take(self, cdp: CDPSession) -> Picture:
        """The picture. Asks the browser at once, so that it shows the page as it is now."""
        png = await _screenshot(cdp, self.options)
        return Picture(
            png,
            self.left,
            self.top,
            self.scale,
            self.clipped,
            self.options.get("captureBeyondViewport", False),
        )


async def plan_shot(
    cdp: CDPSession, device_scale: float, zoom: float = 1, *, full_page: bool
) -> Shot:
    """A picture in the pixels of the device. No deadline of its own.

    ``zoom`` is that of the visual viewport: on a phone, a page that is wider than the window is
    shown smaller. The browser is asked how much, unless all is as large as on a plain screen. On a
    full page, what is fixed or sticks is where it is in the window, once.
    """
    options: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
    if not full_page and device_scale == zoom == 1:
        return Shot(options)
    metrics = await cdp.send("Page.getLayoutMetrics")
    window, visible = metrics["cssLayoutViewport"], metrics["cssVisualViewport"]
    scale = device_scale * visible["scale"]
    if full_page:
        part = metrics["cssContentSize"]
    else:
        part = {side: visible[f"client{side.title()}"] for side in ("width", "height")}
        part |= {"x": visible["pageX"], "y": visible["pageY"]}
    left, top, width, height = part["x"], part["y"], part["width"], part["height"]
    most = int(MAX_SIDE / scale)
    wide = min(width, most)
    high = min(height, most, int(MAX_AREA / (max(wide, 1) * scale * scale)))
    # Without a clip, a CDP session that did not set the device's scale gets CSS pixels.
    clip = {"x": left, "y": top, "width": wide, "height": high, "scale": scale}
    beyond = width > window["clientWidth"] or height > window["clientHeight"]
    options |= {"captureBeyondViewport": full_page and beyond, "clip": clip}
    return Shot(
        options,
        left - window["pageX"],
        top - window["pageY"],
        scale,
        clipped=wide < width or high < height,
    )


async def _screenshot(cdp: CDPSession, options: dict[str, Any]) -> bytes:
    for remaining in range(_TRIES, 0, -1):
        try:
            answer = await cdp.send("Page.captureScreenshot", options)
            return base64.b64decode(answer["data"])
        except PlaywrightError as err:
            if remaining == 1 or not any(sign in err.message for sign in _NOT_NOW):
                raise
            await asyncio.sleep(_PAUSE)
    raise AssertionError("the loop returns or raises")
