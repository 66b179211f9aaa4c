"""The store in memory keeps the contract, and so does the manager over it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite


class InMemory:
    claims = frozenset({"create_only", "if_match", "media_types", "digests", "case"})

    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(uuid4().hex)

    @pytest.fixture
    def reopen(self) -> Callable[[MemoryStore], MemoryStore]:
        return lambda store: MemoryStore(store.url.removeprefix("memory://"))

    @pytest.fixture
    async def versioned(self, store: MemoryStore) -> MemoryStore:
        await store.enable_versions()
        return store


class TestMemoryStore(InMemory, StoreSuite):
    pass


class TestStorageManagerOnMemoryStore(InMemory, StorageManagerSuite):
    pass
