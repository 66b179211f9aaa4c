"""One manager, used from many threads and event loops at once, and by some that give up midway."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Content, Ledger, Step
from checkpoint_assets_tests.fault.scale import printed_seed, scaled
from checkpoint_assets_tests.fault.writer_process import client, content

pytestmark = pytest.mark.fault

THREADS = scaled(4, 12)
STEPS = scaled(6, 40)
# Each thread runs this many event loops, one after the other: a manager outlives all of them.
LOOPS = 2
SHARED = ("shared", "1")


class SharedLedger(Ledger):
    """A ledger that threads write into."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)
        self._lock = threading.Lock()

    def _tick(self) -> int:
        with self._lock:
            return next(self._numbers)


@pytest.fixture(params=["memory", "local", "s3"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StorageManager]:
    if request.param == "memory":
        yield StorageManager("memory://")
    elif request.param == "local":
        yield StorageManager(tmp_path.as_uri())
    else:
        with FaultyS3(buckets=["checkpoints"]) as server:
            made = client(server.endpoint_url)
            yield StorageManager("s3://checkpoints", s3_client_factory=lambda: made)
            made.close()


class Visitor:
    """What one event loop of one thread does with the manager."""

    def __init__(
        self, manager: StorageManager, ledger: Ledger, thread: int, loop: int, seed: int
    ) -> None:
        self.manager = manager
        self.ledger = ledger
        self.session = f"s{thread}"
        self.loop = loop
        self.chance = random.Random(f"{seed}/{thread}/{loop}")

    async def work(self) -> None:
        await asyncio.gather(
            *map(self.own_step, range(STEPS)),
            self.shared_step(),
            self.step_given_up(),
            self.look_around(),
        )

    async def store(self, step: Step, what: Content) -> None:
        stored = self.ledger.begin("store", step, what)
        await self.manager.store_step_data(*step, *what)
        self.ledger.end(stored)

    async def own_step(self, number: int) -> None:
        step = (self.session, f"{self.loop}-{number:04d}")
        await asyncio.sleep(self.chance.random() / 1000)
        await self.store(step, content(*step))
        if number % 3 == 0:
            removed = self.ledger.begin("remove", step)
            await self.manager.delete_step(*step)
            self.ledger.end(removed)
        elif number % 3 == 1:
            assert await self.manager.retrieve_step_data(*step) == content(*step)

    async def shared_step(self) -> None:
        # Everybody wants the same step; only the record tells whose it is.
        with suppress(Conflict):
            await self.store(SHARED, (*content(*SHARED)[:3], {"by": self.session}))

    async def step_given_up(self) -> None:
        step = (self.session, f"{self.loop}-given-up")
        with suppress(TimeoutError):
            async with asyncio.timeout(self.chance.random() / 200):
                await self.store(step, content(*step))

    async def look_around(self) -> None:
        for session in await self.manager.list_sessions():
            for step in await self.manager.list_steps_for_session(session, limit=5):
                with suppress(NotFound):  # deleted since it was listed
                    await self.manager.retrieve_step_data(session, step)


async def test_one_manager_serves_many_threads_and_event_loops(manager: StorageManager):
    seed = printed_seed()
    ledger = SharedLedger()

    def thread(number: int) -> None:
        for loop in range(LOOPS):
            asyncio.run(Visitor(manager, ledger, number, loop, seed).work())

    with ThreadPoolExecutor(THREADS) as threads:
        running = [
            asyncio.get_running_loop().run_in_executor(threads, thread, number)
            for number in range(THREADS)
        ]
        # The test's own loop uses the manager at the same time.
        await Visitor(manager, ledger, THREADS, 0, seed).work()
        await asyncio.gather(*running)
    await assert_invariants(manager, ledger)
    stored = [entry for entry in ledger.of(SHARED, "store") if entry.acknowledged]
    assert stored
    await manager.close()
