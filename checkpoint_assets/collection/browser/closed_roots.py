"""Closed shadow roots: no script can find them, so the browser is asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

MOST = 1000
# The browser keeps what it found until it is told not to, which costs as much as the search.
MOST_SEARCHES = 20
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
        self._shown: set[int] = set()
        self._searches: list[str] = []

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
        self._searches.append(search["searchId"])
        if len(self._searches) == MOST_SEARCHES:
            for search_id in self._searches:
                await self._cdp.send("DOM.discardSearchResults", {"searchId": search_id})
            self._searches.clear()
        return search["resultCount"]

    async def reveal(self, world: IsolatedWorld) -> bool:
        """Show the page's worlds its closed roots; false if there are none that are new to them."""
        frame_id = await world.frame_id()
        # Flat: a page may be deeper than the protocol's messages can be.
        flat = await self._cdp.send("DOM.getFlattenedDocument", {"depth": -1, "pierce": True})
        roots = list(_closed(flat["nodes"], frame_id))[:MOST]
        contexts = {frame_id: await world.context_id()}
        for inner in {frame for frame, _ in roots} - {frame_id}:
            contexts[inner] = await IsolatedWorld(self._cdp, inner).context_id()
        await asyncio.gather(*(self._show(contexts[frame], root) for frame, root in roots))
        # Else every change of the page would be told to us from now on.
        await self._cdp.send("DOM.disable")
        self._enabled = False
        self._searches.clear()
        known, self._shown = self._shown, {root for _, root in roots}
        more = not self._shown <= known
        self._fruitless = 0 if more else self._fruitless + 1
        self._pause = 0 if more else 2 ** min(self._fruitless, 6) - 1
        return more

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


def _closed(nodes: list[dict[str, Any]], frame_id: str) -> Iterator[tuple[str, int]]:
    """The frame and the node id of each closed root."""
    parents = {node["nodeId"]: node["parentId"] for node in nodes if "parentId" in node}
    frames: dict[int, str] = {}
    closed: list[dict[str, Any]] = []
    for node in nodes:
        if inner := node.get("contentDocument"):
            frames[inner["nodeId"]] = node["frameId"]
        for root in node.get("shadowRoots", ()):
            parents[root["nodeId"]] = node["nodeId"]
            if root["shadowRootType"] == "closed":
                closed.append(root)
    for root in closed:
        at: int | None = root["nodeId"]
        while at is not None and at not in frames:
            at = parents.get(at)
        yield (frames[at] if at is not None else frame_id), root["backendNodeId"]
