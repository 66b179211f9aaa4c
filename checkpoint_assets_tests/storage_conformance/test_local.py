"""The store in a folder keeps the contract."""

from collections.abc import Callable
from pathlib import Path

import pytest

from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.testing.store_suite import StoreSuite


class TestLocalStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "store")

    @pytest.fixture
    def reopen(self) -> Callable[[LocalStore], LocalStore]:
        return lambda store: LocalStore(store.root)
