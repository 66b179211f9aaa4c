"""What the files of linked style sheets say, to tell which sheets scripts have changed since."""

from __future__ import annotations

import base64

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

MOST = 500


class LinkedSheets:
    """Tells worlds what the files of their sheets say. The browser has them; nothing is fetched."""

    def __init__(self) -> None:
        self._prints: dict[str, str] = {}
        self._enabled: set[CDPSession] = set()

    async def teach(self, world: IsolatedWorld, urls: list[str]) -> None:
        """Let the world know what the files at these URLs say."""
        for url in urls:
            if url in self._prints:
                await world.call("learnPrint", url, self._prints[url])
            elif (text := await self._text(world, url)) is not None:
                if len(self._prints) >= MOST:
                    del self._prints[next(iter(self._prints))]
                self._prints[url] = await world.call("learnText", url, text)
            else:
                # What the sheet says now is taken for what its file says.
                await world.call("learnNothing", url)

    async def _text(self, world: IsolatedWorld, url: str) -> str | None:
        try:
            if world.cdp not in self._enabled:
                await world.cdp.send("Page.enable")
                self._enabled.add(world.cdp)
            content = await world.cdp.send(
                "Page.getResourceContent", {"frameId": await world.frame_id(), "url": url}
            )
        except PlaywrightError:
            return None  # of another frame, or no longer in the browser's memory
        if content["base64Encoded"]:
            return base64.b64decode(content["content"]).decode(errors="replace")
        return content["content"]
