"""Deleting for good while somebody is still writing: no reader meets a torn step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import DeleteRefused, IntegrityError, NotFound
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager

RECORD = "s1/1.metadata.json"
MARK = "_tombstones/s1/erased/steps/1.json"


class Site:
    """A store with a step that was deleted for good, and whose record a late writer has put."""

    def __init__(self) -> None:
        self.clock = ManualClock(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
        self.store = MemoryStore(clock=self.clock)
        self.manager = StorageManager(store=self.store, clock=self.clock)

    async def put(self, key: str, data: bytes) -> None:
        await self.store.put(key, data, media_type="x/y", sha256=sha256_hex(data))

    async def keys(self) -> list[str]:
        return [info.key async for page in self.store.list("") for info in page.objects]


@pytest.fixture
async def site() -> Site:
    site = Site()
    await site.manager.store_step_data("s1", "1", "<p>", action_data={"type": "click"})
    record = await site.store.get(RECORD)
    await site.manager.delete_step("s1", "1", permanent=True)
    await site.put(RECORD, record)
    return site


async def test_torn_step_of_a_late_writer_is_not_there(site: Site):
    with pytest.raises(NotFound, match="was deleted"):
        await site.manager.retrieve_step_data("s1", "1")
    with pytest.raises(NotFound, match="was deleted"):
        [chunk async for chunk in site.manager.open_artifact("s1", "1", "html")]
    assert (await site.manager.verify()).findings == []


async def test_torn_step_of_a_late_writer_goes_with_the_sweep_and_so_does_the_mark(site: Site):
    await site.manager.sweep()
    assert await site.keys() == [MARK, RECORD]
    site.clock.advance(timedelta(hours=2))
    await site.manager.sweep()
    assert await site.keys() == []


async def test_step_that_is_stored_anew_and_whole_outlives_the_mark(site: Site):
    await site.store.delete([RECORD])
    await site.manager.store_step_data("s1", "1", "<p>new")
    site.clock.advance(timedelta(hours=2))
    await site.manager.sweep()
    assert (await site.manager.retrieve_step_data("s1", "1"))[0] == "<p>new"
    assert MARK not in await site.keys()


async def test_file_that_is_lost_from_a_later_step_is_still_told(site: Site):
    await site.store.delete([RECORD])
    site.clock.advance(timedelta(hours=2))
    await site.manager.store_step_data("s1", "1", "<p>new")
    await site.store.delete(["s1/1.html"])
    with pytest.raises(IntegrityError, match="not in the store"):
        await site.manager.retrieve_step_data("s1", "1")


async def test_damage_is_never_swept(site: Site):
    await site.put("s1/1.html", b"<q>")
    await site.put("s1/1.action.json", b"{}")
    site.clock.advance(timedelta(hours=2))
    await site.manager.sweep()
    with pytest.raises(IntegrityError, match="not what was committed"):
        await site.manager.retrieve_step_data("s1", "1")


async def test_step_of_a_pinned_session_is_not_deleted_for_good(site: Site):
    await site.manager.store_step_data("s1", "2", "<p>")
    await site.manager.pin("s1", "a hold")
    before = await site.keys()
    with pytest.raises(DeleteRefused):
        await site.manager.delete_step("s1", "2", permanent=True)
    assert await site.keys() == before


async def test_session_that_comes_back_is_without_the_step_that_was_deleted_for_good():
    site = Site()
    for step in ("1", "2"):
        await site.manager.store_step_data("s1", step, "<p>")
    await site.manager.delete_session("s1")
    await site.manager.delete_step("s1", "1", permanent=True)
    await site.manager.restore_session("s1")
    assert await site.manager.list_steps_for_session("s1") == ["2"]
    assert (await site.manager.verify(read_data=True)).findings == []
