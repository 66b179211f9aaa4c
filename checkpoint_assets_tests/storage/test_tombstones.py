"""Two-phase delete where others come in between."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import Conflict, DeleteRefused, IntegrityError, NotFound
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.tombstones import claim_for_sweep, read_tombstone
from checkpoint_assets.storage.wrapper import WrappedStore

STEP = ("<p>", b"RIFF0000WEBP", {"type": "click"}, {"url": "https://shop.example/"})


class Site:
    """Two managers over one store, and the clock of all three."""

    def __init__(self, **options: object) -> None:
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.store = MemoryStore(clock=self.clock)
        self.manager = StorageManager(store=self.store, clock=self.clock, **options)
        self.other = StorageManager(store=self.store, clock=self.clock, **options)

    async def keys(self, prefix: str = "") -> list[str]:
        return [info.key async for page in self.store.list(prefix) for info in page.objects]

    async def long_after(self) -> None:
        self.clock.advance(timedelta(days=2))


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_deleted_step_cannot_be_stored_until_it_is_swept(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_step("s1", "a")
    for manager in (site.manager, site.other):
        with pytest.raises(Conflict, match="waits to be swept"):
            await manager.store_step_data("s1", "a", "<p>new")
    await site.long_after()
    await site.manager.sweep()
    await site.manager.store_step_data("s1", "a", "<p>new")
    assert (await site.other.retrieve_step_data("s1", "a"))[0] == "<p>new"


async def test_no_step_goes_into_a_deleted_session(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_session("s1")
    with pytest.raises(Conflict, match="session s1 was deleted"):
        await site.other.store_step_data("s1", "b", *STEP)


async def test_a_step_of_a_writer_that_had_not_heard_of_the_delete_survives_the_sweep(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.other.store_step_data("s1", "b", *STEP)
    await site.manager.delete_session("s1")
    # The other manager looked for tombstones a moment ago, and does not look again yet.
    await site.other.store_step_data("s1", "c", *STEP)
    await site.long_after()
    report = await site.manager.sweep()
    assert report.swept == ["s1"]
    assert await site.manager.list_sessions() == ["s1"]
    assert await site.manager.list_steps_for_session("s1") == ["c"]
    assert await site.manager.retrieve_step_data("s1", "c") == STEP


async def test_a_restored_session_has_its_manifest_and_its_steps(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    closed = await site.manager.close_session("s1")
    before = await site.keys()
    await site.manager.delete_session("s1")
    with pytest.raises(NotFound):
        await site.manager.get_manifest("s1")
    assert sorted(await site.manager.restore_session("s1")) == [
        "s1/a.metadata.json",
        "s1/session.json",
    ]
    assert await site.keys() == before
    assert await site.manager.get_manifest("s1") == closed


async def test_deleting_again_does_not_put_off_the_sweep(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_session("s1")
    site.clock.advance(timedelta(hours=20))
    await site.manager.delete_session("s1")
    site.clock.advance(timedelta(hours=5))
    assert (await site.manager.sweep()).swept == ["s1"]


async def test_a_delete_that_was_cut_short_goes_on_and_forgets_nothing(site: Site):
    for step in ("a", "b"):
        await site.manager.store_step_data("s1", step, *STEP)
    await site.manager.delete_session("s1")
    # As if the process had died before it came to the second record.
    stored = (await read_tombstone(site.store, "s1"))[0].records["s1/b.metadata.json"]
    await site.store.put("s1/b.metadata.json", stored, media_type="x/y", sha256=sha256_hex(stored))
    await site.other.delete_session("s1")
    await site.other.restore_session("s1")
    assert await site.manager.list_steps_for_session("s1") == ["a", "b"]


async def test_what_the_sweep_has_begun_to_remove_cannot_be_restored(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_session("s1")
    tombstone, info = await read_tombstone(site.store, "s1")
    assert await claim_for_sweep(site.store, tombstone, info)
    with pytest.raises(NotFound, match="removed for good"):
        await site.manager.restore_session("s1")


async def test_what_is_being_restored_is_not_swept(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_session("s1")
    seen = await read_tombstone(site.store, "s1")
    await site.long_after()
    await site.other.restore_session("s1")
    assert await claim_for_sweep(site.store, *seen) is None
    assert (await site.manager.sweep()).swept == []
    assert await site.manager.retrieve_step_data("s1", "a") == STEP


async def test_a_pin_that_comes_between_stops_the_sweep(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_session("s1")
    await site.long_after()
    seen = await read_tombstone(site.store, "s1")
    await site.manager.pin("s1", "a hold")
    with pytest.raises(DeleteRefused):
        await claim_for_sweep(site.store, *seen)
    report = await site.manager.sweep()
    assert (report.pinned, report.swept) == (["s1"], [])
    await site.manager.restore_session("s1")
    assert await site.manager.retrieve_step_data("s1", "a") == STEP


async def test_the_sweep_takes_derived_files_and_expiries_along(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.store_derived("s1", "report.html", b"r")
    await site.manager.store_derived("s1", "text.txt", b"t", step_id="a")
    await site.manager.set_expiration("s1", ttl=timedelta(days=9))
    await site.manager.set_expiration("s1", "a", ttl=timedelta(days=9))
    await site.manager.delete_session("s1")
    await site.long_after()
    await site.manager.sweep()
    assert await site.keys() == []


async def test_the_sweep_of_a_step_takes_only_its_own(site: Site):
    for step in ("a", "a-1"):
        await site.manager.store_step_data("s1", step, *STEP)
        await site.manager.store_derived("s1", "text.txt", b"t", step_id=step)
    await site.manager.delete_step("s1", "a")
    await site.long_after()
    await site.manager.sweep()
    assert [key for key in await site.keys() if "a-1" not in key] == []
    assert len(await site.keys()) == 5


async def test_a_damaged_tombstone_hinders_no_other(site: Site):
    for session in ("s1", "s2"):
        await site.manager.store_step_data(session, "a", *STEP)
        await site.manager.delete_session(session)
    await site.store.put(
        "_tombstones/s1/session.json", b"{}", media_type="x/y", sha256="0" * 64, create=False
    )
    await site.long_after()
    report = await site.manager.sweep()
    assert report.swept == ["s2"]
    assert isinstance(report.failed["s1"], IntegrityError)


async def test_where_versions_are_kept_the_sweep_leaves_none(site: Site):
    await site.manager.enable_versions()
    await site.manager.store_step_data("s1", "a", "1")
    await site.manager.store_step_data("s1", "a", "2", replace=True)
    await site.manager.store_step_data("s2", "a", "1")
    await site.manager.delete_session("s1")
    await site.long_after()
    await site.manager.sweep()
    left = [v.key async for page in site.store.list_versions("") for v in page]
    assert {key.partition("/")[0] for key in left} == {"s2"}


async def test_a_session_that_is_pinned_while_it_is_deleted_stays(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)

    class Pinning(MemoryStore):
        async def put(self, key, data, **how):
            info = await site.store.put(key, data, **how)
            if key.startswith("_tombstones/") and await site.other.get_pin("s1") is None:
                with pytest.raises(Conflict, match="is being deleted"):
                    await site.other.pin("s1", "just in time")
            return info

        def __getattribute__(self, name: str):
            if name == "put":
                return super().__getattribute__(name)
            return getattr(site.store, name)

    with pytest.raises(DeleteRefused):
        await StorageManager(store=Pinning(), clock=site.clock).delete_session("s1")
    assert await site.manager.retrieve_step_data("s1", "a") == STEP
    assert await site.manager.list_sessions() == ["s1"]


class Dying(WrappedStore):
    """The store of somebody who dies before the first delete."""

    async def delete(self, keys):
        raise ConnectionAbortedError


async def died_in_a_delete(site: Site) -> None:
    with pytest.raises(ConnectionAbortedError):
        await StorageManager(store=Dying(site.store), clock=site.clock).delete_step("s1", "a")


async def test_what_is_still_being_deleted_is_restored_only_after_that(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await died_in_a_delete(site)
    with pytest.raises(Conflict, match="is being deleted") as refused:
        await site.manager.restore_step("s1", "a")
    assert refused.value.session_id == "s1"
    # A delete that was cut short is done by doing it again.
    await site.manager.delete_step("s1", "a")
    await site.manager.restore_step("s1", "a")
    assert await site.manager.retrieve_step_data("s1", "a") == STEP


async def test_what_was_left_half_deleted_an_hour_ago_can_be_restored(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await died_in_a_delete(site)
    site.clock.advance(timedelta(hours=1))
    await site.manager.restore_step("s1", "a")
    assert await site.manager.retrieve_step_data("s1", "a") == STEP
    assert [key async for page in site.store.list("_tombstones/") for key in page.objects] == []


async def test_what_is_still_being_restored_is_deleted_only_after_that(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await site.manager.delete_step("s1", "a")
    with pytest.raises(ConnectionAbortedError):
        await StorageManager(store=Dying(site.store), clock=site.clock).restore_step("s1", "a")
    for permanent in (False, True):
        with pytest.raises(Conflict, match="is being restored"):
            await site.manager.delete_step("s1", "a", permanent=permanent)
    assert await site.manager.retrieve_step_data("s1", "a") == STEP
    # A restore that was cut short is done by doing it again.
    await site.manager.restore_step("s1", "a")
    await site.manager.delete_step("s1", "a")
    assert await site.manager.list_steps_for_session("s1") == []


async def test_the_sweep_leaves_files_that_another_tombstone_can_bring_back(site: Site):
    await site.manager.store_step_data("s1", "a", *STEP)
    await died_in_a_delete(site)
    site.clock.advance(timedelta(hours=20))
    await site.manager.delete_session("s1")
    site.clock.advance(timedelta(hours=5))
    assert (await site.manager.sweep()).swept == ["s1/a"]
    await site.manager.restore_session("s1")
    assert await site.manager.retrieve_step_data("s1", "a") == STEP


async def test_leftovers_of_dead_writers_go_with_the_sweep(tmp_path):
    manager = StorageManager(tmp_path.as_uri())
    await manager.store_step_data("s1", "a", "x")
    (tmp_path / "s1" / ".tmp-dead").write_bytes(b"half")
    assert (await manager.sweep()).leftovers == 0
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "s1" / ".tmp-dead", (long_ago, long_ago))
    assert (await manager.sweep(dry_run=True)).leftovers == 1
    assert (await manager.sweep()).leftovers == 1
    assert not (tmp_path / "s1" / ".tmp-dead").exists()
