"""Each fault of the faulty endpoint, once and for ever, in each operation of the S3 store.

Once: the operation succeeds with the right bytes. For ever: a typed error names the key, in time.
Whatever was acknowledged is there.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from checkpoint_assets.model.errors import (
    IntegrityError,
    S3ConfigError,
    S3OperationError,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.storage.commit import put_once
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.verifying import VerifyingStore
from checkpoint_assets.testing.faulty_s3 import Fault, FaultKind, FaultyS3, GeneratedObjects
from checkpoint_assets.testing.suites.store_case import listed, put, read
from checkpoint_assets_tests.storage_conformance.conftest import s3_client

KEY = "s1/0001-goto.html"
DATA = bytes(range(256)) * 40
# What a hanging server costs: each attempt waits this long.
PATIENCE = 0.4
POLICY = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.02, deadline=5)

OUTAGES: list[FaultKind] = ["internal_error", "slow_down", "too_many_requests", "reset", "hang"]
UPLOADS: list[FaultKind] = ["reset_upload", "request_conflict"]
ANSWERS: list[FaultKind] = ["lost_ack", "stall", "truncate"]
DAMAGES: list[FaultKind] = ["short", "corrupt"]
REFUSALS: list[FaultKind] = ["forbidden", "no_such_bucket"]


async def write(store: Store) -> None:
    await put_once(store, KEY, DATA, media_type="text/html", sha256=sha256_hex(DATA))
    assert await store.get(KEY) == DATA


async def fetch(store: Store) -> None:
    assert (await store.fetch(KEY)).data == DATA


async def open_(store: Store) -> None:
    assert await read(store, KEY) == DATA


async def stat(store: Store) -> None:
    assert (await store.stat(KEY)).size == len(DATA)


async def list_(store: Store) -> None:
    assert await listed(store, "s1/") == [KEY]


async def delete(store: Store) -> None:
    report = await store.delete([KEY])
    if report.failed:
        raise report.failed[KEY]
    assert await listed(store) == []


Operation = Callable[[Store], Awaitable[None]]

# The store's operation, S3's name of it, and the faults that can happen to it.
MATRIX: list[tuple[Operation, str, list[FaultKind]]] = [
    (write, "PutObject", [*OUTAGES, *UPLOADS, "lost_ack"]),
    (fetch, "GetObject", [*OUTAGES, *ANSWERS, *DAMAGES]),
    (open_, "GetObject", [*OUTAGES, *ANSWERS]),
    (stat, "HeadObject", [*OUTAGES, "lost_ack"]),
    (list_, "ListObjectsV2", [*OUTAGES, *ANSWERS, "short"]),
    (delete, "DeleteObjects", [*OUTAGES, *ANSWERS, "short", "error_in_ok"]),
]
CASES = [
    pytest.param(work, operation, kind, id=f"{operation}-{work.__name__}-{kind}")
    for work, operation, kinds in MATRIX
    for kind in kinds
]
# Waiting is what takes time, so a server that is silent for ever is met in one operation only.
STAYING = [
    case for case in CASES if case.values[0] is fetch or case.values[2] not in ("hang", "stall")
]


@pytest.fixture(scope="module")
def hasty_client(faulty_server: FaultyS3) -> Iterator[Any]:
    client = s3_client(faulty_server.endpoint_url, read_timeout=PATIENCE)
    yield client
    client.close()


@pytest.fixture
async def store(faulty: FaultyS3, hasty_client: Any) -> Store:
    """An S3 store as the manager stacks it, with little patience."""
    bucket = S3Store("checkpoints", client_factory=lambda: hasty_client, request_timeout=PATIENCE)
    return RetryingStore(VerifyingStore(bucket), POLICY)


async def prepare(store: Store, work: Operation) -> None:
    if work is not write:
        await put(store, KEY, DATA)


@pytest.mark.parametrize(("work", "operation", "kind"), CASES)
async def test_fault_that_happens_once_goes_unnoticed(
    store: Store, faulty: FaultyS3, work: Operation, operation: str, kind: FaultKind
) -> None:
    await prepare(store, work)
    faulty.inject(Fault(kind, operation))
    await work(store)
    assert faulty.pending_faults() == []


@pytest.mark.parametrize(("work", "operation", "kind"), STAYING)
async def test_fault_that_stays_is_a_typed_error_in_time(
    store: Store, faulty: FaultyS3, work: Operation, operation: str, kind: FaultKind
) -> None:
    await prepare(store, work)
    faulty.inject(Fault(kind, operation, times=None))
    faulty.forget_requests()
    begin = time.monotonic()
    if work is write and kind == "lost_ack":
        # It was done each time, and a look at the object tells.
        await work(store)
        return
    with pytest.raises((StoreUnavailable, IntegrityError)) as error:
        await work(store)
    assert time.monotonic() - begin < POLICY.deadline
    assert (error.value.key or "").startswith("s1/")
    assert POLICY.attempts <= faulty.counts[operation] <= 2 * POLICY.attempts
    faulty.clear_faults()
    if work is write:
        await work(store)
    elif work is not delete:
        assert await store.get(KEY) == DATA


@pytest.mark.parametrize(
    ("work", "operation", "kind"),
    [
        (work, operation, kind)
        for work, operation, _ in MATRIX
        for kind in REFUSALS
        # The answer to a HEAD has no body that could say what it is that was not found.
        if (operation, kind) != ("HeadObject", "no_such_bucket")
    ],
)
async def test_refusal_is_a_configuration_error_and_is_not_tried_again(
    store: Store, faulty: FaultyS3, work: Operation, operation: str, kind: FaultKind
) -> None:
    await prepare(store, work)
    faulty.inject(Fault(kind, operation, times=None))
    faulty.forget_requests()
    with pytest.raises(S3ConfigError) as error:
        await work(store)
    assert (error.value.key or "").startswith("s1/")
    assert faulty.counts[operation] == 1


@pytest.mark.parametrize("work", [operation for operation, _, _ in MATRIX])
async def test_server_that_is_gone_is_unavailable_at_once(
    store: Store, faulty: FaultyS3, work: Operation
) -> None:
    await prepare(store, work)
    with faulty.away():
        begin = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await work(store)
        assert time.monotonic() - begin < 2
    if work is not delete:
        await work(store)


async def test_upload_that_is_damaged_on_its_way_is_never_acknowledged(
    store: Store, faulty: FaultyS3
) -> None:
    faulty.inject(Fault("corrupt_upload", "PutObject", times=None))
    with pytest.raises(S3OperationError):
        await write(store)
    assert faulty.objects("checkpoints") == {}
    faulty.clear_faults()
    await write(store)


async def test_lost_answer_to_a_write_is_settled_by_looking(store: Store, faulty: FaultyS3) -> None:
    faulty.inject(Fault("lost_ack", "PutObject"))
    await write(store)
    assert faulty.objects("checkpoints") == {KEY: DATA}


async def test_keys_that_failed_are_reported_and_the_others_are_gone(
    store: Store, faulty: FaultyS3
) -> None:
    for key in ("s1/1.html", "s1/1.webp", "s1/2.html"):
        await put(store, key)
    faulty.inject(Fault("partial_delete", key="*.html", times=None))
    report = await store.delete(["s1/1.html", "s1/1.webp", "s1/2.html"])
    assert list(report.deleted) == ["s1/1.webp"]
    assert sorted(report.failed) == ["s1/1.html", "s1/2.html"]
    assert all(isinstance(error, StorageManagerError) for error in report.failed.values())
    assert sorted(faulty.objects("checkpoints")) == ["s1/1.html", "s1/2.html"]


async def test_only_keys_that_failed_for_now_are_deleted_again(
    store: Store, faulty: FaultyS3
) -> None:
    for key in ("s1/1.html", "s1/1.webp"):
        await put(store, key)
    faulty.inject(Fault("partial_delete", key="*.html", code="InternalError"))
    report = await store.delete(["s1/1.html", "s1/1.webp"])
    assert report.failed == {}
    assert faulty.objects("checkpoints") == {}
    assert faulty.counts["DeleteObjects"] == 2


@pytest.mark.parametrize("kind", ["truncate", "reset", "stall"])
async def test_long_listing_goes_on_where_it_broke_off(
    store: Store, faulty: FaultyS3, kind: FaultKind
) -> None:
    faulty.generate("checkpoints", GeneratedObjects(3500, lambda i: f"s1/{i:04d}.html"))
    faulty.inject(Fault(kind, "ListObjectsV2", after=2))
    assert await listed(store) == [f"s1/{i:04d}.html" for i in range(3500)]
