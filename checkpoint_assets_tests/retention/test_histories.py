"""Random histories against a model: only what a plan named goes (I6), the catalogue follows (I7)."""

from __future__ import annotations

import random
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.compaction import GRACE
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import (
    CheckpointError,
    Conflict,
    DeleteRefused,
    NotFound,
    PartialFailure,
    StoreUnavailable,
)
from checkpoint_assets.retention.execute import RetentionReport, execute
from checkpoint_assets.retention.plan import Plan, make_plan
from checkpoint_assets.retention.policy import Policies, Policy
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.catalogue.case import DAY, HOUR, Shop
from checkpoint_assets_tests.fault.scale import printed_seed, scaled
from checkpoint_assets_tests.retention.interrupted import InterruptedStore, Killed

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1200)]

HISTORIES = scaled(12, 300)
FLOOR = DAY
POLICIES = [
    Policies([Policy(name="week", keep_for=7 * DAY)]),
    Policies([Policy(name="last", keep_last=1)]),
    Policies([Policy(name="full", most_bytes=40)]),
    Policies(
        [Policy(name="broken", keep_for=2 * DAY, states=frozenset([SessionState.ABORTED]))],
        {"a": Policy(name="a", keep_last=2)},
    ),
]


@dataclass
class Session:
    """What the model knows of a session. ``there``: a reader sees it."""

    closed_at: datetime | None = None
    pinned: bool = False
    expires_at: datetime | None = None
    there: bool = True


