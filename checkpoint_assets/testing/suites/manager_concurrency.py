# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: writers, readers and deleters at once; threads, loops, blocking code."""

from __future__ import annotations

import asyncio

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    ACTION,
    HTML,
    METADATA,
    SCREENSHOT,
    ManagerCase,
    store_step,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities, in_threads

WRITERS = 6


class ManagerConcurrencyTests(ManagerCase):
    """No torn step whoever meets whom, and one manager serves everybody."""

    async def test_of_writers_of_one_step_exactly_one_wins(
        self, manager: StorageManager, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")

        async def write(number: int) -> bool:
            name = f"writer {number}"
            try:
                await manager.store_step_data(
                    "s1", "1", name, name.encode(), {"by": name}, {"by": name}
                )
            except Conflict:
                return False
            return True

        outcomes = await asyncio.gather(*map(write, range(WRITERS)))
        assert sum(outcomes) <= 1
        if any(outcomes):
            name = f"writer {outcomes.index(True)}"
            found = await manager.retrieve_step_data("s1", "1")
            assert found == (name, name.encode(), {"by": name}, {"by": name})
        else:
            # Each lost one file to another: nobody committed, and nothing is visible.
            assert await manager.list_steps_for_session("s1") == []

    async def test_writers_of_the_same_bytes_all_succeed(self, manager: StorageManager) -> None:
        await asyncio.gather(*(store_step(manager) for _ in range(WRITERS)))
        found = await manager.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)

    async def test_reader_meets_a_whole_step_or_none(self, manager: StorageManager) -> None:
        done = asyncio.Event()

        async def churn() -> None:
            for _ in range(4):
                await store_step(manager)
                await manager.delete_step("s1", "0001-goto", permanent=True)
            done.set()

        async def watch() -> None:
            while not done.is_set():
                # A store in memory gives nobody else a turn.
                await asyncio.sleep(0)
                try:
                    found = await manager.retrieve_step_data("s1", "0001-goto")
                except NotFound:
                    continue
                assert found == (HTML, SCREENSHOT, ACTION, METADATA)

        await asyncio.gather(churn(), watch(), watch())

    async def test_one_manager_serves_many_threads_and_event_loops(
        self, manager: StorageManager
    ) -> None:
        async def work(number: int) -> list[str]:
            await asyncio.gather(
                *(store_step(manager, f"s{number}", f"{step:04d}") for step in range(5))
            )
            return await manager.list_steps_for_session(f"s{number}")

        found = await in_threads(WRITERS, work)
        assert found == [[f"{step:04d}" for step in range(5)]] * WRITERS
        assert len(await manager.list_sessions()) == WRITERS

    async def test_blocking_manager_does_the_same_inside_a_running_loop(
        self, manager: StorageManager, store: Store
    ) -> None:
        with SyncStorageManager(store.url, store=store) as blocking:
            blocking.store_step_data("s1", "0001-goto", HTML, SCREENSHOT, ACTION, METADATA)
            assert blocking.list_sessions() == ["s1"]
            assert list(blocking.iter_steps("s1")) == ["0001-goto"]
            found = blocking.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)
        assert await manager.retrieve_step_data("s1", "0001-goto") == found
