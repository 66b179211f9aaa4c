"""The S3 store and the manager keep the contract on a real S3 server: Ceph's object gateway."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import pytest

from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite
from checkpoint_assets_tests.storage_conformance.conftest import new_s3_store, reopened

# The first test that needs it waits until the server is up.
pytestmark = [pytest.mark.s3, pytest.mark.timeout(300)]


class OnCeph:
    claims = frozenset({"create_only", "if_match", "media_types", "digests", "case"})

    @pytest.fixture
    def store(self, ceph_client: Any) -> Store:
        return patient(new_s3_store(bucket(ceph_client, "plain"), ceph_client))

    @pytest.fixture
    def reopen(self, ceph_client: Any) -> Callable[[RetryingStore], Store]:
        return lambda store: patient(reopened(ceph_client)(cast("S3Store", store.inner)))


class OnVersionedCeph(OnCeph):
    # This version of Ceph does not look at conditions where versions are kept.
    claims = frozenset({"media_types", "digests", "case", "versions"})

    @pytest.fixture
    def store(self, ceph_client: Any) -> Store:
        name = bucket(ceph_client, "versioned", versioning=True)
        return patient(new_s3_store(name, ceph_client))


def patient(store: S3Store) -> RetryingStore:
    """The losers of a race are told 500: they ask once more."""
    return RetryingStore(store, RetryPolicy(attempts=8, first_delay=0.02))


@cache
def bucket(client: Any, name: str, versioning: bool = False) -> str:
    """A bucket of this name, made when the first test asks for it."""
    client.create_bucket(Bucket=name)
    if versioning:
        status = {"Status": "Enabled"}
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration=status)
    return name


class TestS3StoreOnCeph(OnCeph, StoreSuite):
    pass


class TestStorageManagerOnCeph(OnCeph, StorageManagerSuite):
    pass


class TestS3StoreOnVersionedCeph(OnVersionedCeph, StoreSuite):
    pass


class TestStorageManagerOnVersionedCeph(OnVersionedCeph, StorageManagerSuite):
    pass
