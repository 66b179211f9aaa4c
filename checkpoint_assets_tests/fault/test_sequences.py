"""Calls one after the other as chance will have it, with outages and time passing between them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from checkpoint_assets.model.errors import (
    IntegrityError,
    NotFound,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore
from checkpoint_assets_tests.fault.ledger import Content, Step
from checkpoint_assets_tests.fault.scale import printed_seed, scaled
from checkpoint_assets_tests.fault.world import DAY, SPOOL_PARTS, A, B, NoLocks, World

pytestmark = pytest.mark.fault

WALKS = scaled(40, 1000)
CALLS = 25
STEPS: list[Step] = [("s1", "1"), ("s1", "2"), ("s10", "1")]
SESSIONS = sorted({session for session, _ in STEPS})


class Away(WrappedStore):
    """A store that can be away: then it does nothing and says so."""

    here = True

    def _ask(self) -> None:
        if not self.here:
            raise StoreUnavailable(f"{self.url} is away")

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        self._ask()
        return await super().put(
            key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
        )

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        self._ask()
        return await super().fetch(key, version=version)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        self._ask()
        return await super().stat(key, version=version)

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        self._ask()
        async for page in super().list(prefix, after=after, recursive=recursive):
            yield page

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        self._ask()
        return await super().delete(keys)

    async def now(self) -> datetime:
        self._ask()
        return await super().now()


@dataclass
class Grave:
    """What was deleted at once, and when: it can come back until it is swept."""

    steps: dict[Step, Content]
    since: datetime


@dataclass
class Model:
    """What a user believes to be there."""

    visible: dict[Step, Content] = field(default_factory=dict[Step, Content])
    graves: dict[tuple[str, str | None], Grave] = field(
        default_factory=dict[tuple[str, "str | None"], Grave]
    )
    pinned: set[str] = field(default_factory=set[str])

    def bury(self, session: str, step: str | None, now: datetime) -> None:
        gone = {
            name: content
            for name, content in self.visible.items()
            if name[0] == session and step in (None, name[1])
        }
        for name in gone:
            del self.visible[name]
        if gone:
            before = self.graves.get((session, step))
            self.graves[session, step] = Grave({**(before.steps if before else {}), **gone}, now)

    def raise_(self, session: str, step: str | None) -> None:
        grave = self.graves.pop((session, step), None)
        if grave is not None:
            self.visible = {**grave.steps, **self.visible}

    def sweep(self, now: datetime) -> None:
        due = [
            name
            for name, grave in self.graves.items()
            if now >= grave.since + DAY and name[0] not in self.pinned
        ]
        for name in due:
            del self.graves[name]


class Walk:
    """One sequence of calls by two managers, and what must be true after each of them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World()
        self.clock = self.world.clock
        self.away = Away(self.world.store)
        self.managers = [self._manager(self.away) for _ in range(2)]
        self.outside = self._manager(self.world.store)
        self.model = Model()
        self.deleted: set[str] = set()
        self.log: list[str] = []

    def _manager(self, store: Store) -> StorageManager:
        parts = (self.world.parts[name] for name in SPOOL_PARTS)
        spooling = SpoolingStore(store, Spool(*parts, NoLocks()), clock=self.clock)
        return StorageManager(store=spooling, clock=self.clock, grace=DAY)

    async def run(self) -> None:
        if self.chance.random() < 0.4:
            await self.outside.enable_versions()
            self.log.append("versions are kept")
        calls = [getattr(self, name) for name in dir(Walk) if name.startswith("call_")]
        for _ in range(CALLS):
            call = self.chance.choice(calls)
            await self.step(call)
            await self.check()
        await self.end()

    async def step(self, call: Callable[[StorageManager, Step], Awaitable[object]]) -> None:
        """One call. It does what it says, or raises a typed error and changes nothing."""
        which = self.chance.randrange(2)
        step = self.chance.choice(STEPS)
        if "delete" in call.__name__:
            self.deleted.add(step[0])
        self.log.append(f"{call.__name__.removeprefix('call_')} {'/'.join(step)} by {which}")
        before = Model(dict(self.model.visible), dict(self.model.graves), set(self.model.pinned))
        try:
            await call(self.managers[which], step)
        except StorageManagerError as error:
            self.log[-1] += f": {type(error).__name__}: {error}"
            self.model = before

    async def check(self) -> None:
        for step in STEPS:
            try:
                found = await self.outside.retrieve_step_data(*step)
            except NotFound:
                found = None
            except IntegrityError as error:
                raise AssertionError(f"{step} is torn, {error}, after\n{self}") from error
            assert found == self.model.visible.get(step), f"{step} is {found} after\n{self}"
        for session in SESSIONS:
            listed = await self.outside.list_steps_for_session(session)
            there = sorted(step for name, step in self.model.visible if name == session)
            assert listed == there, f"{session} lists {listed} after\n{self}"

    async def end(self) -> None:
        """Everything that was deleted a short while ago can come back."""
        self.away.here = True
        for session in SESSIONS:
            await self.outside.unpin(session)
        await self.outside.drain_spool(retry_dead=True)
        await self.check()
        for (session, step), grave in list(self.model.graves.items()):
            if self.clock.now() < grave.since + DAY:
                if step is None:
                    await self.outside.restore_session(session)
                else:
                    await self.outside.restore_step(session, step)
                self.model.raise_(session, step)
                self.log.append(f"restored {session}/{step}")
        await self.check()
        report = await self.outside.verify(read_data=True)
        bad = [f for f in report.findings if (f.session_id, f.step_id) in self.model.visible]
        assert not bad, f"{bad} after\n{self}"
        for manager in self.managers:
            await manager.close()

    def only_waiting(self, failed: dict[str, Exception]) -> None:
        """What failed waits in the spool, and will go the next time."""
        others = [e for e in failed.values() if not isinstance(e, StoreUnavailable)]
        assert not others, f"{others} after\n{self}"

    def __str__(self) -> str:
        return "\n".join(f"  {number}. {line}" for number, line in enumerate(self.log, start=1))

    async def call_store(self, manager: StorageManager, step: Step) -> None:
        content = self.chance.choice([A, B])
        away = not self.away.here or manager.store.describe()["outage"]
        if away and (step in self.model.visible or step[0] in self.deleted):
            # Nobody can know what the store has to say to this; the drain will tell.
            return
        await manager.store_step_data(*step, *content)
        there = self.model.visible.get(step)
        assert there in (None, content), f"{step} was stored over {there} after\n{self}"
        self.model.visible[step] = content

    call_store_again = call_store_more = call_store

    async def call_replace(self, manager: StorageManager, step: Step) -> None:
        content = self.chance.choice([A, B])
        await manager.store_step_data(*step, *content, replace=True)
        self.model.visible[step] = content

    async def call_read(self, manager: StorageManager, step: Step) -> None:
        try:
            found = await manager.retrieve_step_data(*step)
        except NotFound:
            found = None
        assert found == self.model.visible.get(step), f"{step} was read as {found} after\n{self}"

    async def call_delete_step(self, manager: StorageManager, step: Step) -> None:
        await manager.delete_step(*step)
        assert step[0] not in self.model.pinned
        self.model.bury(*step, self.clock.now())

    async def call_delete_session(self, manager: StorageManager, step: Step) -> None:
        await manager.delete_session(step[0])
        assert step[0] not in self.model.pinned
        self.model.bury(step[0], None, self.clock.now())

    async def call_delete_step_for_good(self, manager: StorageManager, step: Step) -> None:
        await manager.delete_step(*step, permanent=True)
        assert step[0] not in self.model.pinned
        self.model.visible.pop(step, None)
        self.model.graves.pop(step, None)
        # A session that was deleted with it comes back without it, or is nothing to come back.
        grave = self.model.graves.pop((step[0], None), None)
        left = {name: c for name, c in grave.steps.items() if name != step} if grave else {}
        if grave and left:
            self.model.graves[step[0], None] = Grave(left, grave.since)

    async def call_restore_step(self, manager: StorageManager, step: Step) -> None:
        await manager.restore_step(*step)
        self.model.raise_(*step)

    async def call_restore_session(self, manager: StorageManager, step: Step) -> None:
        restored = await manager.restore_session(step[0])
        if (step[0], None) in self.model.graves:
            self.model.raise_(step[0], None)
            return
        # Its tombstone held the manifest alone; or it came back from the versions of the store,
        # with all its steps.
        for session, name in list(self.model.graves):
            if session == step[0] and f"{session}/{name}.metadata.json" in restored:
                self.model.raise_(session, name)

    async def call_sweep(self, manager: StorageManager, step: Step) -> None:
        report = await manager.sweep()
        self.only_waiting(report.failed)
        self.model.sweep(self.clock.now())

    async def call_set_expiration(self, manager: StorageManager, step: Step) -> None:
        of = self.chance.choice([None, step[1]])
        await manager.set_expiration(step[0], of, ttl=timedelta(hours=1))

    async def call_apply_expirations(self, manager: StorageManager, step: Step) -> None:
        report = await manager.apply_expirations()
        self.only_waiting(report.failed)
        for expired in report.expired:
            assert expired.session_id not in self.model.pinned
            assert expired.expires_at <= self.clock.now()
            self.model.bury(expired.session_id, expired.step_id, self.clock.now())
            self.deleted.add(expired.session_id)

    async def call_pin(self, manager: StorageManager, step: Step) -> None:
        await manager.pin(step[0], "a reason")
        self.model.pinned.add(step[0])

    async def call_unpin(self, manager: StorageManager, step: Step) -> None:
        await manager.unpin(step[0])
        self.model.pinned.discard(step[0])

    async def call_drain(self, manager: StorageManager, step: Step) -> None:
        await manager.drain_spool()

    async def call_verify(self, manager: StorageManager, step: Step) -> None:
        await manager.verify(read_data=True, repair=True)

    async def call_close(self, manager: StorageManager, step: Step) -> None:
        await manager.close_session(step[0])

    async def call_outage(self, manager: StorageManager, step: Step) -> None:
        self.away.here = not self.away.here

    async def call_wait(self, manager: StorageManager, step: Step) -> None:
        self.clock.advance(self.chance.choice([timedelta(seconds=70), timedelta(hours=2), 2 * DAY]))


async def test_any_sequence_of_calls_does_what_each_of_them_says():
    seed = printed_seed()
    for number in range(WALKS):
        await Walk(seed + number).run()
