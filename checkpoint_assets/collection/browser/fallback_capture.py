"""Reading one instant of a page where there is no CDP: other engines, and services without it.

The same script reads the page, so that values, shadow roots and masks are as they always are.
What only CDP can do is missing: animations go on while the picture is taken, closed shadow roots
and frames of other sites are not read (the latter are marked and counted), and the page itself
could have tampered with what the script relies on. Where a mask cannot be relied on there is no
picture, and where the script fails there is no capture.
"""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

from checkpoint_assets.collection.browser.deadline import is_gone, within
from checkpoint_assets.collection.browser.fallback_world import FallbackWorld
from checkpoint_assets.collection.browser.page_capture import (
    PHOTOGRAPH,
    UNROLL,
    Observation,
    make_observation,
    reading_options,
)
from checkpoint_assets.collection.browser.picture import MAX_AREA, Picture
from checkpoint_assets.collection.browser.screenshot import MAX_SIDE
from checkpoint_assets.collection.browser.stitching import Reading, stitch
from checkpoint_assets.config import Capture

_SIZE = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


class FallbackCapture:
    """Captures one page, by Playwright alone. The page's DOM stays as it is."""

    def __init__(
        self,
        page: Page,
        world: FallbackWorld,
        *,
        deadline: float,
        scale: float = 1,
        settings: Capture | None = None,
    ) -> None:
        self._page = page
        self._world = world
        self._deadline = deadline
        self._scale = scale
        self._settings = settings or Capture()

    async def capture(self, *, screenshot: bool = True, full_page: bool = False) -> Observation:
        """The page now. If it changed while it was read it is read once more, and labelled.

        Raises ``CaptureTimeout`` past the deadline, ``BrowserCrashed`` if the page is gone, and
        ``DataCollectionError`` if it keeps the script from reading it.
        """
        return await within(self._deadline, self._capture(screenshot, full_page), "the capture")

    async def _capture(self, screenshot: bool, full_page: bool) -> Observation:
        if screenshot and full_page:
            await self._world.call("unroll", self._deadline * UNROLL * 1000)
        state = await self._world.call("prepare", full_page)
        try:
            retries = 0
            while True:
                reading, picture = await self._read(screenshot, full_page)
                mutations, moved = await self._since(reading)
                if retries or (mutations == 0 and not moved):
                    break
                retries += 1
        finally:
            release = asyncio.ensure_future(self._world.call("release"))
            release.add_done_callback(_ended)
        await asyncio.wait([release])
        if picture.png and reading["masks"] and (moved or state["zoom"] != 1):
            picture = Picture(missing="private parts moved while it was taken")
        consistency = {"mutations": mutations, "retries": retries}
        observation = make_observation(stitch(reading, {}), picture, consistency, full_page)
        observation.facts["capture"] = "fallback"
        return observation

    async def _read(self, screenshot: bool, full_page: bool) -> tuple[Reading, Picture]:
        """DOM and pixels, asked for at once."""
        reading, picture = await asyncio.gather(
            self._world.call("capture", reading_options(self._settings, self._deadline)),
            self._photograph(full_page) if screenshot else _nothing(),
        )
        return reading, picture

    async def _since(self, reading: Reading) -> tuple[int | None, bool]:
        """How much has changed since, and whether private parts have moved."""
        answer = await self._world.call("mutationsSince")
        if answer is None:
            return None, bool(reading["masks"])
        return answer["mutations"], answer["moved"]

    async def _photograph(self, full_page: bool) -> Picture:
        """A picture, or why there is none: the page itself is not lost with it."""
        options: dict[str, Any] = {"caret": "initial", "animations": "allow", "scale": "device"}
        left, top, clipped = 0.0, 0.0, False
        try:
            if full_page:
                left, top = await self._page.evaluate("[-scrollX, -scrollY]")
                width, height = await self._page.evaluate(_SIZE)
                most = int(MAX_SIDE / self._scale)
                wide = min(width, most)
                high = min(height, most, int(MAX_AREA / (max(wide, 1) * self._scale**2)))
                clipped = wide < width or high < height
                clip = {"x": 0, "y": 0, "width": wide, "height": high}
                options |= {"full_page": True, "clip": clip}
            png = await self._page.screenshot(
                type="png", timeout=self._deadline * PHOTOGRAPH * 1000, **options
            )
        except PlaywrightError as err:
            if is_gone(err):
                raise
            return Picture(missing=err.message.splitlines()[0])
        return Picture(png, left, top, self._scale, clipped, full_page)


async def _nothing() -> Picture:
    return Picture()


def _ended(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # a page that is gone shows no caret
