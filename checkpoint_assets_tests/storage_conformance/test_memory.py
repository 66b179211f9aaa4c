"""The store in memory keeps the contract, and so does the manager over it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite


class InMemory:
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore(uuid4().hex)

    @pytest.fixture
    def reopen(self) -> Callable[[MemoryStore], MemoryStore]:
        return lambda store: MemoryStore(store.url.removeprefix("memory://"))


class TestMemoryStore(InMemory, StoreSuite):
    pass


class TestStorageManagerOnMemoryStore(InMemory, StorageManagerSuite):
    pass
