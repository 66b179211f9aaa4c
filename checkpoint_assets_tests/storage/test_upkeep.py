"""Checking, filters, idle sessions, batches: what the suites of all stores do not say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, PartialFailure
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.storage.batches import Step, retrieve_all, store_all
from checkpoint_assets.storage.findings import FindingKind, fraction
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.quarantine import quarantine
from checkpoint_assets.storage.session_filter import time_of_id
from checkpoint_assets.storage.storage_manager import StorageManager

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
def manager(store: MemoryStore, clock: ManualClock) -> StorageManager:
    return StorageManager(store=store, clock=clock, concurrency=4)


async def overwrite(store: MemoryStore, key: str, data: bytes) -> None:
    await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), create=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, 1), (False, 0), (0.25, 0.25), ("5%", 0.05), ("100%", 1), (" 1 % ", 0.01), ("0.5", 0.5)],
)
def test_a_share_is_said_in_several_ways(given, expected: float):
    assert fraction(given) == pytest.approx(expected)


@pytest.mark.parametrize("given", ["", "x", "101%", -0.1, 1.1, float("nan"), "nan%"])
def test_a_share_that_means_nothing_is_refused(given):
    with pytest.raises(InvalidInput):
        fraction(given)


async def test_sampling_reads_about_its_share_and_the_same_files_for_one_seed(
    manager: StorageManager,
):
    for n in range(200):
        await manager.store_step_data("s1", f"{n:04}", f"{n}")
    some = await manager.verify(read_data="25%", seed=1)
    assert 25 <= some.files_read <= 75
    assert (await manager.verify(read_data="25%", seed=1)).files_read == some.files_read
    assert (await manager.verify(read_data=True)).files_read == 200


async def test_files_that_were_swapped_are_told_from_damaged_ones(
    manager: StorageManager, store: MemoryStore
):
    for step in ("a", "b"):
        await manager.store_step_data("s1", step, f"<p>{step}")
    one, other = await store.get("s1/a.html"), await store.get("s1/b.html")
    await overwrite(store, "s1/a.html", other)
    await overwrite(store, "s1/b.html", one)
    report = await manager.verify("s1", read_data=True)
    assert [(f.kind, f.key) for f in report.findings] == [
        (FindingKind.SWAPPED, "s1/a.html"),
        (FindingKind.SWAPPED, "s1/b.html"),
    ]
    assert not report.ok


async def test_the_quarantine_of_a_pinned_session_waits(
    manager: StorageManager, store: MemoryStore, caplog: pytest.LogCaptureFixture
):
    await manager.store_step_data("s1", "a", "x")
    await overwrite(store, "s1/a.html", b"")
    await manager.pin("s1", "a hold")
    report = await manager.verify(repair=True)
    assert report.quarantined == []
    assert "s1 is pinned" in caplog.text
    await manager.unpin("s1")
    assert (await manager.verify(repair=True)).quarantined == ["s1/a.metadata.json", "s1/a.html"]
    assert (await store.get("_quarantine/s1/a.html")) == b""
    assert (await manager.verify()).findings == []


async def test_a_step_that_was_stored_anew_since_it_was_checked_stays(
    manager: StorageManager, store: MemoryStore
):
    await manager.store_step_data("s1", "a", "x")
    await overwrite(store, "s1/a.html", b"")
    findings = (await manager.verify()).findings
    await manager.delete_step("s1", "a", permanent=True)
    await manager.store_step_data("s1", "a", "new")
    assert await quarantine(store, findings) == []
    assert (await manager.retrieve_step_data("s1", "a"))[0] == "new"


async def test_a_manifest_that_names_a_lost_step_is_told(
    manager: StorageManager, store: MemoryStore
):
    for step in ("a", "b"):
        await manager.store_step_data("s1", step, "x")
    await manager.close_session("s1")
    await store.delete(["s1/a.metadata.json"])
    report = await manager.verify("s1")
    assert [(f.kind, f.key) for f in report.findings] == [
        (FindingKind.MISSING, "s1/a.metadata.json")
    ]


async def test_an_area_that_is_reserved_is_not_foreign(manager: StorageManager, store: MemoryStore):
    await manager.write_object("_catalog/HEAD", b"1")
    await overwrite(store, "_unknown/x", b"1")
    await overwrite(store, "top.txt", b"1")
    report = await manager.verify()
    assert sorted(f.key for f in report.findings) == ["_unknown/x", "top.txt"]
    assert report.ok


async def test_a_derived_file_without_its_step_is_an_orphan(
    manager: StorageManager, store: MemoryStore, clock: ManualClock
):
    await manager.store_step_data("s1", "a", "x")
    await manager.store_derived("s1", "text.txt", b"t", step_id="gone")
    await manager.store_derived("s1", "report.html", b"t")
    assert (await manager.verify()).findings == []
    clock.advance(timedelta(days=2))
    assert [f.key for f in (await manager.verify()).findings] == ["s1/_derived/gone.text.txt"]


def test_the_time_is_in_the_ids_of_our_own_making():
    session = SessionIds(ManualClock(START)).new()
    assert time_of_id(session) == START
    for other in ("s1", "0191b0c0-0000-4000-8000-000000000000", session.upper(), session[:-1]):
        assert time_of_id(other) is None


async def test_sessions_of_a_time_are_found_without_reading_those_of_another(
    manager: StorageManager, store: MemoryStore, clock: ManualClock
):
    ids = SessionIds(clock)
    sessions: list[str] = []
    for _ in range(4):
        sessions.append(ids.new())
        await manager.store_step_data(sessions[-1], "a", "x")
        clock.advance(timedelta(days=1))
    where = {"since": START + timedelta(days=1), "until": START + timedelta(days=3)}
    assert await manager.list_sessions(where=where) == sessions[1:3]
    assert await manager.list_sessions(where={**where, "state": "complete"}) == []
    await manager.close_session(sessions[2])
    assert await manager.list_sessions(where={"state": "complete"}) == [sessions[2]]
    assert await manager.list_sessions(where={"state": "incomplete"}, limit=2) == [
        sessions[0],
        sessions[1],
    ]


async def test_idle_sessions_are_closed_as_incomplete(manager: StorageManager, clock: ManualClock):
    await manager.store_step_data("closed", "a", "x")
    await manager.close_session("closed")
    await manager.store_step_data("idle", "a", "x")
    clock.advance(timedelta(days=2))
    await manager.store_step_data("busy", "a", "x")
    assert await manager.close_idle_sessions() == ["idle"]
    manifest = await manager.get_manifest("idle")
    assert (manifest.state, manifest.steps) == (SessionState.INCOMPLETE, ["a"])
    assert "idle for more than" in (manifest.reason or "")
    assert await manager.close_idle_sessions() == []


async def test_idleness_is_not_judged_by_a_clock_that_is_off(
    store: MemoryStore, clock: ManualClock
):
    ahead = ManualClock(START + timedelta(hours=1))
    with pytest.raises(DeleteRefused):
        await StorageManager(store=store, clock=ahead).close_idle_sessions()


async def test_a_batch_is_taken_as_room_is(manager: StorageManager, store: MemoryStore):
    taken = 0
    gate = asyncio.Event()

    class Slow(MemoryStore):
        async def put(self, key, data, **how):
            await gate.wait()
            return await super().put(key, data, **how)

    def steps():
        nonlocal taken
        for n in range(50):
            taken += 1
            yield Step("s1", f"{n:04}", f"{n}")

    storing = asyncio.create_task(StorageManager(store=Slow(), concurrency=4).store_steps(steps()))
    while taken < 4:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert taken == 4
    gate.set()
    assert len((await storing).stored) == 50


async def test_a_batch_whose_source_fails_raises_that(manager: StorageManager):
    async def steps() -> AsyncIterator[Step]:
        yield Step("s1", "a", "x")
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        await manager.store_steps(steps())
    assert await manager.list_steps_for_session("s1") == ["a"]


async def test_a_report_of_failures_can_be_raised(manager: StorageManager):
    batch = [Step("s1", "a", "x"), Step("s1", "../b", "x"), {"session_id": "s1"}]
    report = await manager.store_steps(batch)
    assert report.stored == ["s1/a"]
    with pytest.raises(PartialFailure) as caught:
        report.raise_failures()
    assert set(caught.value.failures) == {"s1/../b", "s1/None"}


async def test_reading_ahead_ends_with_the_reader(manager: StorageManager):
    for n in range(30):
        await manager.store_step_data("s1", f"{n:04}", f"{n}")
    before = len(asyncio.all_tasks())
    steps = manager.retrieve_steps([("s1", f"{n:04}") for n in range(30)])
    assert (await anext(steps)).get()[0] == "0"
    await steps.aclose()
    assert len(asyncio.all_tasks()) == before


class Counting:
    """How many bytes are under way, and the most that ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def add(self, count: int) -> None:
        self.now += count
        self.most = max(self.most, self.now)