class Model(Shop):
    """A shop whose calls can be interrupted, and what should be in it."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.weak = InterruptedStore(self.store)
        self.storage = StorageManager(self.store.url, store=self.weak, clock=self.clock)
        self.catalogue = Catalogue(self.storage, clock=self.clock)
        self.sessions: dict[str, Session] = {}
        self.plans: list[Plan] = []
        # Sessions of which somebody died before the catalogue was told.
        self.untold: set[str] = set()
        self.done: list[str] = []

    def one(self, *, there: bool = True) -> str | None:
        names = [name for name, session in self.sessions.items() if session.there is there]
        return self.chance.choice(names) if names else None

    async def interrupted(self, work: Awaitable[object], within: int = 8) -> object | None:
        """What the work returned; ``None`` if it was cut short. What is done after that is new."""
        error = self.chance.choice([Killed(), StoreUnavailable("503 SlowDown")])
        self.weak.interrupt(self.chance.randint(1, within), error, after=self.chance.random() < 0.5)
        try:
            return await work
        except (Killed, StoreUnavailable, PartialFailure):
            self.done.append(f"  interrupted by {error!r}")
            return None
        finally:
            self.weak.revive()

    # What may happen.

    async def do_capture(self) -> None:
        name = f"{self.chance.choice('ab')}{len(self.sessions):02d}"
        await self._store(name)
        await self._close(name)
        await self.catalogue.append_session(name, "run")

    async def _store(self, name: str) -> None:
        self.sessions[name] = Session()
        for number in range(self.chance.randint(1, 2)):
            await self.storage.store_step_data(name, f"{number}", html_content="x" * 10)

    async def _close(self, name: str) -> None:
        state = self.chance.choice([SessionState.COMPLETE, SessionState.ABORTED])
        manifest = await self.storage.close_session(name, state, manifest={"scenario": name[0]})
        self.sessions[name].closed_at = datetime.fromisoformat(manifest.closed_at)

    async def do_kill(self) -> None:
        """A capture that dies: its session stays open, and the catalogue knows nothing of it."""
        name = f"{self.chance.choice('ab')}{len(self.sessions):02d}"
        self.untold.add(name)
        await self.interrupted(self._store(name))
        # It may have died before its first step was whole.
        self.sessions[name].there = name in await self.storage.list_sessions()

    async def do_recover(self) -> None:
        """What a sensor does for the dead: close, and tell the catalogue."""
        for name in await self.storage.close_idle_sessions(HOUR):
            closed = (await self.storage.get_manifest(name)).closed_at
            self.sessions[name].closed_at = datetime.fromisoformat(closed)
            self.untold.add(name)
        for name in sorted(self.untold):
            await self.catalogue.append_session(name)
        self.untold.clear()

    async def do_expire(self) -> None:
        if name := self.one():
            ttl = self.chance.choice([HOUR, 3 * DAY])
            self.sessions[name].expires_at = await self.storage.set_expiration(name, ttl=ttl)
            await self.catalogue.append_events([name])

    async def do_pin(self) -> None:
        if name := self.one():
            await self.storage.pin(name, "mine")
            self.sessions[name].pinned = True
            if self.chance.random() < 0.5:  # whoever pins need not tell the catalogue at once
                await self.catalogue.append_events([name])
            else:
                self.untold.add(name)

    async def do_unpin(self) -> None:
        if name := self.one():
            await self.storage.unpin(name)
            self.sessions[name].pinned = False
            await self.catalogue.append_events([name])

    async def do_fault(self) -> None:
        """A call that is cut short, and made again by whoever lives on: it counts once."""
        if name := self.one():
            ends = self.clock.now() + 3 * DAY
            pins = self.chance.random() < 0.5

            def call() -> Awaitable[object]:
                if pins:
                    return self.storage.pin(name, "mine")
                return self.storage.set_expiration(name, expires_at=ends)

            await self.interrupted(call(), within=2)
            await call()
            if pins:
                self.sessions[name].pinned = True
            else:
                self.sessions[name].expires_at = ends
            if await self.interrupted(self.catalogue.append_events([name]), within=2) is None:
                self.untold.add(name)

    async def do_plan(self) -> None:
        policies = self.chance.choice(POLICIES)
        dry = await make_plan(
            self.storage, self.catalogue, policies, floor=FLOOR, most_share=1, clock=self.clock
        )
        self.plans.append(dry.plan)

    async def do_retain(self) -> None:
        await self.do_plan()
        await self.do_execute()

    async def do_execute(self) -> None:
        """Any plan that was made: a new one, or one that the world has moved on from."""
        if self.plans:
            plan = self.chance.choice(self.plans)
            await self._execute(plan, interrupt=self.chance.random() < 0.4)

    async def do_change_of_mind(self) -> None:
        """Between the plan and its execution somebody wants to keep a session that it names."""
        await self.do_plan()
        plan = self.plans[-1]
        if plan.doomed:
            name = self.chance.choice(plan.doomed).session_id
            if self.chance.random() < 0.5:
                await self.storage.pin(name, "wait")
                self.sessions[name].pinned = True
            elif self.sessions[name].there:
                self.sessions[name].expires_at = await self.storage.set_expiration(name, ttl=DAY)
            self.untold.add(name)
        await self._execute(plan, interrupt=False)

    async def _execute(self, plan: Plan, *, interrupt: bool) -> None:
        for again in (False, True):
            before = set(await self.storage.list_sessions())
            report: object | None = RetentionReport(plan.plan_id)
            try:
                work = execute(self.storage, self.catalogue, plan.plan_id, clock=self.clock)
                report = await self.interrupted(work) if interrupt and not again else await work
            except DeleteRefused as refused:
                self.done.append(f"  refused: {refused}")
            gone = before - set(await self.storage.list_sessions())
            self._judge(plan, gone)
            for name in gone:
                self.sessions[name].there = False
            if isinstance(report, RetentionReport) and not report.failed:
                return
            self.done.append("  run again")

    def _judge(self, plan: Plan, gone: set[str]) -> None:
        """I6: what went was named, is not pinned, was closed, and is old enough."""
        assert gone <= {entry.session_id for entry in plan.doomed}, "not named by the plan"
        for name in gone:
            session = self.sessions[name]
            assert not session.pinned, f"{name} was pinned"
            assert session.closed_at is not None, f"{name} was in flight"
            assert self.clock.now() - session.closed_at >= FLOOR, f"{name} was too young"
            entry = next(e for e in plan.doomed if e.session_id == name)
            expires = session.expires_at and isoformat(session.expires_at)
            assert expires == entry.expires_at, f"{name} was to expire at another time"

    async def do_restore(self) -> None:
        if name := self.one(there=False):
            await self.storage.restore_session(name)
            self.sessions[name].there = True
            await self.catalogue.append_session(name)

    async def do_compact(self) -> None:
        if await self.interrupted(self.catalogue.compact()) is None:
            await self.catalogue.compact()

    async def do_sweep(self) -> None:
        await self.storage.sweep()

    async def do_advance(self) -> None:
        self.clock.advance(self.chance.choice([GRACE, 12 * HOUR, 2 * DAY, 5 * DAY]))

    async def step(self) -> None:
        names = [name for name in dir(self) if name.startswith("do_")]
        name = self.chance.choice([*names, "do_capture", "do_capture", "do_retain", "do_advance"])
        self.done.append(name.removeprefix("do_"))
        try:
            await getattr(self, name)()
        except (Conflict, DeleteRefused, NotFound) as error:
            self.done.append(f"  refused: {error}")
        there = {name for name, session in self.sessions.items() if session.there}
        assert set(await self.storage.list_sessions()) == there, "I6: what is there is not as told"

    async def end(self) -> None:
        self.clock.advance(timedelta(hours=2))
        await self.do_recover()
        await self.assert_is_what_a_rebuild_says()


async def test_only_what_a_plan_named_goes_and_the_catalogue_follows() -> None:
    seed = printed_seed()
    for number in range(HISTORIES):
        model = Model(random.Random(f"{seed}/{number}"))
        try:
            for _ in range(25):
                await model.step()
            await model.end()
        except (AssertionError, CheckpointError) as error:
            story = "\n".join(model.done)
            raise AssertionError(f"history {number} of seed {seed}:\n{story}\n{error}") from error
