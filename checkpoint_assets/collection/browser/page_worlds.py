"""All worlds of one page, read together: its main frame's and those of its foreign frames."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.closed_roots import ClosedRoots
from checkpoint_assets.collection.browser.foreign_frames import ForeignFrames
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.linked_sheets import LinkedSheets
from checkpoint_assets.collection.browser.stitching import Reading

# The key of the main frame among those of foreign frames.
MAIN = ""


class PageWorlds:
    """Reads a page, and gets to know its foreign frames and closed shadow roots on the way.

    Without ``page``, frames of other processes cannot be read.
    """

    def __init__(self, main: IsolatedWorld, page: Page | None) -> None:
        self._main = main
        self._frames = ForeignFrames(page)
        self._sheets = LinkedSheets()
        self._closed: dict[CDPSession, ClosedRoots] = {}
        # How much larger than life the window shows the page.
        self.zoom: float = 1

    def all(self) -> dict[str, IsolatedWorld]:
        """The worlds that are known, by the id of their frame."""
        return {MAIN: self._main, **{key: each.world for key, each in self._frames.known.items()}}

    async def prepare(self, *, whole_page: bool = False) -> set[CDPSession]:
        """Hide carets, and note what is scrolled. Returns the sessions with animations."""
        worlds = self.all()
        states = await asyncio.gather(*(self._prepare(key, whole_page) for key in worlds))
        pairs = zip(worlds.values(), states, strict=True)
        self.zoom = states[0]["zoom"]
        return {world.cdp for world, state in pairs if state.get("animated")}

    async def _prepare(self, key: str, whole_page: bool) -> dict[str, Any]:
        world = self.all()[key]
        try:
            state = await world.call("prepare", whole_page)
            await self._sheets.teach(world, state["sheets"])
        except PlaywrightError:
            if key == MAIN:
                raise
            self._frames.forget(key)
            return {}
        return state

    async def read(self, options: Mapping[str, Any]) -> dict[str, Reading | None]:
        """What each frame says of itself; ``None`` for one that could not be read."""
        worlds = self.all()
        readings = await asyncio.gather(*(self._read(key, options) for key in worlds))
        return dict(zip(worlds, readings, strict=True))

    async def _read(self, key: str, options: Mapping[str, Any]) -> Reading | None:
        in_frame = key == MAIN or self._frames.known[key].visible
        try:
            return await self.all()[key].call("capture", options, in_frame)
        except PlaywrightError:
            if key == MAIN:
                raise
            self._frames.forget(key)
            return None

    async def nodes(self) -> dict[CDPSession, int]:
        """How many nodes the browser sees, for each session where it is worth asking."""
        sessions = list({world.cdp for world in self.all().values()})
        for cdp in sessions:
            self._closed.setdefault(cdp, ClosedRoots(cdp))
        counts = await asyncio.gather(*(self._closed[cdp].nodes() for cdp in sessions))
        pairs = zip(sessions, counts, strict=True)
        return {cdp: count for cdp, count in pairs if count is not None}

    async def learn(
        self, readings: Mapping[str, Reading | None], nodes: Mapping[CDPSession, int]
    ) -> bool:
        """Get to know what was not read. True if another reading would have more."""
        more = await self._meet_frames(readings)
        return await self._reveal_roots(readings, nodes) or more

    async def _meet_frames(self, readings: Mapping[str, Reading | None]) -> bool:
        more = False
        worlds = self.all()
        for key, reading in readings.items():
            if reading is None or key not in worlds:
                continue
            if reading["strangers"]:
                more |= await self._frames.meet(worlds[key], reading["strangers"]) > 0
            # Those of parents come first.
            in_sight = key == MAIN or self._frames.known[key].visible
            for inner, place in reading["foreign"].items():
                if inner in self._frames.known:
                    self._frames.known[inner].visible = in_sight and place["visible"]
                else:
                    more |= await self._frames.meet_again(worlds[key], inner)
        return more

    async def _reveal_roots(
        self, readings: Mapping[str, Reading | None], nodes: Mapping[CDPSession, int]
    ) -> bool:
        more = False
        worlds = self.all()
        for cdp, count in nodes.items():
            keys = [key for key, world in worlds.items() if world.cdp is cdp]
            here = [readings.get(key) for key in keys]
            read = [reading for reading in here if reading and not reading["truncated"]]
            if len(read) < len(here) or count <= sum(each["searchable"] for each in read):
                continue
            more |= await self._closed[cdp].reveal(worlds[keys[0]])
        return more

    async def since(self, readings: Mapping[str, Reading | None]) -> tuple[int | None, bool]:
        """How much has changed since the reading, and whether private parts have moved.

        Nobody knows (``None``) if the page has given way to another one.
        """
        worlds = self.all()
        keys = [key for key, reading in readings.items() if reading and key in worlds]
        answers = await asyncio.gather(*(self._since(key, worlds[key]) for key in keys))
        if answers[0] is None:
            return None, bool((main := readings[MAIN]) and main["masks"])
        self.zoom = answers[0]["zoom"]
        # A frame with another document than was read has changed in any case.
        mutations = sum(answer["mutations"] if answer else 1 for answer in answers)
        return mutations, any(answer is None or answer["moved"] for answer in answers)

    async def _since(self, key: str, world: IsolatedWorld) -> dict[str, Any] | None:
        try:
            return await world.call("mutationsSince")
        except PlaywrightError:
            if key == MAIN:
                raise
            return None

    async def put_back(self) -> bool:
        """Scroll to where the page was before a picture of the whole of it; true if it was lost."""
        answers = await asyncio.gather(
            *(world.call("putBack") for world in self.all().values()), return_exceptions=True
        )
        return any(answer is True for answer in answers)

    async def release(self) -> None:
        """Show carets again."""
        await asyncio.gather(
            *(world.call("release") for world in self.all().values()), return_exceptions=True
        )
