"""The last few values that were read, so that the next request need not read them again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from checkpoint_assets.model.clock import Clock, system_clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RecentlyUsed(Generic[K, V]):
    """At most ``entries`` values, none older than ``seconds``. Whoever asks twice waits once."""

    def __init__(
        self,
        read: Callable[[K], Awaitable[V]],
        *,
        entries: int,
        seconds: float,
        clock: Clock = system_clock,
    ) -> None:
        self._read = read
        self._entries = entries
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, asyncio.Future[V]]] = OrderedDict()

    async def get(self, key: K) -> V:
        """The value. An error of reading is raised, and not kept."""
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is None or now - kept[0] > self._seconds:
            kept = (now, asyncio.ensure_future(self._read(key)))
            self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
        try:
            # Shielded: one who goes away does not take it from the others.
            return await asyncio.shield(kept[1])
        except Exception:  # whatever it was, the next one who asks tries again
            if self._kept.get(key) is kept:
                del self._kept[key]
            raise
