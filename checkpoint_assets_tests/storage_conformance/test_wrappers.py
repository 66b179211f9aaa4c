"""Wrappers keep the contract of the store below them, and so does the manager over them."""

from pathlib import Path
from uuid import uuid4

import pytest

from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.retrying import RetryingStore
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.verifying import VerifyingStore
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite


class Wrapped:
    claims = frozenset({"create_only", "if_match", "media_types", "digests", "case"})

    @pytest.fixture
    def store(self) -> RetryingStore:
        inner = MemoryStore(uuid4().hex)
        return RetryingStore(VerifyingStore(inner, check_writes=True))

    @pytest.fixture
    async def versioned(self, store: Store) -> Store:
        await store.enable_versions()
        return store


class Spooling(Wrapped):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SpoolingStore:
        spool = Spool.in_folder(tmp_path / "spool")
        return SpoolingStore(MemoryStore(uuid4().hex), spool)


class TestRetryingAndVerifyingStore(Wrapped, StoreSuite):
    pass


class TestSpoolingStore(Spooling, StoreSuite):
    pass


class TestStorageManagerOnSpoolingStore(Spooling, StorageManagerSuite):
    pass
