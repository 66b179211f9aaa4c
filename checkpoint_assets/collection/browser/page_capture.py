"""Reading one instant of a page: its DOM and its pixels, without changing either."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.deadline import is_gone, within
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.page_worlds import MAIN, PageWorlds
from checkpoint_assets.collection.browser.picture import Picture, Shot, plan_shot
from checkpoint_assets.collection.browser.stitching import Reading, stitch
from checkpoint_assets.collection.redaction import (
    PRIVATE_FIELD_NAMES,
    PRIVATE_FIELD_PURPOSES,
)
from checkpoint_assets.config import Capture

PRIVATE_SELECTORS = ("[data-private]",)
MAX_FRAME_DEPTH = 20
# Rounds of getting to know frames in frames and shadow roots, before the page is taken as it is.
MAX_ROUNDS = 8
# Parts of the deadline: for showing lazy pictures, for reading the DOM, for taking the picture.
UNROLL, READ, PHOTOGRAPH = 0.3, 0.4, 0.6


@dataclass(frozen=True, slots=True)
class Observation:
    """What one instant of a page looked like.

    ``png`` is empty if no picture was asked for, or if there is none: ``facts["no_screenshot"]``
    says why. ``masks`` are boxes in CSS pixels of the picture, ``scale`` says how many of the
    picture's pixels make one of these. ``facts`` is plain JSON about the page and the capture.
    """

    html: str
    png: bytes
    masks: Sequence[dict[str, Any]]
    scale: float
    facts: dict[str, Any]


class PageCapture:
    """Captures one page, over CDP. The page's DOM, style sheets and prototypes stay as they are.

    ``scale`` is the page's device pixel ratio. Without ``page``, frames of other processes cannot
    be read and count as opaque.
    """

    def __init__(
        self,
        cdp: CDPSession,
        world: IsolatedWorld,
        *,
        deadline: float,
        scale: float = 1,
        page: Page | None = None,
        settings: Capture | None = None,
    ) -> None:
        self._main = world
        self._cdp = cdp
        self._scale = scale
        self._deadline = deadline
        self._settings = settings or Capture()
        self.worlds = PageWorlds(world, page)

    async def capture(self, *, screenshot: bool = True, full_page: bool = False) -> Observation:
        """The page now. If it changed while it was read it is read once more, and labelled.

        Raises ``CaptureTimeout`` past the deadline, ``BrowserCrashed`` if the page is gone.
        """
        return await within(self._deadline, self._capture(screenshot, full_page), "the capture")

    async def _capture(self, screenshot: bool, full_page: bool) -> Observation:
        if screenshot and full_page:
            await self._main.call("unroll", self._deadline * UNROLL * 1000)
        async with self._held_still(full_page) as steady:
            retries = 0
            while True:
                shot = await self._plan(full_page) if screenshot else None
                readings, picture = await self._read(shot)
                mutations, moved = await self.worlds.since(readings)
                if isinstance(shot, Shot) and "clip" in shot.options and _masked(readings):
                    moved |= shot != await self._plan(full_page)
                if retries or (mutations == 0 and not moved):
                    break
                retries += 1
            if mutations == 0 and not moved:
                steady.set()
            put_back = picture.beyond_window and await self.worlds.put_back()
        if moved and picture.png:
            picture = Picture(missing="private parts moved while it was taken")
        main = readings.pop(MAIN)
        assert main is not None  # noqa: S101 (the main frame is read, or an error raised)
        consistency = {"mutations": mutations, "retries": retries}
        observation = make_observation(stitch(main, readings), picture, consistency, full_page)
        if put_back:
            observation.facts["scroll_restored"] = True
        return observation

    async def _plan(self, full_page: bool) -> Shot | str:
        """The picture to take, or why there can be none."""
        try:
            return await plan_shot(self._cdp, self._scale, self.worlds.zoom, full_page=full_page)
        except PlaywrightError as err:
            if is_gone(err):
                raise
            return err.message.splitlines()[0]

    async def _read(self, shot: Shot | str | None) -> tuple[dict[str, Reading | None], Picture]:
        """DOM and pixels, asked for at once; again as long as that brings more of the page."""
        rounds = 0
        while True:
            # The picture is asked for first: most often it then shows the frame that is read.
            picture, readings, nodes = await asyncio.gather(
                self._photograph(shot), self.worlds.read(self._options()), self.worlds.nodes()
            )
            rounds += 1
            if not await self.worlds.learn(readings, nodes) or rounds == MAX_ROUNDS:
                return readings, picture

    async def _photograph(self, shot: Shot | str | None) -> Picture:
        """A picture, or why there is none: the page itself is not lost with it."""
        if not isinstance(shot, Shot):
            return Picture(missing=shot)
        try:
            async with asyncio.timeout(self._deadline * PHOTOGRAPH):
                picture = await shot.take(self._cdp)
        except TimeoutError:
            return Picture(missing="the browser took too long")
        except PlaywrightError as err:
            if is_gone(err):
                raise
            return Picture(missing=err.message.splitlines()[0])
        return picture if picture.png else Picture(missing="the browser gave an empty picture")

    @asynccontextmanager
    async def _held_still(self, full_page: bool) -> AsyncGenerator[asyncio.Event, None]:
        """Carets hidden and animations stopped until the end.

        The page shows carets again by itself if all was ``steady``, as the event says.
        """
        steady = asyncio.Event()
        moving = await self.worlds.prepare(whole_page=full_page)
        try:
            await asyncio.gather(*(_play(cdp, 0) for cdp in moving))
            yield steady
        finally:
            # Sent at once, also when the capture failed or was cancelled.
            ends = [asyncio.ensure_future(_play(cdp, 1)) for cdp in moving]
            if not steady.is_set():
                ends.append(asyncio.ensure_future(self.worlds.release()))
            for end in ends:
                end.add_done_callback(_ended)
        if ends:
            await asyncio.wait(ends)

    def _options(self) -> dict[str, Any]:
        return reading_options(self._settings, self._deadline)


def reading_options(settings: Capture, deadline: float) -> dict[str, Any]:
    """What ``snapshot.js`` has to know."""
    return {
        "privateNames": PRIVATE_FIELD_NAMES,
        "privatePurposes": PRIVATE_FIELD_PURPOSES,
        "privateSelectors": list(PRIVATE_SELECTORS),
        "canvas": settings.canvas,
        "maxNodes": settings.max_nodes,
        "maxLength": settings.max_html,
        "maxTime": deadline * READ * 1000,
        "maxFrameDepth": MAX_FRAME_DEPTH,
    }


def _masked(readings: Mapping[str, Reading | None]) -> bool:
    return any(reading and reading["masks"] for reading in readings.values())


async def _play(cdp: CDPSession, rate: float) -> None:
    """Stop the page's animation clock, or let it go on from where it stands."""
    await cdp.send("Animation.setPlaybackRate", {"playbackRate": rate})


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # a page that is gone has no clock to set


def make_observation(
    page: Reading, picture: Picture, consistency: dict[str, Any], full_page: bool
) -> Observation:
    """What was read and what was photographed, put together."""
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
        # No number of mutations: the page gave way to another one while it was read.
        "consistency": consistency,
        "full_page": full_page,
    }
    if page["truncated"]:
        facts["truncated"] = page["truncated"]
    if page["lone_surrogates"]:
        facts["lone_surrogates"] = True
    if picture.clipped:
        facts["clipped"] = True
    if picture.missing:
        facts["no_screenshot"] = picture.missing
    masks = picture.boxes(page["masks"])
    return Observation(page["html"], picture.png, masks, picture.scale, facts)
