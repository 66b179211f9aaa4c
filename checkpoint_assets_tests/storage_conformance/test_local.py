"""The store in a folder keeps the contract, and so does the manager over it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite


class InFolder:
    claims = frozenset({"create_only", "if_match"})

    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "store")

    @pytest.fixture
    def reopen(self) -> Callable[[LocalStore], LocalStore]:
        return lambda store: LocalStore(store.root)

    @pytest.fixture
    async def versioned(self, store: LocalStore) -> LocalStore:
        await store.enable_versions()
        return store


class TestLocalStore(InFolder, StoreSuite):
    pass


class TestStorageManagerOnLocalStore(InFolder, StorageManagerSuite):
    pass