async def test_a_batch_holds_no_more_bytes_than_there_is_room_for():
    counting = Counting()

    async def store(step: Step) -> None:
        counting.add(len(step.html_content or ""))
        await asyncio.sleep(0)
        counting.add(-len(step.html_content or ""))

    steps = [Step("s1", f"{n:04}", "x" * (30 if n % 7 else 250)) for n in range(60)]
    report = await store_all(iter(steps), store, workers=16, bytes_at_once=100)
    assert len(report.stored) == 60
    assert counting.most == 250


async def test_reading_ahead_holds_no_more_bytes_than_there_is_room_for():
    counting = Counting()

    async def look(session_id: str, step_id: str) -> int:
        # The later ones are found first, and must not take the room of the one that is next.
        for _ in range(20 - int(step_id) % 20):
            await asyncio.sleep(0)
        return 30 if int(step_id) % 7 else 250

    async def read(size: int) -> int:
        counting.add(size)
        await asyncio.sleep(0)
        return size

    names = [("s1", str(n)) for n in range(60)]
    found = []
    items = retrieve_all(names, look, lambda size: size, read, ahead=16, bytes_at_once=100)
    async for item in items:
        found.append(item.step_id)
        counting.add(-item.get())
    assert found == [str(n) for n in range(60)]
    assert counting.most <= 250
