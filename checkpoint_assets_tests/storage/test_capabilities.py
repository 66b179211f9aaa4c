"""What a store is found to do, and what is refused where it does less."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoint_assets.model.clock import ManualClock, system_clock
from checkpoint_assets.model.errors import Conflict, NotSupported, S3ConfigError
from checkpoint_assets.storage.capabilities import VALID_FOR, find_capabilities
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3Client
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault, FaultyS3


async def test_an_honest_server_is_found_to_honour_everything(faulty_store: S3Store):
    found = await find_capabilities(faulty_store, system_clock)
    for name in ("create_only", "if_match", "metadata", "ranges", "delete", "checksums", "tags"):
        assert getattr(found, name) is True, name
    assert found.multipart_create_only is True
    assert found.lifecycle is True
    assert found.versions is False
    assert abs(found.clock_skew or 0) < 60


async def test_the_probe_leaves_only_its_result(faulty_s3: FaultyS3, faulty_store: S3Store):
    await find_capabilities(faulty_store, system_clock)
    assert list(faulty_s3.objects("checkpoints")) == ["_probe/capabilities.json"]
    assert faulty_s3.uploads("checkpoints") == []


async def test_a_bucket_is_probed_once_and_again_after_days(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    clock = ManualClock(system_clock.now())
    first = await find_capabilities(faulty_store, clock)
    faulty_s3.forget_requests()
    assert await find_capabilities(faulty_store, clock) == first
    assert faulty_s3.counts["PutObject"] == 0
    clock.advance(VALID_FOR + timedelta(hours=1))
    await find_capabilities(faulty_store, clock)
    assert faulty_s3.counts["PutObject"] > 5


async def test_a_bucket_is_probed_again_when_its_versioning_has_changed(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    assert (await find_capabilities(faulty_store, system_clock)).versions is False
    await faulty_store.enable_versions()
    assert (await find_capabilities(faulty_store, system_clock)).versions is True


@pytest.mark.parametrize("kept", [b"", b"[]", b"{", b'{"probed_at":"x","found":{}}', b"null"])
async def test_a_result_that_cannot_be_read_is_no_result(faulty_store: S3Store, kept: bytes):
    await faulty_store.put(
        "_probe/capabilities.json", kept, media_type="application/json", sha256="0" * 64
    )
    assert (await find_capabilities(faulty_store, system_clock)).create_only is True


async def test_what_these_credentials_may_not_ask_is_unknown(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("forbidden", operation="PutObjectTagging", times=None))
    faulty_s3.inject(Fault("forbidden", operation="GetBucketLifecycleConfiguration", times=None))
    found = await find_capabilities(faulty_store, system_clock)
    assert (found.tags, found.lifecycle, found.create_only) == (None, None, True)


async def test_a_delete_that_deletes_nothing_is_found_out(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("lying_delete", times=None))
    assert (await find_capabilities(faulty_store, system_clock)).delete is False


async def test_storing_is_refused_where_two_writers_could_both_win(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("ignore_conditions", times=None))
    manager = StorageManager(store=faulty_store)
    with pytest.raises(NotSupported, match="create-only"):
        await manager.store_step_data("s1", "a", "x")
    assert manager.get_storage_info()["capabilities"]["create_only"] is False
    assert await manager.list_sessions() == []


async def test_who_accepts_that_two_may_win_is_told_where_it_can_be_seen(
    faulty_s3: FaultyS3, faulty_store: S3Store, caplog: pytest.LogCaptureFixture
):
    faulty_s3.inject(Fault("ignore_conditions", times=None))
    manager = StorageManager(store=faulty_store, racy_creates=True)
    await manager.store_step_data("s1", "a", "x")
    with pytest.raises(Conflict):
        await manager.store_step_data("s1", "a", "y")
    assert "does not honour conditions" in caplog.text


@pytest.fixture
async def versioned_and_careless(faulty_s3: FaultyS3, faulty_client: S3Client):
    """Two managers over a bucket with versions whose server ignores conditions, as Ceph 16 does."""
    faulty_s3.create_bucket("versioned", versioning=True)
    faulty_s3.inject(Fault("ignore_conditions", times=None))
    stores = [S3Store("versioned", client_factory=lambda: faulty_client) for _ in range(2)]
    managers = [StorageManager(store=store) for store in stores]
    for manager in managers:
        await manager.connect()
    return managers


async def test_with_versions_one_of_two_writers_still_loses(versioned_and_careless):
    results = await asyncio.gather(
        *(
            manager.store_step_data("s1", "a", f"by {n}")
            for n, manager in enumerate(versioned_and_careless * 3)
        ),
        return_exceptions=True,
    )
    won = [n for n, result in enumerate(results) if not isinstance(result, Exception)]
    assert all(isinstance(r, (dict, Conflict)) for r in results)
    assert len(won) <= 1
    if won:
        html, *_ = await versioned_and_careless[0].retrieve_step_data("s1", "a")
        assert html == f"by {won[0]}"


async def test_with_versions_counting_by_compare_and_swap_loses_nothing(versioned_and_careless):
    await versioned_and_careless[0].write_object("_catalog/HEAD", b"00")

    async def add_one(manager: StorageManager) -> None:
        while True:
            stored = await manager.read_object("_catalog/HEAD")
            more = b"%02d" % (int(stored.data) + 1)
            try:
                await manager.write_object("_catalog/HEAD", more, if_match=stored.info.etag)
            except Conflict:
                continue
            return

    await asyncio.gather(*(add_one(manager) for manager in versioned_and_careless * 2))
    assert (await versioned_and_careless[0].read_object("_catalog/HEAD")).data == b"04"


async def test_replacing_is_refused_where_create_only_is_not_honoured(versioned_and_careless):
    with pytest.raises(NotSupported, match="create-only"):
        await versioned_and_careless[0].store_step_data("s1", "a", "x", replace=True)


async def test_what_was_deleted_can_be_restored_there_all_the_same(versioned_and_careless):
    manager, _ = versioned_and_careless
    await manager.store_step_data("s1", "a", "x")
    await manager.delete_session("s1")
    await manager.restore_session("s1")
    assert (await manager.retrieve_step_data("s1", "a"))[0] == "x"


async def test_a_wrong_bucket_is_told_by_connecting(faulty_client: S3Client):
    manager = StorageManager(store=S3Store("elsewhere", client_factory=lambda: faulty_client))
    with pytest.raises(S3ConfigError):
        await manager.connect()
    assert manager.get_storage_info()["capabilities"] is None


@pytest.mark.parametrize("kind", ["memory", "local"])
async def test_our_own_stores_need_no_probe(kind: str, tmp_path: Path):
    store = MemoryStore() if kind == "memory" else LocalStore(tmp_path)
    manager = StorageManager(store=store)
    await manager.connect()
    found = manager.get_storage_info()["capabilities"]
    assert (found["create_only"], found["if_match"], found["versions"]) == (True, True, False)
    assert json.dumps(found)
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a test may look at its folder
