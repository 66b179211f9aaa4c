from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3Client
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.storage.spool_case import SpoolSite

KINDS = ["memory", "local", "s3"]
REGION = "us-west-2"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    # Only the server form of moto can be seen by obstore, which has its own HTTP client.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> S3Client:
    # Making a client takes longer than most tests; clients may be shared between threads.
    session = boto3.Session("testing-access-key", "testing-secret-key", region_name=REGION)
    return session.client("s3", endpoint_url=s3_endpoint)


@pytest.fixture(scope="session")
def shared_bucket(s3_client: S3Client) -> str:
    return make_bucket(s3_client)


def make_bucket(client: S3Client) -> str:
    """A new, empty bucket."""
    bucket = f"checkpoints-{next(_numbers)}"
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return bucket


@pytest.fixture
def s3_store(s3_client: S3Client, shared_bucket: str) -> S3Store:
    """An empty part of a bucket."""
    return S3Store(shared_bucket, f"some/{next(_numbers)}", client_factory=lambda: s3_client)


@pytest.fixture
def faulty_s3() -> Iterator[FaultyS3]:
    with FaultyS3(buckets=["checkpoints"]) as server:
        yield server


@pytest.fixture
def faulty_client(faulty_s3: FaultyS3) -> S3Client:
    return client_of(faulty_s3)


def client_of(server: FaultyS3) -> S3Client:
    """A boto3 client that tries once and gives up soon."""
    session = boto3.Session("testing-access-key", "testing-secret-key", region_name=REGION)
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    return session.client("s3", endpoint_url=server.endpoint_url, config=config)


@pytest.fixture
def faulty_store(faulty_client: S3Client) -> S3Store:
    """A bare store on a server that fails as it is told; requests end after two seconds."""
    return S3Store("checkpoints", client_factory=lambda: faulty_client, request_timeout=2)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    store: Store
    if request.param == "s3":
        store = request.getfixturevalue("s3_store")
    elif request.param == "local":
        store = LocalStore(tmp_path / "store")
    else:
        store = MemoryStore()
    await store.connect()
    return store


@pytest.fixture
def manager(store: Store) -> StorageManager:
    """A manager over an empty store of each kind."""
    return StorageManager(store.url, store=store)


@pytest.fixture
def make_manager(store: Store) -> Callable[..., StorageManager]:
    """Managers over the same store, with other options."""
    return lambda **options: StorageManager(store.url, store=store, **options)


@pytest.fixture(scope="session")
def spool_server() -> Iterator[FaultyS3]:
    with FaultyS3() as server:
        yield server


@pytest.fixture(scope="session")
def spool_client(spool_server: FaultyS3) -> S3Client:
    return client_of(spool_server)


@pytest.fixture
def spool_site(spool_server: FaultyS3, spool_client: S3Client, tmp_path: Path) -> SpoolSite:
    """An empty bucket on a server that fails as it is told, and a spool before it."""
    spool_server.clear_faults()
    spool_server.create_bucket("checkpoints")
    spool_server.forget_requests()
    return SpoolSite(spool_server, spool_client, tmp_path)
