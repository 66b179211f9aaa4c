"""Each fault of S3, once and for ever, in each call: right bytes or a typed error, in time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

import boto3
import pytest
from botocore.config import Config

from checkpoint_assets.model.errors import PartialFailure, StorageManagerError
from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.verifying import VerifyingStore
from checkpoint_assets.testing.faulty_s3 import KINDS, Fault, FaultKind, FaultyS3
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Ledger
from checkpoint_assets_tests.fault.scale import scaled
from checkpoint_assets_tests.fault.writer_process import content

pytestmark = pytest.mark.fault

REQUEST_TIMEOUT = 0.25
POLICY = RetryPolicy(attempts=3, first_delay=0.01, longest_delay=0.02, deadline=5.0)
# No call makes more than this many requests one after the other, each with its deadline.
DEADLINE = 6 * POLICY.deadline

SECONDS: dict[FaultKind, float] = {"latency": 0.05, "wrong_clock": 3600.0}
# Only these can go wrong in this way; everything else can go wrong with any request.
OPERATIONS: dict[FaultKind, str] = {
    "partial_delete": "DeleteObjects",
    "lying_delete": "DeleteObjects",
    "error_in_ok": "DeleteObjects",
    "ignore_conditions": "PutObject",
    "corrupt_upload": "PutObject",
}
# These mean that something has to be mended; all others pass, and then nobody sees them.
LASTING: set[FaultKind] = {
    "forbidden",
    "no_such_bucket",
    "wrong_clock",
    "partial_delete",
    "lying_delete",
}

# How many of a call's requests are hit, one after the other. No call here makes more than ten.
REQUESTS = scaled(2, 10)

Call = Callable[[StorageManager, Ledger, str], Awaitable[None]]
_sessions = count()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    with FaultyS3(buckets=["checkpoints"]) as server:
        yield server


@pytest.fixture(scope="module", params=["without a spool", "with a spool"])
def manager(
    request: pytest.FixtureRequest, server: FaultyS3, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StorageManager]:
    # One for all tests: a client takes longer to make than most faults to be dealt with.
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        region_name="us-west-2",
        aws_access_key_id="testing-access-key",
        aws_secret_access_key="testing-secret-key",
        config=Config(
            connect_timeout=1, read_timeout=REQUEST_TIMEOUT, retries={"total_max_attempts": 1}
        ),
    )
    name = str(request.param).replace(" ", "-")
    bare = S3Store(
        "checkpoints", name, client_factory=lambda: client, request_timeout=REQUEST_TIMEOUT
    )
    store: Store = RetryingStore(VerifyingStore(bare), POLICY)
    if request.param == "with a spool":
        spool = Spool.in_folder(tmp_path_factory.mktemp("spool"), floor_bytes=0)
        store = SpoolingStore(store, spool, probe=bare)
    yield StorageManager(store.url, store=store)
    client.close()


async def store(manager: StorageManager, ledger: Ledger, session: str) -> None:
    step = (session, "new")
    entry = ledger.begin("store", step, content(*step))
    await manager.store_step_data(*step, *content(*step))
    ledger.end(entry)


async def retrieve(manager: StorageManager, ledger: Ledger, session: str) -> None:
    assert await manager.retrieve_step_data(session, "kept") == content(session, "kept")


async def list_steps(manager: StorageManager, ledger: Ledger, session: str) -> None:
    assert await manager.list_steps_for_session(session) == ["doomed", "kept"]
    assert session in await manager.list_sessions(prefix=session)


async def delete(manager: StorageManager, ledger: Ledger, session: str) -> None:
    entry = ledger.begin("remove", (session, "doomed"))
    await manager.delete_step(session, "doomed")
    ledger.end(entry)


CALLS: dict[str, Call] = {
    "store": store,
    "retrieve": retrieve,
    "list": list_steps,
    "delete": delete,
}


async def begin(manager: StorageManager) -> tuple[str, Ledger]:
    """A session with two steps, and what was promised of it."""
    session, ledger = f"session-{next(_sessions)}", Ledger()
    for step in ("kept", "doomed"):
        await manager.store_step_data(session, step, *content(session, step))
        ledger.stored((session, step), content(session, step))
    return session, ledger


async def outcome(
    server: FaultyS3, manager: StorageManager, call: str, fault: Fault
) -> StorageManagerError | None:
    """What the call ends in while the fault is there. The guarantees hold afterwards."""
    session, ledger = await begin(manager)
    await manager.get_capabilities()
    server.inject(fault)
    started = time.monotonic()
    failure: StorageManagerError | None = None
    try:
        await CALLS[call](manager, ledger, session)
    except StorageManagerError as error:
        failure = error
    finally:
        seconds = time.monotonic() - started
        hit = not server.pending_faults() or fault.times is None
        server.clear_faults()
    assert seconds < DEADLINE
    if failure is not None:
        assert hit, f"without any fault: {failure!r}"
        # A listing of all sessions is of no one key: it names the bucket.
        names = [session, "s3://checkpoints"] if call == "list" else [session]
        assert any(name in named(failure) for name in names), repr(failure)
    await assert_invariants(manager, ledger, sessions=[session])
    return failure


def named(error: StorageManagerError) -> str:
    """All that the error says about what failed."""
    failures = error.failures if isinstance(error, PartialFailure) else {}
    return " ".join([str(error), str(error.key), *failures])


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
async def test_fault_for_ever_ends_in_right_bytes_or_in_a_typed_error_and_loses_nothing(
    server: FaultyS3, manager: StorageManager, kind: FaultKind, call: str
):
    fault = Fault(kind, OPERATIONS.get(kind), times=None, seconds=SECONDS.get(kind))
    await outcome(server, manager, call, fault)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", KINDS)
async def test_fault_of_any_one_request_passes_unseen_or_ends_in_a_typed_error(
    server: FaultyS3, manager: StorageManager, kind: FaultKind, call: str
):
    for after in range(REQUESTS):
        fault = Fault(kind, OPERATIONS.get(kind), after=after, seconds=SECONDS.get(kind))
        failure = await outcome(server, manager, call, fault)
        assert failure is None or kind in LASTING, f"{kind} was not tried again: {failure!r}"
