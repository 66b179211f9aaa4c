"""The conformance suites on a bucket of yours.

``CHECKPOINT_TEST_S3_URL=s3://bucket/prefix pytest -m s3 -k OwnBucket``, with credentials from the
AWS default chain, ``SM_S3_REGION`` and, for a server that is not Amazon's, ``SM_S3_ENDPOINT_URL``.
What the suites write is below the prefix, and removed again.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import default_client_factory
from checkpoint_assets.testing.store_suite import StorageManagerSuite, StoreSuite
from checkpoint_assets.testing.suites.store_case import listed

VARIABLE = "CHECKPOINT_TEST_S3_URL"

pytestmark = pytest.mark.s3

if VARIABLE not in os.environ:
    pytest.skip(f"{VARIABLE} is not set", allow_module_level=True)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    region = os.environ.get("SM_S3_REGION", "us-west-2")
    client = default_client_factory(region, os.environ.get("SM_S3_ENDPOINT_URL"))()
    yield client
    client.close()


class OnOwnBucket:
    @pytest.fixture
    async def store(self, client: Any) -> AsyncIterator[S3Store]:
        url = urlsplit(os.environ[VARIABLE])
        prefix = f"{url.path.strip('/')}/conformance-{uuid4().hex}".strip("/")
        store = S3Store(url.netloc, prefix, client_factory=lambda: client)
        yield store
        await store.delete(await listed(store))

    @pytest.fixture
    def reopen(self, client: Any) -> Callable[[S3Store], S3Store]:
        return lambda store: S3Store(store.bucket, store.prefix, client_factory=lambda: client)


class TestS3StoreOnOwnBucket(OnOwnBucket, StoreSuite):
    pass


class TestStorageManagerOnOwnBucket(OnOwnBucket, StorageManagerSuite):
    pass
