"""Frames that the page's own world may not read: of other sites, and sandboxed ones."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import CDPSession, Frame, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

MOST = 100


@dataclass(slots=True)
class ForeignFrame:
    """One of them: the world that reads it, and whether it was in sight when last seen.

    One out of sight gets no animation frames, and is read without.
    """

    world: IsolatedWorld
    visible: bool = False


class ForeignFrames:
    """The foreign frames of a page that are known, by the id of the frame.

    Those of another process have a CDP session of their own, which only ``page`` can open;
    without it they stay closed.
    """

    def __init__(self, page: Page | None) -> None:
        self._page = page
        self._sessions: dict[Frame, tuple[str, CDPSession]] = {}
        self.known: dict[str, ForeignFrame] = {}

    async def meet(self, world: IsolatedWorld, strangers: int) -> int:
        """Get to know the frames that the last capture of ``world`` could not read.

        Returns how many of them the next capture can read.
        """
        met = 0
        for index in range(min(strangers, MOST - len(self.known))):
            try:
                met += await self._meet(world, index)
            except PlaywrightError:
                continue  # it is gone, or closed for good: the capture counts it as opaque
        return met

    async def _meet(self, world: IsolatedWorld, index: int) -> bool:
        element = await world.handle("stranger", index)
        if element is None:
            return False
        described = await world.cdp.send("DOM.describeNode", {"objectId": element.object_id})
        key: str | None = described["node"].get("frameId")
        inner = await self._enter(world.cdp, key) if key else None
        if key is None or inner is None:
            return False
        await world.call("acquaint", element, key)
        self.known[key] = ForeignFrame(inner)
        return True

    async def meet_again(self, world: IsolatedWorld, key: str) -> bool:
        """Find a frame that we knew: it may be in another process now."""
        try:
            inner = await self._enter(world.cdp, key)
        except PlaywrightError:
            return False
        if inner is not None:
            self.known[key] = ForeignFrame(inner)
        return inner is not None

    async def _enter(self, cdp: CDPSession, key: str) -> IsolatedWorld | None:
        """A world in the frame: through the session of its parent if it is of the same process."""
        world = IsolatedWorld(cdp, key)
        try:
            await world.context_id()
        except PlaywrightError:
            session = await self._session(key)
            return IsolatedWorld(session, key) if session else None
        return world

    async def _session(self, key: str) -> CDPSession | None:
        """The CDP session of a frame of another process."""
        if self._page is None:
            return None
        frames = self._page.frames[1:]
        self._sessions = {frame: own for frame, own in self._sessions.items() if frame in frames}
        for frame in frames:
            if frame not in self._sessions:
                try:
                    session = await self._page.context.new_cdp_session(frame)
                    tree = await session.send("Page.getFrameTree")
                except PlaywrightError:
                    continue  # of its parent's process, or gone
                self._sessions[frame] = (tree["frameTree"]["frame"]["id"], session)
        return next((found for name, found in self._sessions.values() if name == key), None)

    def forget(self, key: str) -> None:
        """It could not be read: it is gone, or in another process than before."""
        self.known.pop(key, None)
        self._sessions = {frame: own for frame, own in self._sessions.items() if own[0] != key}
