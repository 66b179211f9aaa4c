"""The S3 store keeps the contract on moto's HTTP server, and so does the manager over it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.testing.store_suite import StoreSuite
from checkpoint_assets.testing.suites.manager_versions import ManagerVersionTests
from checkpoint_assets_tests.storage_conformance.conftest import new_s3_store, reopened


class OnMoto:
    claims = frozenset({"create_only", "if_match", "media_types", "digests", "case"})

    # It takes 6 s for a thousand objects, so here no listing has a second page.
    page = 50

    @pytest.fixture
    def store(self, moto: Any) -> S3Store:
        # moto lists in time that grows with the bucket, so each test has one of its own.
        bucket = f"checkpoints-{uuid4().hex}"
        moto.create_bucket(Bucket=bucket)
        return new_s3_store(bucket, moto)

    @pytest.fixture
    def reopen(self, moto: Any) -> Callable[[S3Store], S3Store]:
        return reopened(moto)

    @pytest.fixture
    async def versioned(self, store: S3Store) -> S3Store:
        await store.enable_versions()
        return store


class TestS3StoreOnMoto(OnMoto, StoreSuite):
    pass


class TestStorageManagerOnMoto(OnMoto, ManagerVersionTests):
    """The part of the suite that leans on the server most; each request costs moto dearly."""
