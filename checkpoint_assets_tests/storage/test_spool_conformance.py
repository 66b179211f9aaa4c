"""A store with a spool keeps the contract of stores, also while something waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite


class TestSpoolingStore(StoreSuite):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> Store:
        return SpoolingStore(MemoryStore(), Spool.in_folder(tmp_path / "spool"))


class TestStorageManagerWithSpool(StorageManagerSuite):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> Store:
        # Without a folder of its own the spool cannot say "nothing waits": each look is a real one.
        locks = Spool.in_folder(tmp_path / "spool").locks
        spool = Spool(MemoryStore(), MemoryStore(), MemoryStore(), locks)
        return SpoolingStore(MemoryStore(), spool)
