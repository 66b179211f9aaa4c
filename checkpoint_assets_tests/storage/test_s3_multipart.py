"""Large objects in parts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.errors import Conflict, StoreUnavailable
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_multipart import PART, THRESHOLD
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault, FaultyS3

LARGE = bytes(range(256)) * (THRESHOLD // 256) + b"and more"
PARTS = -(-len(LARGE) // PART)


@pytest.fixture
def store(faulty_store: S3Store) -> S3Store:
    faulty_store.multipart_conditions = True
    return faulty_store


async def put(store: S3Store, key: str = "a/b", data: bytes = LARGE, **how: object):
    return await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), **how)


async def test_a_large_object_goes_up_in_parts(faulty_s3: FaultyS3, store: S3Store):
    await put(store)
    assert faulty_s3.counts["UploadPart"] == PARTS
    assert faulty_s3.counts["PutObject"] == 0
    stored = await store.fetch("a/b")
    assert stored.data == LARGE
    assert (stored.info.sha256, stored.info.media_type) == (sha256_hex(LARGE), "x/y")


async def test_a_large_object_is_created_only_once(store: S3Store):
    await put(store)
    with pytest.raises(Conflict):
        await put(store, data=LARGE + b"!")
    assert await store.get("a/b") == LARGE


async def test_where_conditions_do_not_hold_for_parts_it_is_one_request(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    await put(faulty_store)
    assert (faulty_s3.counts["UploadPart"], faulty_s3.counts["PutObject"]) == (0, 1)


async def test_parts_of_an_upload_that_fails_are_aborted(faulty_s3: FaultyS3, store: S3Store):
    faulty_s3.inject(Fault("internal_error", operation="UploadPart", after=1, times=None))
    with pytest.raises(StoreUnavailable) as caught:
        await put(store)
    assert caught.value.key == "a/b"
    assert faulty_s3.uploads("checkpoints") == []


async def test_parts_of_an_upload_that_is_cancelled_are_aborted(
    faulty_s3: FaultyS3, store: S3Store
):
    faulty_s3.inject(Fault("latency", operation="UploadPart", seconds=0.3, times=None))
    upload = asyncio.create_task(put(store))
    while not faulty_s3.counts["UploadPart"]:
        await asyncio.sleep(0.01)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert faulty_s3.uploads("checkpoints") == []


async def test_the_sweep_aborts_what_a_killed_process_began(faulty_s3: FaultyS3, store: S3Store):
    store.control.begin_upload("s1/a.html", {})
    left = await store.leftovers(datetime.now(UTC) - timedelta(days=1))
    assert list(left) == []
    left = await store.leftovers(datetime.now(UTC) + timedelta(minutes=1))
    assert [name.partition("?")[0] for name in left] == ["s1/a.html"]
    await store.remove_leftovers(left)
    await store.remove_leftovers(left)
    assert faulty_s3.uploads("checkpoints") == []


async def test_a_large_artifact_is_stored_in_parts_and_streamed(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", LARGE)
    # The probe has found that this server keeps conditions on uploads.
    assert faulty_s3.counts["UploadPart"] == PARTS + 1
    chunks = [chunk async for chunk in manager.open_artifact("s1", "a", "html")]
    assert b"".join(chunks) == LARGE
    assert max(map(len, chunks)) <= 8 << 20
    middle = [c async for c in manager.open_artifact("s1", "a", "html", start=PART, length=10)]
    assert b"".join(middle) == LARGE[PART : PART + 10]
