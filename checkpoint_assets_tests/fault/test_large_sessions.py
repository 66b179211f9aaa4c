"""Many keys: memory stays flat while they are listed, and they go a thousand at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from math import ceil

import boto3
import pytest

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3, GeneratedObjects
from checkpoint_assets_tests.fault.scale import scaled

pytestmark = pytest.mark.fault

SUFFIXES = ("action.json", "html", "metadata.json", "webp")
# With Python, boto3 and all that is imported, which takes half of it.
MOST_MEMORY = 150_000_000


@pytest.fixture
def server() -> Iterator[FaultyS3]:
    with FaultyS3(buckets=["checkpoints"]) as server:
        yield server


def keys(sessions: int, steps: int) -> GeneratedObjects:
    """The keys of so many sessions with so many steps each, four a step, in order."""

    def key_of(number: int) -> str:
        step, artifact = divmod(number, len(SUFFIXES))
        return f"s{step // steps:06d}/{step % steps:06d}-click.{SUFFIXES[artifact]}"

    return GeneratedObjects(sessions * steps * len(SUFFIXES), key_of)


def list_in_a_process(server: FaultyS3) -> tuple[int, int]:
    """The steps that were found, and the bytes that the process had at most."""
    module = "checkpoint_assets_tests.fault.listing_process"
    command = [sys.executable, "-m", module, server.endpoint_url, "s3://checkpoints"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    steps, memory = done.stdout.split()
    return int(steps), int(memory)


@pytest.mark.parametrize(
    ("sessions", "steps"), [(1, scaled(10_000, 250_000)), (scaled(40, 1000), 250)]
)
def test_listing_a_million_keys_takes_no_more_memory_than_one_page(
    server: FaultyS3, sessions: int, steps: int
) -> None:
    server.generate("checkpoints", keys(sessions, steps))
    found, memory = list_in_a_process(server)
    assert found == sessions * steps
    assert memory < MOST_MEMORY


async def test_deleting_a_session_takes_a_request_for_each_thousand_records_and_files(
    server: FaultyS3,
) -> None:
    steps = 1100
    server.generate("checkpoints", keys(1, steps))
    session = boto3.Session("testing-access-key", "testing-secret-key", region_name="us-east-1")
    client = session.client("s3", endpoint_url=server.endpoint_url)
    manager = StorageManager("s3://checkpoints", s3_client_factory=lambda: client)
    await manager.connect()
    server.forget_requests()
    await manager.delete_session("s000000", permanent=True)
    of_tombstone = 1
    requests = ceil(steps / 1000) + ceil(3 * steps / 1000) + of_tombstone
    assert server.counts["DeleteObjects"] == requests
    assert await manager.list_sessions() == []
