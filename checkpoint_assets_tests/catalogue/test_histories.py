"""Random histories: the catalogue is always what a rebuild from the store would make of it (I7)."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from checkpoint_assets.catalogue.compaction import GRACE
from checkpoint_assets.model.errors import CheckpointError, Conflict, DeleteRefused, NotFound
from checkpoint_assets_tests.catalogue.case import DAY, START, Shop
from checkpoint_assets_tests.fault.scale import printed_seed, scaled

pytestmark = pytest.mark.fault

SESSIONS = ("s1", "s1-a", "s10", "s2", "z")
STEPS = ("0001-goto", "0002-click", "last")


class History:
    """Does things at random, tells the catalogue of each as the callers do, and checks."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.shop = Shop()
        self.done: list[str] = []

    async def step(self) -> None:
        session = self.chance.choice(SESSIONS)
        kind = self.chance.choice(
            [
                *(
                    "capture",
                    "capture",
                    "delete_step",
                    "delete",
                    "restore",
                    "purge",
                    "pin",
                    "unpin",
                ),
                *("expire", "expire_step", "clear", "compact", "compact", "rebuild", "advance"),
                *("sweep", "append", "tell", "several"),
            ]
        )
        self.done.append(f"{kind} {session}")
        try:
            await getattr(self, kind)(session)
        except (Conflict, DeleteRefused, NotFound) as error:
            self.done.append(f"  refused: {error}")

    async def capture(self, session: str) -> None:
        try:
            for step in self.chance.sample(STEPS, self.chance.randint(1, 3)):
                await self.shop.storage.store_step_data(session, step, html_content=step)
            if self.chance.random() < 0.5:
                await self.shop.storage.close_session(session, manifest={"scenario": "a"})
        finally:
            await self.append(session)

    async def append(self, session: str) -> None:
        await self.shop.catalogue.append_session(session, self.chance.choice(["r1", "r2"]))

    async def tell(self, session: str) -> None:
        await self.shop.catalogue.append_events([session])

    async def delete_step(self, session: str) -> None:
        await self.shop.storage.delete_step(session, self.chance.choice(STEPS))
        await self.append(session)

    async def delete(self, session: str) -> None:
        await self.shop.storage.delete_session(session)
        await self.tell(session)

    async def purge(self, session: str) -> None:
        await self.shop.storage.delete_session(session, permanent=True)
        await self.tell(session)

    async def restore(self, session: str) -> None:
        await self.shop.storage.restore_session(session)
        await self.append(session)

    async def pin(self, session: str) -> None:
        await self.shop.storage.pin(session, self.chance.choice(["mine", "yours"]))
        await self.tell(session)

    async def unpin(self, session: str) -> None:
        await self.shop.storage.unpin(session)
        await self.tell(session)

    async def expire(self, session: str) -> None:
        moment = START + self.chance.randint(1, 9) * DAY
        await self.shop.storage.set_expiration(session, expires_at=moment)
        await self.tell(session)

    async def expire_step(self, session: str) -> None:
        moment = START + self.chance.randint(1, 9) * DAY
        step = self.chance.choice(STEPS)
        await self.shop.storage.set_expiration(session, step, expires_at=moment)
        await self.tell(session)

    async def clear(self, session: str) -> None:
        await self.shop.storage.clear_expiration(session)
        await self.tell(session)

    async def several(self, _: str) -> None:
        await self.shop.catalogue.append_events(self.chance.sample(SESSIONS, 3))

    async def sweep(self, _: str) -> None:
        report = await self.shop.storage.sweep()
        # Sweeping takes expiries with it: whoever sweeps tells of it.
        await self.shop.catalogue.append_events({name.partition("/")[0] for name in report.swept})

    async def compact(self, _: str) -> None:
        before = await self.shop.frames()
        await self.shop.catalogue.compact()
        after = await self.shop.frames()
        assert all(a.equals(b) for a, b in zip(before, after, strict=True)), "compaction changed it"

    async def rebuild(self, _: str) -> None:
        await self.shop.assert_is_what_a_rebuild_says()

    async def advance(self, _: str) -> None:
        by = self.chance.choice([timedelta(seconds=1), GRACE, 2 * DAY])
        self.shop.clock.advance(by)


async def test_catalogue_is_what_a_rebuild_says_after_any_history() -> None:
    seed = printed_seed()
    for number in range(scaled(12, 500)):
        history = History(random.Random(f"{seed}/{number}"))
        try:
            for _ in range(30):
                await history.step()
            await history.shop.assert_is_what_a_rebuild_says()
        except (AssertionError, CheckpointError) as error:
            story = "\n".join(history.done)
            raise AssertionError(f"history {number} of seed {seed}:\n{story}\n{error}") from error
