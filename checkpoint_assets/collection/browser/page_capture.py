"""Reading one instant of a page: its DOM and its pixels, without changing either."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession

from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.screenshot import MAX_SIDE
from checkpoint_assets.collection.redaction import (
    PRIVATE_FIELD_NAMES,
    PRIVATE_FIELD_PURPOSES,
)

PRIVATE_SELECTORS = ("[data-private]",)
MAX_NODES = 200_000
MAX_HTML = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Observation:
    """What one instant of a page looked like.

    ``png`` is empty if no picture was asked for. ``masks`` are boxes in CSS pixels of the picture.
    ``facts`` is plain JSON about the page and the capture.
    """

    html: str
    png: bytes
    masks: Sequence[dict[str, Any]]
    scale: float
    facts: dict[str, Any]


class PageCapture:
    """Captures one page, over CDP. The page's DOM, style sheets and prototypes stay as they are."""

    def __init__(self, cdp: CDPSession, world: IsolatedWorld, *, deadline: float) -> None:
        self._cdp = cdp
        self._world = world
        self._deadline = deadline

    async def capture(self, *, screenshot: bool = True, full_page: bool = False) -> Observation:
        """The page now. If it changed while it was read it is read once more, and labelled.

        Raises ``CaptureTimeout`` past the deadline, ``BrowserCrashed`` if the page is gone.
        """
        return await within(self._deadline, self._steady(screenshot, full_page), "the capture")

    async def _steady(self, screenshot: bool, full_page: bool) -> Observation:
        retries = 0
        while True:
            page, png = await asyncio.gather(
                self._world.call("capture", self._options()),
                self._picture(full_page) if screenshot else _nothing(),
            )
            mutations = await self._world.call("mutationsSince")
            if not mutations or retries:
                return _observation(page, png, mutations, retries, full_page)
            retries += 1

    def _options(self) -> dict[str, Any]:
        return {
            "privateNames": PRIVATE_FIELD_NAMES,
            "privatePurposes": PRIVATE_FIELD_PURPOSES,
            "privateSelectors": list(PRIVATE_SELECTORS),
            "canvas": True,
            "maxNodes": MAX_NODES,
            "maxLength": MAX_HTML,
        }

    async def _picture(self, full_page: bool) -> bytes:
        options: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        if full_page:
            metrics = await self._cdp.send("Page.getLayoutMetrics")
            size = metrics["cssContentSize"]
            options |= {
                "captureBeyondViewport": True,
                "clip": {
                    "x": 0,
                    "y": 0,
                    "width": min(size["width"], MAX_SIDE),
                    "height": min(size["height"], MAX_SIDE),
                    "scale": 1,
                },
            }
        answer = await self._cdp.send("Page.captureScreenshot", options)
        return base64.b64decode(answer["data"])


async def _nothing() -> bytes:
    return b""


def _observation(
    page: dict[str, Any], png: bytes, mutations: int, retries: int, full_page: bool
) -> Observation:
    masks = page["masks"]
    if full_page:
        scroll = page["scroll"]
        masks = [{**box, "x": box["x"] + scroll["x"], "y": box["y"] + scroll["y"]} for box in masks]
    redactions = [{"rule": rule, "count": n} for rule, n in sorted(page["redactions"].items())]
    facts = {
        "url": page["url"],
        "base_url": page["base_url"],
        "title": page["title"],
        "scroll": page["scroll"],
        "viewport": page["viewport"],
        "document": page["document"],
        "counts": page["counts"],
        "redactions": redactions,
        "consistency": {"mutations": mutations, "retries": retries},
        "full_page": full_page,
    }
    if page["truncated"]:
        facts["truncated"] = page["truncated"]
    if page["lone_surrogates"]:
        facts["lone_surrogates"] = True
    scale = float(page["viewport"]["device_pixel_ratio"])
    return Observation(page["html"], png, masks, scale, facts)
