"""S3 servers that the conformance suites run against."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config

pytest.register_assert_rewrite("checkpoint_assets.testing.suites")

from checkpoint_assets.storage.s3 import S3Store  # noqa: E402 - after the rewriting of asserts
from checkpoint_assets.testing.ceph import (  # noqa: E402
    ACCESS_KEY,
    SECRET_KEY,
    Ceph,
    missing_commands,
)
from checkpoint_assets.testing.faulty_s3 import FaultyS3  # noqa: E402

_prefixes = count()


def s3_client(
    endpoint_url: str,
    access_key: str = "key",
    secret_key: str = "secret",
    *,
    read_timeout: float = 20,
) -> Any:
    """A boto3 client without retries: a test counts on what one request does."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(
            connect_timeout=2,
            read_timeout=read_timeout,
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
        ),
    )


def new_s3_store(bucket: str, client: Any) -> S3Store:
    """An empty store: a prefix of the bucket that nobody used before."""
    return S3Store(bucket, f"prefix/{next(_prefixes)}", client_factory=lambda: client)


def reopened(client: Any) -> Callable[[S3Store], S3Store]:
    """Opens the place of a store once more."""
    return lambda store: S3Store(store.bucket, store.prefix, client_factory=lambda: client)


@pytest.fixture(scope="session")
def moto() -> Iterator[Any]:
    """A client of moto's HTTP server."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = s3_client(f"http://{host}:{port}")
    yield client
    client.close()
    server.stop()


@pytest.fixture(scope="session")
def faulty_server() -> Iterator[FaultyS3]:
    with FaultyS3(buckets=["checkpoints"]) as server:
        yield server


@pytest.fixture
def faulty(faulty_server: FaultyS3) -> FaultyS3:
    """The faulty endpoint, with an empty bucket ``checkpoints`` and no faults."""
    faulty_server.clear_faults()
    faulty_server.create_bucket("checkpoints")
    faulty_server.forget_requests()
    return faulty_server


@pytest.fixture(scope="session")
def faulty_client(faulty_server: FaultyS3) -> Iterator[Any]:
    client = s3_client(faulty_server.endpoint_url)
    yield client
    client.close()


@pytest.fixture(scope="session")
def ceph(request: pytest.FixtureRequest) -> Iterator[Ceph]:
    """A real S3 server. Who asks for the group ``s3`` is told what is missing; others skip it."""
    if missing_commands() and "s3" not in request.config.option.markexpr:
        pytest.skip("Ceph is not installed; see checkpoint_assets.testing.ceph")
    with Ceph() as ceph:
        yield ceph


@pytest.fixture(scope="session")
def ceph_client(ceph: Ceph) -> Iterator[Any]:
    client = s3_client(ceph.endpoint_url, ACCESS_KEY, SECRET_KEY)
    yield client
    client.close()
