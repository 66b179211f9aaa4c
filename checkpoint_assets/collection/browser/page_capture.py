"""Reading one instant of a page: its DOM and its pixels, without changing either."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

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
# What Chromium says now and then, and not when it is asked again.
_NO_PICTURE = "Unable to capture screenshot"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Observation:
    """What one instant of a page looked like.

    ``png`` is empty if no picture was asked for. ``masks`` are boxes in CSS pixels of the picture,
    ``scale`` says how many of the picture's pixels make one of these. ``facts`` is plain JSON about
    the page and the capture.
    """

    html: str
    png: bytes
    masks: Sequence[dict[str, Any]]
    scale: float
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Picture:
    """A PNG, and whether it had to be cut to be no larger than a WebP can be."""

    png: bytes = b""
    clipped: bool = False


class PageCapture:
    """Captures one page, over CDP. The page's DOM, style sheets and prototypes stay as they are.

    ``scale`` is the page's device pixel ratio.
    """

    def __init__(
        self, cdp: CDPSession, world: IsolatedWorld, *, deadline: float, scale: float = 1
    ) -> None:
        self._scale = scale
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
            page, picture = await asyncio.gather(
                self._world.call("capture", self._options()),
                self._picture(full_page) if screenshot else _nothing(),
            )
            mutations = await self._world.call("mutationsSince")
            if mutations == 0 or retries:
                return self._observation(page, picture, mutations, retries, full_page)
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

    async def _picture(self, full_page: bool) -> _Picture:
        options: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        clipped = False
        if full_page or self._scale != 1:
            # Without a clip a CDP session that did not set the device's scale itself gets CSS pixels.
            metrics = await self._cdp.send("Page.getLayoutMetrics")
            clip, clipped = self._clip(metrics, full_page)
            options |= {"captureBeyondViewport": full_page, "clip": clip}
        return _Picture(await self._screenshot(options), clipped)

    def _clip(self, metrics: dict[str, Any], full_page: bool) -> tuple[dict[str, float], bool]:
        """The part of the page to paint, in CSS pixels, and whether more would be too much."""
        if full_page:
            whole, left, top = metrics["cssContentSize"], 0, 0
            width, height = whole["width"], whole["height"]
        else:
            view = metrics["cssVisualViewport"]
            left, top = view["pageX"], view["pageY"]
            width, height = view["clientWidth"], view["clientHeight"]
        most = int(MAX_SIDE / self._scale)
        clip = {"x": left, "y": top, "width": min(width, most), "height": min(height, most)}
        return {**clip, "scale": self._scale}, max(width, height) > most

    async def _screenshot(self, options: dict[str, Any]) -> bytes:
        for remaining in range(_TRIES, 0, -1):
            try:
                answer = await self._cdp.send("Page.captureScreenshot", options)
                return base64.b64decode(answer["data"])
            except PlaywrightError as err:
                if remaining == 1 or _NO_PICTURE not in err.message:
                    raise
        raise AssertionError("the loop returns or raises")

    def _observation(
        self,
        page: dict[str, Any],
        picture: _Picture,
        mutations: int | None,
        retries: int,
        full_page: bool,
    ) -> Observation:
        masks = page["masks"]
        if full_page:
            left, top = page["scroll"]["x"], page["scroll"]["y"]
            masks = [{**box, "x": box["x"] + left, "y": box["y"] + top} for box in masks]
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
            # No number: the page gave way to another one while it was read.
            "consistency": {"mutations": mutations, "retries": retries},
            "full_page": full_page,
        }
        if page["truncated"]:
            facts["truncated"] = page["truncated"]
        if page["lone_surrogates"]:
            facts["lone_surrogates"] = True
        if picture.clipped:
            facts["clipped"] = True
        return Observation(page["html"], picture.png, masks, self._scale, facts)


async def _nothing() -> _Picture:
    return _Picture()
