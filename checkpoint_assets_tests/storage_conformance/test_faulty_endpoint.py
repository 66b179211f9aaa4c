"""The S3 store and the manager keep the contract on the faulty endpoint with no fault injected."""

from collections.abc import Callable
from typing import Any

import pytest

from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite
from checkpoint_assets_tests.storage_conformance.conftest import new_s3_store, reopened


class OnFaultyEndpoint:
    claims = frozenset({"create_only", "if_match", "media_types", "digests", "case"})

    @pytest.fixture
    def store(self, faulty: FaultyS3, faulty_client: Any) -> S3Store:
        return new_s3_store("checkpoints", faulty_client)

    @pytest.fixture
    def reopen(self, faulty_client: Any) -> Callable[[S3Store], S3Store]:
        return reopened(faulty_client)

    @pytest.fixture
    async def versioned(self, store: S3Store) -> S3Store:
        await store.enable_versions()
        return store


class TestS3StoreOnFaultyEndpoint(OnFaultyEndpoint, StoreSuite):
    pass


class TestStorageManagerOnFaultyEndpoint(OnFaultyEndpoint, StorageManagerSuite):
    pass
