"""What the collection manager does beyond its contract: sink, events, tasks, ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import CollectionStatus, EventType, TaskStatus
from checkpoint_assets.model.errors import InvalidInput, StorageFull
from checkpoint_assets.runtime.tasks import TaskTracker
from checkpoint_assets.testing.mocks import MockDataSource, MockEventEmitter


class Sink:
    """Keeps what it gets; waits for ``gate`` before it does."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, source_id: str, data: CollectedData) -> None:
        self.entered.set()
        await self.gate.wait()
        self.got.append(data.raw_data)


@pytest.fixture
def sink() -> Sink:
    return Sink()


async def test_everything_goes_to_the_sink_in_order(sink: Sink) -> None:
    manager = CollectionManager(sink)
    await manager.register_source(MockDataSource("one", [b"1", b"2", b"3"]))
    await manager.start("one")
    await manager.wait("one")
    assert sink.got == [b"1", b"2", b"3"]


async def test_what_is_being_stored_when_it_is_stopped_is_stored(sink: Sink) -> None:
    manager = CollectionManager(sink)
    source = MockDataSource("one", [b"1", b"2", b"3"])
    await manager.register_source(source)
    sink.gate.clear()
    await manager.start("one")
    await sink.entered.wait()
    stopping = asyncio.create_task(manager.stop("one"))
    await asyncio.sleep(0.01)
    assert not stopping.done()
    sink.gate.set()
    await stopping
    assert sink.got == [b"1"]
    assert not source.connected


async def test_what_is_cancelled_waits_for_no_sink(sink: Sink) -> None:
    events = MockEventEmitter()
    manager = CollectionManager(sink, events=events)
    source = MockDataSource("one", [b"1", b"2", b"3"])
    await manager.register_source(source)
    sink.gate.clear()
    await manager.start("one")
    await sink.entered.wait()
    await manager.cancel("one")
    assert (sink.got, source.connected) == ([], False)
    assert await manager.wait("one") is CollectionStatus.STOPPED
    assert manager.was_stopped("one")
    assert events.events[-1].event_type is EventType.COLLECTION_COMPLETE


async def test_a_sink_that_fails_ends_its_source_and_no_other(sink: Sink) -> None:
    async def fill(source_id: str, data: CollectedData) -> None:
        if source_id == "bad":
            raise StorageFull("no space left")
        await sink(source_id, data)

    manager = CollectionManager(fill)
    bad, good = MockDataSource("bad", [b"1"] * 5), MockDataSource("good", [b"1"] * 5)
    for source in (bad, good):
        await manager.start(await manager.register_source(source))
    with pytest.raises(StorageFull):
        await manager.wait("bad")
    await manager.wait("good")
    assert (bad.calls.count("collect"), len(sink.got)) == (1, 5)
    assert not bad.connected


async def test_events_and_statuses_are_in_order(sink: Sink) -> None:
    events = MockEventEmitter()
    manager = CollectionManager(sink, events=events)
    await manager.register_source(MockDataSource("one", [b"1", b"2"]))
    sink.gate.clear()
    await manager.start("one")
    await sink.entered.wait()
    await manager.pause("one")
    sink.gate.set()
    while events.events[-1].event_type is not EventType.COLLECTION_PROGRESS:
        await asyncio.sleep(0)
    await manager.resume("one")
    await manager.wait("one")
    kinds = [event.event_type for event in events.events]
    assert kinds == [
        EventType.COLLECTION_START,
        EventType.COLLECTION_PAUSED,
        EventType.COLLECTION_PROGRESS,
        EventType.COLLECTION_RESUMED,
        EventType.COLLECTION_PROGRESS,
        EventType.COLLECTION_COMPLETE,
    ]
    assert events.events[-1].data == {"source_id": "one", "items": 2, "stopped": False}


async def test_cancelling_the_task_stops_the_source(sink: Sink) -> None:
    tasks = TaskTracker()
    manager = CollectionManager(sink, tasks=tasks)
    source = MockDataSource("one", [b"1"], delay=60)
    await manager.register_source(source)
    await manager.start("one")
    await asyncio.sleep(0)
    (task,) = tasks.list_tasks()
    await tasks.cancel_task(task.task_id)
    assert await manager.wait("one") is CollectionStatus.STOPPED
    assert not source.connected


async def test_the_task_says_how_far_the_source_is(sink: Sink) -> None:
    events = MockEventEmitter()
    manager = CollectionManager(sink, tasks=TaskTracker(events))
    await manager.register_source(MockDataSource("one", [b"1", b"2", b"3"]), expected=2)
    await manager.start("one")
    await manager.wait("one")
    told = [each.data["progress"] for each in events.events]
    assert told == [None, None, 0.5, 1.0, 1.0, 1.0]


async def test_the_task_says_how_the_source_ended(sink: Sink) -> None:
    tasks = TaskTracker()
    manager = CollectionManager(sink, tasks=tasks)
    await manager.register_source(MockDataSource("good", [b"1"]))
    await manager.register_source(MockDataSource("bad", error=ConnectionError("gone")))
    for source_id in ("good", "bad"):
        await manager.start(source_id)
    await manager.wait("good")
    with pytest.raises(ConnectionError):
        await manager.wait("bad")
    assert [task.status for task in tasks.list_tasks()] == [TaskStatus.COMPLETED, TaskStatus.FAILED]


class StuckSource(MockDataSource):
    """Hangs where it is told to, and lets go only when it is cancelled."""

    def __init__(self, where: str) -> None:
        super().__init__("stuck", [b"1", b"2"])
        self.where = where
        self.reached = asyncio.Event()

    async def _hang(self, where: str) -> None:
        if where == self.where:
            self.reached.set()
            await asyncio.sleep(3600)

    async def connect(self) -> None:
        await super().connect()
        await self._hang("connect")

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        try:
            async for data in super().collect_stream():
                yield data
                await self._hang("collect")
        finally:
            self.calls.append("stream closed")


@pytest.mark.parametrize("where", ["connect", "collect"])
async def test_a_source_that_hangs_can_be_stopped(sink: Sink, where: str) -> None:
    before = asyncio.all_tasks()
    manager = CollectionManager(sink)
    source = StuckSource(where)
    await manager.register_source(source)
    await manager.start("stuck")
    await source.reached.wait()
    async with asyncio.timeout(5):
        await manager.stop("stuck")
    assert not source.connected
    assert ("stream closed" in source.calls) == (where == "collect")
    assert sink.got == ([b"1"] if where == "collect" else [])
    assert asyncio.all_tasks() == before


async def test_closing_ends_everything(sink: Sink) -> None:
    manager = CollectionManager(sink)
    sources = [MockDataSource(name, [b"1"], delay=60) for name in ("a", "b")]
    for source in sources:
        await manager.start(await manager.register_source(source))
    await manager.close()
    assert list(manager.list_sources()) == []
    assert not any(source.connected for source in sources)


async def test_a_source_without_an_id_is_refused(sink: Sink) -> None:
    with pytest.raises(InvalidInput, match="no source id"):
        await CollectionManager(sink).register_source(MockDataSource(""))
