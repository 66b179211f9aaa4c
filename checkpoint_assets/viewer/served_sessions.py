"""The sessions of a store for the server: newest first, a page at a time, with bounded work."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.storage.session_filter import matches
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all
from checkpoint_assets.viewer.gallery_page import Asked
from checkpoint_assets.viewer.session_card import SessionCard, read_card

PAGE = 24
# Sessions that one request looks at for those that are asked for. The next page goes on.
MOST_LOOKED_AT = 1000
# Seconds for which a listing of the store is used again.
_FRESH = 5.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Page:
    """``older`` is where the next page goes on, ``looked_at`` how many sessions were considered."""

    cards: Sequence[SessionCard]
    older: str | None
    looked_at: int


class ServedSessions:
    """Pages over the sessions. Holds their ids, about 100 bytes each, and nothing else."""

    def __init__(self, storage: StorageManager, clock: Clock = system_clock) -> None:
        self._storage = storage
        self._clock = clock
        self._ids: list[str] = []
        self._listed_at: float | None = None
        self._listing = asyncio.Lock()

    async def page(self, asked: Asked, before: str | None) -> Page:
        """The newest sessions that are asked for, or those before one. Raises ``ValueError``."""
        where = asked.where()
        ids = await self._listed()
        at = len(ids)
        if before is not None:
            at = bisect_left(ids, f"{parse_session_id(before)}/", key=lambda each: f"{each}/")
        found: list[str] = []
        looked_at = 0
        while at and len(found) < PAGE and looked_at < MOST_LOOKED_AT:
            some = ids[max(0, at - _AT_ONCE) : at][::-1]
            fit = await run_all(
                lambda each: matches(self._storage.store, parse_session_id(each), where),
                some,
                _AT_ONCE,
            )
            for session_id, fits in zip(some, fit, strict=True):
                if len(found) == PAGE:
                    break
                at -= 1
                looked_at += 1
                if fits:
                    found.append(session_id)
        cards = await run_all(lambda each: read_card(self._storage, each), found, _AT_ONCE)
        return Page(cards, ids[at] if at else None, looked_at)

    async def _listed(self) -> list[str]:
        async with self._listing:
            now = self._clock.monotonic()
            if self._listed_at is None or now - self._listed_at > _FRESH:
                self._ids = await self._storage.list_sessions()
                self._listed_at = now
            return self._ids
