"""Closed shadow roots: no script can find them, so the browser is asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

MOST = 1000
# Gives the root to the world that reads its document: its own, or that of a frame around it.
_REVEAL = """function () {
  let reader = window;
  while (!Object.hasOwn(reader, "checkpoint") && reader.parent !== reader) reader = reader.parent;
  reader.checkpoint.reveal(this);
}"""


class ClosedRoots:
    """Finds the closed shadow roots of the frames that one CDP session is about.

    Looking for them is dear, so they are counted first: a search for nothing finds every node,
    those in closed roots included. More of them than were read means that some root was not.
    """

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._enabled = False
        self._fruitless = 0
        self._pause = 0

    async def nodes(self) -> int | None:
        """How many nodes there are; ``None`` when it is not worth asking.

        On a page that changes all the time the number is never right; after looking in vain we
        ask less and less often.
        """
        if self._pause > 0:
            self._pause -= 1
            return None
        if not self._enabled:
            await self._cdp.send("DOM.enable")
            self._enabled = True
        search = await self._cdp.send("DOM.performSearch", {"query": ""})
        await self._cdp.send("DOM.discardSearchResults", {"searchId": search["searchId"]})
        return search["resultCount"]

    async def reveal(self, world: IsolatedWorld) -> int:
        """Show the page's worlds the closed roots they do not know; returns how many there are."""
        frame_id = await world.frame_id()
        tree = await self._cdp.send("DOM.getDocument", {"depth": -1, "pierce": True})
        roots = list(_closed(tree["root"], frame_id))[:MOST]
        contexts = {frame_id: await world.context_id()}
        for inner in {frame for frame, _ in roots} - {frame_id}:
            contexts[inner] = await IsolatedWorld(self._cdp, inner).context_id()
        await asyncio.gather(*(self._show(contexts[frame], root) for frame, root in roots))
        # Else every change of the page would be told to us from now on.
        await self._cdp.send("DOM.disable")
        self._enabled = False
        return len(roots)

    def found(self, *, more: bool) -> None:
        """Whether the last look was worth it."""
        self._fruitless = 0 if more else self._fruitless + 1
        self._pause = 0 if more else 2 ** min(self._fruitless, 6) - 1

    async def _show(self, context_id: int, backend_node_id: int) -> None:
        try:
            resolved = await self._cdp.send(
                "DOM.resolveNode",
                {"backendNodeId": backend_node_id, "executionContextId": context_id},
            )
            await self._cdp.send(
                "Runtime.callFunctionOn",
                {"objectId": resolved["object"]["objectId"], "functionDeclaration": _REVEAL},
            )
        except PlaywrightError:
            return  # it is gone by now


def _closed(root: dict[str, Any], frame_id: str) -> Iterator[tuple[str, int]]:
    """The frame and the node id of each closed root. Iterative, since a page may be deep."""
    stack = [(root, frame_id)]
    while stack:
        node, frame = stack.pop()
        if node.get("shadowRootType") == "closed":
            yield frame, node["backendNodeId"]
        below = [*node.get("children", ()), *node.get("shadowRoots", ())]
        stack += [(child, frame) for child in below]
        if inner := node.get("contentDocument"):
            stack.append((inner, node.get("frameId", frame)))
