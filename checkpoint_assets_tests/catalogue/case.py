"""A small store with a catalogue, for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.storage.keys import FRAGMENTS_PREFIX
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Shop:
    """A store in memory, its catalogue, and a clock that both go by."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryStore(clock=self.clock)
        self.storage = StorageManager(self.store.url, store=self.store, clock=self.clock)
        self.catalogue = Catalogue(self.storage, clock=self.clock)

    async def capture(self, session: str, steps: int = 2, *, append: bool = True) -> None:
        """A session that was captured and closed, and is in the catalogue unless said otherwise."""
        for number in range(1, steps + 1):
            await self.storage.store_step_data(
                session,
                f"{number:04d}-click",
                html_content=f"<p>{session} {number}",
                action_data={"kind": "click", "selector": f"#b{number}"},
                metadata={"url": "https://shop.example/"},
            )
        await self.storage.close_session(session, manifest={"scenario": "checkout"})
        if append:
            await self.catalogue.append_session(session, "run-1")

    async def frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Everything that the catalogue says."""
        return await self.catalogue.steps(), await self.catalogue.sessions()

    async def ids(self) -> list[str]:
        return list((await self.catalogue.sessions())["session_id"])

    async def fragments(self) -> list[str]:
        return [info.key async for info in self.storage.iter_objects(FRAGMENTS_PREFIX)]

    async def assert_is_what_a_rebuild_says(self) -> None:
        """I7: the catalogue is a function of the store."""
        before = await self.frames()
        await self.catalogue.rebuild()
        for mine, theirs in zip(before, await self.frames(), strict=True):
            pd.testing.assert_frame_equal(mine, theirs)
