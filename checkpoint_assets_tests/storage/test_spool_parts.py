"""The parts of the spool by themselves: circuit, locks, merged listings, where it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import (
    InvalidConfiguration,
    LocalStorageError,
    StoreUnavailable,
)
from checkpoint_assets.storage.location import Location
from checkpoint_assets.storage.merged_listing import Entry, merged
from checkpoint_assets.storage.outage import Outage
from checkpoint_assets.storage.spool import Spool, spool_folder
from checkpoint_assets.storage.spool_locks import FolderLocks
from checkpoint_assets.storage.spool_opening import SpoolSettings
from checkpoint_assets.storage.store import ObjectInfo, Page
from checkpoint_assets_tests.storage.spool_case import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_outage_is_begun_and_ended_by_one_caller_each() -> None:
    outage = Outage(clock=ManualClock(NOW))
    assert outage.begin(StoreUnavailable("refused"))
    assert not outage.begin(StoreUnavailable("refused again"))
    assert (outage.since, outage.reason) == (NOW, "refused again")
    assert outage.end() == 0
    assert outage.end() is None


def test_one_probe_at_a_time_and_one_each_interval() -> None:
    clock = ManualClock(NOW)
    outage = Outage(probe_every=5, clock=clock)
    assert not outage.probe_due()
    outage.begin(StoreUnavailable("refused"))
    assert not outage.probe_due()
    clock.advance(timedelta(seconds=5))
    assert outage.probe_due()
    assert not outage.probe_due()
    outage.probed()
    assert not outage.probe_due()
    clock.advance(timedelta(seconds=5))
    assert outage.probe_due()


def test_ended_outage_needs_no_probe() -> None:
    clock = ManualClock(NOW)
    outage = Outage(probe_every=5, clock=clock)
    outage.begin(StoreUnavailable("refused"))
    outage.end()
    clock.advance(timedelta(seconds=60))
    assert not outage.probe_due()


async def test_lock_is_held_by_one_task_at_a_time(tmp_path: Path) -> None:
    held: list[str] = []

    async def work(name: str) -> None:
        async with FolderLocks(tmp_path / "locks").hold(["s1"]):
            held.append(name)
            await asyncio.sleep(0)
            assert held[-1] == name

    await asyncio.gather(*(work(str(number)) for number in range(5)))
    assert len(held) == 5


async def test_locks_on_different_sessions_do_not_wait_for_each_other(tmp_path: Path) -> None:
    locks = FolderLocks(tmp_path / "locks")
    async with locks.hold(["s1"]), locks.hold(["s2", "s3"]):
        pass


async def test_many_names_in_any_order_never_wait_in_a_circle(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(300)]

    async def work(order: list[str]) -> None:
        async with FolderLocks(tmp_path / "locks").hold(order):
            await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await asyncio.gather(work(names), work(names[::-1]), work(names[150:] + names[:150]))


async def test_lock_that_stays_held_is_an_error_at_its_deadline(tmp_path: Path) -> None:
    clock = ManualClock(NOW)

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    waiting = FolderLocks(tmp_path / "locks", deadline=10, sleep=sleep, clock=clock)
    async with FolderLocks(tmp_path / "locks").hold(["s1"]):
        with pytest.raises(LocalStorageError, match="stayed locked for 10 s"):
            async with waiting.hold(["s1"]):
                pass


async def test_waiter_that_is_cancelled_leaves_no_lock(tmp_path: Path) -> None:
    locks = FolderLocks(tmp_path / "locks")

    async def wait() -> None:
        async with locks.hold(["s1"]):
            pass

    async with locks.hold(["s1"]):
        task = asyncio.create_task(wait())
        await asyncio.sleep(0.03)
        task.cancel()
        await until(task.done)
    async with locks.hold(["s1"]):
        pass


def test_drain_has_one_owner(tmp_path: Path) -> None:
    one, two = FolderLocks(tmp_path / "locks"), FolderLocks(tmp_path / "locks")
    with one.own() as first, two.own() as second:
        assert (first, second) == (True, False)
    with two.own() as third:
        assert third


def info(key: str) -> ObjectInfo:
    return ObjectInfo(key, 1, NOW)


async def listing(*pages: Page) -> AsyncIterator[Page]:
    for page in pages:
        yield page


async def merge(pages: list[Page], more: list[Entry]) -> list[str]:
    found: list[str] = []
    async for page in merged(listing(*pages), more):
        keys = [*(info.key for info in page.objects), *page.folders]
        assert keys
        found += sorted(keys)
    return found


async def test_merged_listing_is_in_order_and_has_each_key_once() -> None:
    pages = [Page([info("b"), info("d")]), Page([info("f")], ["h/"])]
    more: list[Entry] = [(key, info(key)) for key in ("a", "b", "c", "e")]
    more += [("h/", None), ("z/", None)]
    assert await merge(pages, more) == ["a", "b", "c", "d", "e", "f", "h/", "z/"]


async def test_merged_listing_of_one_side_alone() -> None:
    assert await merge([], [("a", info("a")), ("b/", None)]) == ["a", "b/"]
    assert await merge([Page([info("a")])], []) == ["a"]
    assert await merge([], []) == []


async def test_merged_listing_cuts_what_it_adds_into_pages() -> None:
    more: list[Entry] = [(f"{number:05d}", info(f"{number:05d}")) for number in range(2500)]
    sizes = [len(page.objects) async for page in merged(listing(), more)]
    assert sizes == [1000, 1000, 500]


def test_spool_path_comes_from_the_call_the_environment_or_lies_beside_the_store() -> None:
    location = Location("s3", Path("/data/store"), "bucket", "a/b")
    given = spool_folder(location, "/spool", {"SM_SPOOL_PATH": "/other"})
    assert given.parent == Path("/spool")
    assert given.name.startswith("bucket-")
    assert spool_folder(location, None, {"SM_SPOOL_PATH": "/other"}).parent == Path("/other")
    assert spool_folder(location, None, {}).parent == Path("/data/.spool")


def test_each_bucket_prefix_and_server_has_a_folder_of_its_own() -> None:
    base = Path("/data/store")
    locations = [
        Location("s3", base, "bucket"),
        Location("s3", base, "bucket", "a"),
        Location("s3", base, "bucket", "a/b"),
        Location("s3", base, "Bucket"),
        Location("s3", base, "bucket", endpoint_url="http://127.0.0.1:9000"),
    ]
    assert len({spool_folder(location, None, {}).name for location in locations}) == 5
    moved = Location("s3", base, "bucket", region="eu-central-1")
    assert spool_folder(moved, None, {}) == spool_folder(locations[0], None, {})


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        SpoolSettings(floor_bytes=-1)
    with pytest.raises(InvalidConfiguration):
        SpoolSettings(probe_every=0)


@pytest.mark.parametrize("key", ["", "s1/x", "..", "../x", ".tmp/x", "a\0b/x", "x" * 300 + "/y"])
def test_spool_that_was_never_used_holds_nothing(tmp_path: Path, key: str) -> None:
    spool = Spool.in_folder(tmp_path / "spool")
    assert not spool.may_hold(key)
    assert not spool.used
    assert spool.backlog().files == 0
    assert spool.dead_count() == 0


def test_spool_that_cannot_be_looked_at_is_an_error_not_empty(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "pending").symlink_to(folder / "pending")
    with pytest.raises(LocalStorageError):
        Spool.in_folder(folder).may_hold("s1/x")
