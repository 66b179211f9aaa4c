"""What can go wrong between the catalogue and S3: no row is lost or there twice, and it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.errors import NotSupported, StorageError
from checkpoint_assets.retention.plan import make_plan, read_plan
from checkpoint_assets.retention.policy import Policies
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets.testing.s3_faults import Fault, FaultKind
from checkpoint_assets_tests.catalogue.programs import manager
from checkpoint_assets_tests.fault.writer_process import client

# Keys, and how many writes go well before: the first HEAD is created, the second is swapped.
PUTS = [
    ("_catalog/fragments/*", 0),
    ("_catalog/steps/*", 0),
    ("_catalog/sessions/*", 1),
    ("_catalog/HEAD.json", 0),
    ("_catalog/HEAD.json", 1),
]
URL = "s3://checkpoints"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    with FaultyS3(buckets=["checkpoints"]) as server:
        yield server


@pytest.fixture
async def storage(server: FaultyS3) -> AsyncIterator[StorageManager]:
    server.clear_faults()
    server.create_bucket("checkpoints")
    storage = manager(URL, server.endpoint_url)
    await storage.connect()
    yield storage
    await storage.close()


async def capture(storage: StorageManager, session: str) -> None:
    await storage.store_step_data(session, "0001-goto", html_content="<p>")
    await storage.close_session(session)


@pytest.mark.parametrize(("key", "after"), PUTS)
@pytest.mark.parametrize("kind", ["lost_ack", "internal_error", "reset"])
async def test_fault_of_one_write_is_made_up_for(
    server: FaultyS3, storage: StorageManager, key: str, after: int, kind: FaultKind
) -> None:
    catalogue = Catalogue(storage)
    for session in ("s1", "s2"):
        await capture(storage, session)
    server.inject(Fault(kind, "PutObject", f"*{key}", after=after))
    await catalogue.append_session("s1", "run")
    await catalogue.compact()
    await catalogue.append_session("s2", "run")
    await catalogue.compact()

    assert not server.pending_faults()
    assert list((await catalogue.steps())["session_id"]) == ["s1", "s2"]


async def test_short_read_of_a_file_is_never_taken_for_the_catalogue(
    server: FaultyS3, storage: StorageManager
) -> None:
    catalogue = Catalogue(storage)
    await capture(storage, "s1")
    await catalogue.append_session("s1", "run")
    await catalogue.compact()
    server.inject(Fault("short", "GetObject", "*_catalog/steps/*", times=None))

    with pytest.raises(StorageError):
        await catalogue.steps()


async def test_server_that_ignores_conditions_gets_no_head(server: FaultyS3) -> None:
    server.clear_faults()
    server.create_bucket("plain")
    server.inject(Fault("ignore_conditions", times=None))
    made = client(server.endpoint_url)
    storage = StorageManager("s3://plain", s3_client_factory=lambda: made, racy_creates=True)
    catalogue = Catalogue(storage)
    await capture(storage, "s1")
    await catalogue.append_session("s1", "run")
    with pytest.raises(NotSupported):
        await catalogue.compact()

    assert list((await catalogue.steps())["session_id"]) == ["s1"]
    await storage.close()
    server.clear_faults()


async def test_plan_whose_answer_is_lost_is_there(
    server: FaultyS3, storage: StorageManager
) -> None:
    server.inject(Fault("lost_ack", "PutObject", "*_retention/plans/*", times=1))
    dry = await make_plan(storage, Catalogue(storage), Policies())

    assert await read_plan(storage, dry.plan.plan_id) == dry.plan
