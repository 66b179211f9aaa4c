"""Values that are kept for the next request: few, for a while, and read once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.viewer.recently_used import RecentlyUsed


class Source:
    """Counts what is read of it; ``broken`` names cannot be."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.broken: set[str] = set()
        self.clock = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
        self.kept = RecentlyUsed(self._read, entries=2, seconds=5, clock=self.clock)

    async def _read(self, name: str) -> str:
        self.read.append(name)
        await asyncio.sleep(0)
        if name in self.broken:
            raise KeyError(name)
        return name.upper()


async def test_two_who_ask_at_once_wait_for_one_reading() -> None:
    source = Source()
    assert await asyncio.gather(source.kept.get("a"), source.kept.get("a")) == ["A", "A"]
    assert source.read == ["a"]


async def test_the_value_that_was_used_longest_ago_makes_room() -> None:
    source = Source()
    for name in ("a", "b", "a", "c", "a", "b"):
        await source.kept.get(name)
    assert source.read == ["a", "b", "c", "b"]


async def test_a_value_is_read_again_when_it_is_old() -> None:
    source = Source()
    await source.kept.get("a")
    source.clock.advance(timedelta(seconds=6))
    await source.kept.get("a")
    assert source.read == ["a", "a"]


async def test_an_error_is_not_kept() -> None:
    source = Source()
    source.broken.add("a")
    with pytest.raises(KeyError):
        await source.kept.get("a")
    source.broken.clear()
    assert await source.kept.get("a") == "A"


async def test_one_who_goes_away_leaves_the_reading_to_the_others() -> None:
    source = Source()
    first = asyncio.ensure_future(source.kept.get("a"))
    second = asyncio.ensure_future(source.kept.get("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "A"
