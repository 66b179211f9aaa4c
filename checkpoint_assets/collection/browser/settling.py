"""Waiting until what an action began has come to an end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Request, WebSocket

from checkpoint_assets.collection.browser.fallback_world import FallbackWorld
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld

# Requests that stay open, or that nothing on the page waits for.
_ENDLESS = frozenset({"eventsource", "websocket", "media", "ping", "beacon", "cspviolationreport"})
_DATA = frozenset({"fetch", "xhr"})
QUIET_MS = 50
# So long nothing may happen where more is likely to come: the pause between two polls, or between
# two messages of a stream.
LULL_MS = 250
# For the page's answer that its time is up; a page that hangs gives none.
_ANSWER = 0.25
_MOST_URLS = 1000

Waiting = Literal["requests", "changes", "animations", "fonts", "busy", "answer"]


@dataclass(frozen=True, slots=True)
class Settle:
    """How a page came to rest: because it was quiet, or because the time was up.

    ``waiting_for`` is what it had not come to an end with when the time was up: requests, changes
    of the DOM, animations, fonts, what it calls ``aria-busy``, or the answer of a page that hangs.
    """

    reason: Literal["quiet", "timeout"]
    ms: float
    mutations: int
    waiting_for: Waiting | None = None

    def to_dict(self) -> dict[str, Any]:
        words = asdict(self)
        if self.waiting_for is None:
            del words["waiting_for"]
        return words


class Settling:
    """Watches a page's requests; :meth:`settle` waits for those begun since :meth:`begin`.

    More is expected after an answer to ``fetch`` that changed nothing, after a second request for
    the same data, and while a stream is open that was opened since; what the page did before the
    action in the same way is no reason to wait.
    """

    def __init__(self, page: Page, world: IsolatedWorld | FallbackWorld) -> None:
        self._world = world
        self._pending: set[Request] = set()
        self._changed = asyncio.Event()
        # How often each URL was asked for data: ever, and since the action.
        self._asked: Counter[str] = Counter()
        self._asked_since: Counter[str] = Counter()
        self._polled_before: set[str] = set()
        self._streams: set[Request | WebSocket] = set()
        self._begun = 0
        self._answered_at: float | None = None
        page.on("request", self._started)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)
        page.on("websocket", self._opened)

    def begin(self) -> None:
        """An action starts now; older requests are not waited for."""
        self._pending.clear()
        self._streams.clear()
        self._polled_before = {url for url, times in self._asked.items() if times > 1}
        self._asked_since.clear()
        self._answered_at = None

    def _started(self, request: Request) -> None:
        if request.resource_type == "eventsource":
            self._streams.add(request)
        if request.resource_type in _ENDLESS:
            return
        self._pending.add(request)
        self._begun += 1
        if request.resource_type in _DATA and len(self._asked) < _MOST_URLS:
            self._asked[_resource(request)] += 1
            self._asked_since[_resource(request)] += 1

    def _ended(self, request: Request) -> None:
        self._pending.discard(request)
        self._streams.discard(request)
        if request.resource_type in _DATA and _resource(request) not in self._polled_before:
            self._answered_at = time.monotonic()
        self._changed.set()

    def _opened(self, socket: WebSocket) -> None:
        self._streams.add(socket)
        socket.on("close", self._closed)

    def _closed(self, socket: WebSocket) -> None:
        self._streams.discard(socket)

    async def settle(self, limit: float) -> Settle:
        """Wait for requests, DOM, fonts and finite animations, at most ``limit`` seconds.

        Never raises for a page that does not come to rest: it says ``timeout``.
        """
        watch = _Watch(limit)
        try:
            async with asyncio.timeout(limit + _ANSWER):
                quiet = await self._rest(watch)
        except TimeoutError:
            quiet = False  # the time is up: that is the answer
        except PlaywrightError:
            quiet = False  # a page that is gone has nothing to wait for; the capture will say so
        if quiet:
            return Settle("quiet", watch.ms(), watch.mutations)
        return Settle("timeout", watch.ms(), watch.mutations, watch.waiting)

    async def _rest(self, watch: _Watch) -> bool:
        while True:
            watch.waiting = "requests"
            while self._pending:
                self._changed.clear()
                await self._changed.wait()
            idle = await self._still(QUIET_MS, watch)
            if idle is None:
                return False
            if self._pending:
                continue
            if not self._expects_more(idle):
                return True
            begun = self._begun
            if await self._still(LULL_MS, watch) is None:
                return False
            if self._begun == begun:
                return True

    async def _still(self, quiet_ms: float, watch: _Watch) -> float | None:
        """For how long nothing has changed, once that is long enough; ``None``: time is up."""
        watch.waiting = "answer"
        answer = await self._world.call("settle", quiet_ms, max(watch.left_ms(), 1))
        watch.mutations += answer["mutations"]
        if not answer["quiet"]:
            watch.waiting = "requests" if self._pending else answer["waiting"]
            return None
        return answer["idle"]

    def _expects_more(self, idle: float) -> bool:
        polls = any(
            n > 1 and url not in self._polled_before for url, n in self._asked_since.items()
        )
        if self._streams or polls:
            return True
        if self._answered_at is None:
            return False
        return idle >= (time.monotonic() - self._answered_at) * 1000


class _Watch:
    """The time of one settling, and what it has seen."""

    def __init__(self, limit: float) -> None:
        self._started = time.monotonic()
        self._limit = limit
        self.mutations = 0
        self.waiting: Waiting = "requests"

    def ms(self) -> float:
        return round((time.monotonic() - self._started) * 1000, 1)

    def left_ms(self) -> float:
        return self._limit * 1000 - self.ms()


def _resource(request: Request) -> str:
    """What is asked for, whatever is added to get it past a cache."""
    return f"{request.method} {request.url.partition('?')[0]}"
