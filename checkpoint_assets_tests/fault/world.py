"""The world that programs meet in: stores that stand still in time, and what was promised."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.storage.keys import parse_step_key
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_locks import SpoolLocks
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.explorer import LockTable, Stage
from checkpoint_assets.testing.exploring.loop import at_once
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Content, Ledger, Step

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
STEP: Step = ("s1", "1")
OTHER: Step = ("s10", "1")
# Two artifacts are enough for a torn step; more only make more schedules of the same kind.
A: Content = ("<p>A", None, {"type": "A"}, {"by": "A"})
B: Content = ("<p>B", None, {"type": "B"}, {"by": "B"})

Wrap = Callable[[Store], Store]
SPOOL_PARTS = ("pending", "dead", "notes")


def as_it_is(store: Store) -> Store:
    return store


class NoLocks(SpoolLocks):
    """For somebody who only looks."""

    def hold(self, names: Collection[str]) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def own(self) -> AbstractContextManager[bool]:
        return nullcontext(True)


@dataclass
class World:
    """Stores that everybody shares, and the view of somebody who only looks.

    With ``spool`` each program has a spool before the store, as it would have before a bucket; with
    ``versions`` the store keeps what is replaced or deleted.
    ``due`` are the steps that the next ``apply_expirations`` may remove.
    """

    spool: bool = False
    versions: bool = False
    grace: timedelta = DAY
    wrap: Wrap = as_it_is
    explored: dict[str, Any] = field(default_factory=dict[str, Any])
    due: set[Step] = field(default_factory=set[Step])

    def __post_init__(self) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryStore(clock=self.clock)
        if self.versions:
            at_once(self.store.enable_versions())
        self.parts = {name: MemoryStore(clock=self.clock) for name in SPOOL_PARTS}
        self.locks = LockTable()
        self.ledger = Ledger()
        self.outside: StorageManager = self._outside()

    def _outside(self) -> StorageManager:
        if not self.spool:
            return self._manager(self.store)
        parts = (self.parts[name] for name in SPOOL_PARTS)
        return self._manager(self._spooling(self.store, Spool(*parts, NoLocks())))

    def _spooling(self, store: Store, spool: Spool) -> Store:
        return SpoolingStore(store, spool, clock=self.clock)

    def _manager(self, store: Store) -> StorageManager:
        return StorageManager(store.url, store=store, clock=self.clock, grace=self.grace)

    def manager(self, stage: Stage, program: str) -> StorageManager:
        """The manager of one program: nothing but the stores and the locks is shared."""
        store = self.wrap(stage.store(program, self.store, **self.explored))
        if not self.spool:
            return self._manager(store)
        parts = (
            stage.store(program, self.parts[name], place=f"{name}:", fails=False)
            for name in SPOOL_PARTS
        )
        spool = Spool(*parts, stage.locks(program, self.locks))
        return self._manager(self._spooling(store, spool))

    async def copy(self) -> World:
        """A world like this one, made of the same objects with the same times."""
        other = replace(self, due=set(self.due))
        other.ledger = self.ledger.copy()
        objects = [
            (info.modified, place, await store.fetch(info.key))
            for place, store in self.stores.items()
            async for page in store.list("")
            for info in page.objects
        ]
        for moment, place, stored in sorted(objects, key=lambda found: found[0]):
            other.clock.advance(moment - other.clock.now())
            info = stored.info
            await other.stores[place].put(
                info.key,
                stored.data,
                media_type=info.media_type or "",
                sha256=info.sha256 or "",
            )
        other.clock.advance(self.clock.now() - other.clock.now())
        return other

    @property
    def stores(self) -> dict[str, MemoryStore]:
        """The store, and the parts of the spool."""
        return {"": self.store, **self.parts}

    async def check(self) -> None:
        await assert_invariants(self.outside, self.ledger)

    async def check_after_a_sweep(self) -> None:
        """Long after the last call the sweep takes what was deleted, and nothing else."""
        self.clock.advance(2 * DAY)
        pinned = await self.outside.get_pin(STEP[0]) is not None
        for entry in self.ledger.entries:
            entry.soft = entry.soft and pinned
        if self.spool:
            await self.outside.drain_spool()
        report = await self.outside.sweep()
        assert not report.failed, f"I6: the sweep failed: {report.failed}"
        await self.check()
        stored = any(entry.acknowledged for entry in self.ledger.of(STEP, "store"))
        if stored and self.ledger.must_be_gone(STEP) and not pinned:
            files = [key async for key in self._keys() if parse_step_key(key)]
            assert not files, f"I6: {STEP} was deleted and swept, and left {files}"

    async def _keys(self) -> AsyncIterator[str]:
        for store in self.stores.values():
            async for page in store.list(f"{STEP[0]}/"):
                for info in page.objects:
                    yield info.key

    async def keep(self, step: Step, content: Content) -> None:
        """A step that is there before anything else."""
        await self.outside.store_step_data(*step, *content)
        self.ledger.stored(step, content)
