"""The conformance suite that every store passes. Public: yours can run it, too.

Install ``pytest`` and ``pytest-asyncio`` (``asyncio_mode = "auto"``), subclass :class:`StoreSuite`
in a test module, and give it an empty store::

    import pytest
    from checkpoint_assets.testing.store_suite import StoreSuite

    class TestMyStore(StoreSuite):
        claims = frozenset({"create_only", "if_match"})

        @pytest.fixture
        async def store(self, tmp_path):
            yield MyStore(tmp_path)

        @pytest.fixture
        def reopen(self):                      # optional: the same place, opened once more
            return lambda store: MyStore(store.root)

        @pytest.fixture
        async def versioned(self, store):      # optional: where a test may turn versions on
            await store.enable_versions()
            return store

The store must be empty for every test: a new folder, or a new prefix in a bucket. What a store
can do is found out by trying (:class:`StoreCapabilities`); a test of something that is missing is
skipped, and its reason says what, unless ``claims`` names it: then it must not be missing.

:class:`StorageManagerSuite` runs the StorageManager over the same store, from the same fixture.

For readable failures, have a ``conftest.py`` that calls
``pytest.register_assert_rewrite("checkpoint_assets.testing.suites")`` before this is imported.
"""

from __future__ import annotations

from checkpoint_assets.testing.manager_suite import StorageManagerSuite
from checkpoint_assets.testing.suites.store_case import StoreCapabilities
from checkpoint_assets.testing.suites.store_concurrency import ConcurrencyTests
from checkpoint_assets.testing.suites.store_deleting import DeletingTests
from checkpoint_assets.testing.suites.store_listing import ListingTests
from checkpoint_assets.testing.suites.store_reading import ReadingTests
from checkpoint_assets.testing.suites.store_versions import VersionTests
from checkpoint_assets.testing.suites.store_writing import WritingTests

__all__ = ["StorageManagerSuite", "StoreCapabilities", "StoreSuite"]


class StoreSuite(
    WritingTests, ReadingTests, ListingTests, DeletingTests, VersionTests, ConcurrencyTests
):
    """Every promise of :mod:`checkpoint_assets.storage.store`, as tests."""
