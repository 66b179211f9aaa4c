"""The commit protocol where answers are lost and writers meet."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.errors import Conflict, IntegrityError, NotFound, StoreUnavailable
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault, FaultyS3

STEP = ("<p>", b"RIFF0000WEBP", {"type": "click"}, {"url": "https://shop.example/"})


class Noted(MemoryStore):
    """Notes the order of writes and deletes, and calls a hook before each read."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, str]] = []
        self.before_read = None

    async def put(self, key, data, **how):
        info = await super().put(key, data, **how)
        self.log.append(("put", key))
        return info

    async def fetch(self, key, *, version=None):
        if self.before_read:
            await self.before_read(key)
        return await super().fetch(key, version=version)

    async def delete(self, keys):
        self.log += [("delete", key) for key in keys]
        return await super().delete(keys)


async def test_the_record_is_written_last_and_deleted_first():
    store = Noted()
    manager = StorageManager(store=store)
    await manager.store_step_data("s1", "a", *STEP)
    assert store.log[-1] == ("put", "s1/a.metadata.json")
    store.log.clear()
    await manager.delete_step("s1", "a", permanent=True)
    deleted = [key for what, key in store.log if what == "delete"]
    assert deleted[0] == "s1/a.metadata.json"
    assert deleted[-1] == "_tombstones/s1/steps/a.json"


async def test_a_deleted_session_loses_its_records_first_and_its_manifest_last():
    store = Noted()
    manager = StorageManager(store=store)
    for step in ("a", "b"):
        await manager.store_step_data("s1", step, *STEP)
    await manager.close_session("s1")
    store.log.clear()
    await manager.delete_session("s1", permanent=True)
    deleted = [key for what, key in store.log if what == "delete" and key.startswith("s1/")]
    assert deleted[:2] == ["s1/a.metadata.json", "s1/b.metadata.json"]
    assert deleted[-1] == "s1/session.json"


@pytest.mark.parametrize("key", ["*.html", "*.webp", "*.action.json", "*.metadata.json", "*"])
async def test_a_write_whose_answer_was_lost_is_a_success(
    faulty_s3: FaultyS3, faulty_store: S3Store, key: str
):
    faulty_s3.inject(Fault("lost_ack", operation="PutObject", key=key))
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", *STEP)
    assert await manager.retrieve_step_data("s1", "a") == STEP


async def test_a_write_that_never_came_through_is_told_and_leaves_no_step(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("reset", operation="PutObject", key="*.webp", times=None))
    manager = StorageManager(store=faulty_store)
    with pytest.raises(StoreUnavailable) as caught:
        await manager.store_step_data("s1", "a", *STEP)
    assert caught.value.key == "s1/a.webp"
    assert await manager.list_steps_for_session("s1") == []
    faulty_s3.clear_faults()
    await manager.store_step_data("s1", "a", *STEP)
    assert await manager.retrieve_step_data("s1", "a") == STEP


async def test_a_lost_answer_over_somebody_elses_bytes_is_a_conflict(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", *STEP)
    with pytest.raises(Conflict) as caught:
        await manager.store_step_data("s1", "a", "<p>other", *STEP[1:])
    assert caught.value.key == "s1/a.html"


async def test_a_closed_session_whose_answer_was_lost_is_closed(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", *STEP)
    faulty_s3.inject(Fault("lost_ack", operation="PutObject", key="*session.json"))
    assert await manager.close_session("s1") == await manager.get_manifest("s1")


async def test_a_step_deleted_while_it_is_read_is_not_found():
    store = Noted()
    manager = StorageManager(store=store)
    await manager.store_step_data("s1", "a", *STEP)

    async def delete(key: str) -> None:
        if key.endswith(".html"):
            store.before_read = None
            await manager.delete_step("s1", "a", permanent=True)

    store.before_read = delete
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("s1", "a")


async def test_a_step_stored_anew_while_it_is_read_is_read_whole():
    store = Noted()
    manager = StorageManager(store=store)
    await manager.store_step_data("s1", "a", *STEP)

    async def replace(key: str) -> None:
        if key.endswith(".html"):
            store.before_read = None
            await manager.delete_step("s1", "a", permanent=True)
            await manager.store_step_data("s1", "a", "<p>new", b"PNG", {"n": 1}, {"n": 2})

    store.before_read = replace
    whole = await manager.retrieve_step_data("s1", "a")
    assert whole == ("<p>new", b"PNG", {"n": 1}, {"n": 2})


@pytest.mark.parametrize("kind", ["corrupt", "short"])
async def test_damaged_bytes_never_come_out_as_good(
    faulty_s3: FaultyS3, faulty_store: S3Store, kind
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", *STEP)
    faulty_s3.inject(Fault(kind, operation="GetObject", key="*.html", times=None))
    with pytest.raises((IntegrityError, StoreUnavailable)) as caught:
        await manager.retrieve_step_data("s1", "a")
    assert caught.value.key == "s1/a.html"
