"""The contracts at work, first with mocks, then with the real parts on the demo shop.

Run all of them with ``python -m checkpoint_assets.examples``, or one by name:
``python -m checkpoint_assets.examples pipeline``.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.local_source import LocalBrowserSource
from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.replay_source import ReplaySource
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import (
    CollectedData,
    ErrorInfo,
    QueryCriteria,
    SystemEvent,
)
from checkpoint_assets.model.enums import ErrorType, EventType
from checkpoint_assets.model.errors import DataCollectionError
from checkpoint_assets.processing.session import process_session
from checkpoint_assets.processing.standard import default_processing
from checkpoint_assets.runtime.error_handler import ErrorHandler, describe_error
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.mocks import (
    MockDataSource,
    MockErrorHandler,
    MockEventEmitter,
    MockPipeline,
    MockProcessor,
    MockStorageBackend,
)
from checkpoint_assets.testing.sites import open_site

SCENARIO = """
name: tea
site: demo
steps:
  - goto: /product/teapot-moss
  - hover: {selector: h1}
"""


async def collection_with_mocks() -> None:
    """One thing from a source."""
    source = MockDataSource(source_id="sensor_001", data=b"temperature:25.5")
    await source.connect()
    try:
        data = await source.collect()
        print(f"{data.source_id} at {data.timestamp}: {data.raw_data.decode()}")
    finally:
        await source.disconnect()


async def collection() -> None:
    """The steps of a scenario from a browser of this machine, through a collection manager."""
    scenario, settings = parse_scenario(SCENARIO), Settings()
    browser = LocalChromium(settings)

    async def sink(source_id: str, data: CollectedData) -> None:
        print(f"{source_id}: {data.metadata['step_id']}, {len(data.raw_data)} bytes of HTML")

    try:
        with open_site("demo", None) as site:
            source = LocalBrowserSource(
                scenario, browser, settings, site_url=site.url, secrets=site.secrets
            )
            manager = CollectionManager(sink)
            source_id = await manager.register_source(source)
            await manager.start(source_id)
            print(f"{source_id} ended {await manager.wait(source_id)}")
    finally:
        await browser.close()


async def pipeline_with_mocks() -> None:
    """Two processors, one after the other."""
    pipeline = MockPipeline(
        "celsius",
        [
            MockProcessor("read", lambda text: float(text.partition(":")[2])),
            MockProcessor("round", round),
        ],
    )
    result = await pipeline.execute("temperature:25.5")
    print(f"{result.processed_data} after {[step.processor for step in result.steps]}")


async def pipeline() -> None:
    """What the standard pipeline says of the last step of a captured session."""
    storage, session_id = await _captured()
    async with storage:
        async for step in process_session(storage, default_processing(), session_id):
            done = [each.processor for each in step.steps if each.outcome == "done"]
            print(f"{step.step_id}: {len(step.columns)} columns by {', '.join(done)}")


async def complete_with_mocks() -> None:
    """Collect, process, store."""
    source = MockDataSource(source_id="sensor", data=b"temp:25.5")
    processor, storage = MockProcessor(name="normalizer"), MockStorageBackend(backend_id="db")
    await source.connect()
    await storage.connect()
    try:
        data = await source.collect()
        result = await processor.process({"raw": data.raw_data.decode()})
        if result.success:
            location = await storage.store(result.processed_data)
            print(f"stored at {location.path}")
    finally:
        await source.disconnect()
        await storage.disconnect()


async def complete() -> None:
    """A session replayed into two backends at once."""
    storage, session_id = await _captured()
    async with storage:
        storage.register_backend(MockStorageBackend("mirror"))
        source = ReplaySource(storage, session_id)
        await source.connect()
        try:
            async for data in source.collect_stream():
                data.metadata["session_id"] = session_id
                places = [location.path for location in await storage.store_data(data)]
                print(" and ".join(places))
        finally:
            await source.disconnect()
        found = await storage.query(QueryCriteria(scenario="tea"))
        print(f"{len(found)} steps of the scenario 'tea'")


async def events_with_mocks() -> None:
    """Who listens hears what happens."""
    emitter = MockEventEmitter()

    async def on_event(event: SystemEvent) -> None:
        print(f"{event.event_type}: {event.data}")

    subscription = await emitter.subscribe(EventType.COLLECTION_COMPLETE, on_event)
    await emitter.emit(
        SystemEvent(
            event_type=EventType.COLLECTION_COMPLETE,
            timestamp=system_clock.now(),
            source="collector",
            data={"items": 100},
        )
    )
    await emitter.unsubscribe(subscription)


async def events() -> None:
    """A line for each step as it is stored."""
    emitter = EventEmitter()

    async def on_step(event: SystemEvent) -> None:
        print(f"{event.data['step_id']} {event.data['outcome']}, {event.data['bytes']} bytes")

    await emitter.subscribe(EventType.STEP_STORED, on_step)
    storage, _ = await _captured(events=emitter)
    await storage.close()


async def errors_with_mocks() -> None:
    """An error and what becomes of it."""
    handler = MockErrorHandler()
    error = ErrorInfo(
        error_type=ErrorType.VALIDATION,
        timestamp=system_clock.now(),
        layer_name="processing",
        operation="validate",
        message="Invalid data format",
        details={"expected": "dict", "got": "str"},
        is_critical=False,
    )
    if handler.can_handle(error.error_type):
        print(f"{error.message}: {await handler.handle_error(error)}")


async def errors() -> None:
    """A session that is not there, and what becomes of the error."""
    handler = ErrorHandler()
    async with StorageManager("memory://") as storage:
        try:
            await ReplaySource(storage, "no-such-session").connect()
        except DataCollectionError as err:
            info = describe_error(err, "collection", "replay")
            print(f"{info.error_type}: {info.message}: {await handler.handle_error(info)}")


async def _captured(*, events: EventEmitter | None = None) -> tuple[StorageManager, str]:
    storage = StorageManager("memory://")
    async with DataCollector(storage, open_site=open_site, events=events) as collector:
        manifest = await collector.capture_scenario(parse_scenario(SCENARIO))
    return storage, manifest.session_id


EXAMPLES: dict[str, tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = {
    "collection": (collection_with_mocks, collection),
    "pipeline": (pipeline_with_mocks, pipeline),
    "complete": (complete_with_mocks, complete),
    "events": (events_with_mocks, events),
    "errors": (errors_with_mocks, errors),
}


async def main(*names: str) -> int:
    """Run the examples of these names, or all; the exit code."""
    unknown = [name for name in names if name not in EXAMPLES]
    if unknown:
        print(f"there is no example {unknown[0]!r}: {', '.join(EXAMPLES)}", file=sys.stderr)
        return 2
    for name in names or EXAMPLES:
        for kind, example in zip(("mocks", "real parts"), EXAMPLES[name], strict=True):
            print(f"--- {name}, {kind}")
            await example()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
