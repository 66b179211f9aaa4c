"""The conformance suite that every store passes. Public: yours can run it, too.

Install ``pytest`` and ``pytest-asyncio`` (``asyncio_mode = "auto"``), subclass :class:`StoreSuite`
in a test module, and give it an empty store::

    import pytest
    from checkpoint_assets.testing.store_suite import StoreSuite

    class TestMyStore(StoreSuite):
        @pytest.fixture
        async def store(self, tmp_path):
            yield MyStore(tmp_path)

        @pytest.fixture
        def reopen(self):                      # optional: the same place, opened once more
            return lambda store: MyStore(store.root)

The store must be empty for every test: a new folder, or a new prefix in a bucket. What a store does
is found out by trying (:class:`~checkpoint_assets.testing.store_case.StoreCapabilities`); a test of
something that is missing is skipped, and its reason says what.

:class:`StorageManagerSuite` runs the StorageManager over the same store. It needs the same fixture.

For readable failures, call ``pytest.register_assert_rewrite("checkpoint_assets.testing")`` in a
``conftest.py`` before anything imports this module.
"""

from __future__ import annotations

from checkpoint_assets.testing.manager_suite import StorageManagerSuite
from checkpoint_assets.testing.store_case import StoreCapabilities
from checkpoint_assets.testing.store_tests_concurrency import ConcurrencyTests
from checkpoint_assets.testing.store_tests_deleting import DeletingTests
from checkpoint_assets.testing.store_tests_listing import ListingTests
from checkpoint_assets.testing.store_tests_reading import ReadingTests
from checkpoint_assets.testing.store_tests_writing import WritingTests

__all__ = ["StorageManagerSuite", "StoreCapabilities", "StoreSuite"]


class StoreSuite(WritingTests, ReadingTests, ListingTests, DeletingTests, ConcurrencyTests):
    """Every promise of :mod:`checkpoint_assets.storage.store`, as tests."""
