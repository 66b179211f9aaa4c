"""Waiting until what an action began has come to an end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

# Requests that stay open, or that nothing on the page waits for.
_ENDLESS = frozenset({"eventsource", "websocket", "media", "ping", "beacon", "cspviolationreport"})
QUIET_MS = 50
# For the page's answer that its time is up; a page that hangs gives none.
_ANSWER = 0.25


@dataclass(frozen=True, slots=True)
class Settle:
    """How a page came to rest: because it was quiet, or because the time was up."""

    reason: Literal["quiet", "timeout"]
    ms: float
    mutations: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Settling:
    """Watches a page's requests; :meth:`settle` waits for those begun since :meth:`begin`."""

    def __init__(self, page: Page, world: IsolatedWorld) -> None:
        self._world = world
        self._pending: set[Request] = set()
        self._changed = asyncio.Event()
        page.on("request", self._started)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def begin(self) -> None:
        """An action starts now; older requests are not waited for."""
        self._pending.clear()

    def _started(self, request: Request) -> None:
        if request.resource_type not in _ENDLESS:
            self._pending.add(request)

    def _ended(self, request: Request) -> None:
        self._pending.discard(request)
        self._changed.set()

    async def settle(self, limit: float) -> Settle:
        """Wait for requests, DOM, fonts and finite animations, at most ``limit`` seconds.

        Never raises for a page that does not come to rest: it says ``timeout``.
        """
        started = time.monotonic()
        mutations = 0
        reason: Literal["quiet", "timeout"] = "timeout"
        try:
            async with asyncio.timeout(limit + _ANSWER):
                while True:
                    while self._pending:
                        self._changed.clear()
                        await self._changed.wait()
                    left = (limit - (time.monotonic() - started)) * 1000
                    answer = await self._world.call("settle", QUIET_MS, max(left, 1))
                    mutations += answer["mutations"]
                    if not answer["quiet"]:
                        break
                    if not self._pending:
                        reason = "quiet"
                        break
        except TimeoutError:
            pass  # the time is up: that is the answer
        except PlaywrightError:
            pass  # a page that is gone has nothing to wait for; the capture will say so
        return Settle(reason, round((time.monotonic() - started) * 1000, 1), mutations)
