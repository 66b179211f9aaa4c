"""A stand-in for each contract, in memory: for tests and examples of whoever builds on them.

They keep the contracts as the real parts do, as the suites in ``testing.contract_suites`` say, and
tell what they were asked: ``calls`` are names of methods in their order.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from checkpoint_assets.collection.collection_manager import CollectionManager, Sink
from checkpoint_assets.interfaces import (
    IPipeline,
    IProcessor,
    IStorageBackend,
)
from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.contract_records import (
    ErrorInfo,
    ParsedMetadata,
    ProcessingResult,
    ProcessorTiming,
    QueryCriteria,
    StorageLocation,
)
from checkpoint_assets.model.enums import ErrorPolicy, ErrorType, SessionState
from checkpoint_assets.model.errors import Conflict, InvalidInput, NotRegistered
from checkpoint_assets.model.records import CollectedData, SessionManifest
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.plugins import keeping
from checkpoint_assets.runtime.tasks import TaskTracker


class MockDataSource:
    """Yields ``data``: one thing for bytes, one each for a sequence of them.

    ``error`` is raised after the last; ``delay`` in seconds comes before each.
    """

    def __init__(
        self,
        source_id: str = "mock-source",
        data: bytes | Sequence[bytes] = b"",
        *,
        metadata: Mapping[str, Any] | None = None,
        data_format: str = "html",
        error: Exception | None = None,
        delay: float = 0,
        clock: Clock = system_clock,
    ) -> None:
        self.source_id = source_id
        self.items = (data,) if isinstance(data, bytes) else tuple(data)
        self.metadata = dict(metadata or {})
        self.data_format = data_format
        self.error = error
        self.delay = delay
        self.clock = clock
        self.connected = False
        self.calls: list[str] = []
        self._next = 0

    def get_source_id(self) -> str:
        return self.source_id

    async def connect(self) -> None:
        self.calls.append("connect")
        if not self.connected:
            self.connected = True
            self._next = 0

    async def disconnect(self) -> None:
        self.calls.append("disconnect")
        self.connected = False

    async def collect(self) -> CollectedData:
        self.calls.append("collect")
        await asyncio.sleep(self.delay)
        if self._next >= len(self.items):
            if self.error is not None:
                raise self.error
            raise StopAsyncIteration
        number = self._next
        self._next += 1
        return CollectedData(
            source_id=self.source_id,
            timestamp=self.clock.now(),
            data_format=self.data_format,
            collection_method="mock",
            raw_data=self.items[number],
            metadata={"step_id": f"{number + 1:04d}-mock", **self.metadata},
        )

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        while True:
            try:
                collected = await self.collect()
            except StopAsyncIteration:
                return
            yield collected


class MockMetadataParser:
    """Takes metadata as it is; names in ``required`` must be there."""

    def __init__(self, required: Iterable[str] = (), formats: Sequence[str] = ("html",)) -> None:
        self.required = tuple(required)
        self.formats = tuple(formats)

    def parse(self, data: CollectedData) -> ParsedMetadata:
        parsed = ParsedMetadata(data.source_id, data.timestamp, "mock", dict(data.metadata))
        return replace(parsed, problems=self.validate(parsed))

    def validate(self, metadata: ParsedMetadata) -> Sequence[str]:
        return [f"{name} is missing" for name in self.required if name not in metadata.fields]

    def get_supported_formats(self) -> Sequence[str]:
        return self.formats


class MockCollectionManager(CollectionManager):
    """The real one, which keeps what it was given in ``collected`` where no sink takes it."""

    def __init__(self, sink: Sink | None = None, **options: Any) -> None:
        self.collected: list[CollectedData] = []
        super().__init__(sink or self._keep, **options)

    async def _keep(self, source_id: str, data: CollectedData) -> None:
        self.collected.append(data)


class MockProcessor:
    """Answers ``{"processed": True, "data": ...}``, or what ``function`` makes of the input.

    With ``error`` each result is a failure. ``accepts`` is what ``validate_input`` asks.
    """

    def __init__(
        self,
        name: str = "mock-processor",
        function: Callable[[Any], Any] | None = None,
        *,
        error: str | None = None,
        accepts: Callable[[Any], bool] = lambda data: data is not None,
    ) -> None:
        self.name = name
        self.function = function or _processed
        self.error = error
        self.accepts = accepts
        self.inputs: list[Any] = []

    async def process(self, data: Any) -> ProcessingResult:
        self.inputs.append(data)
        if self.error is not None:
            return ProcessingResult(False, None, self.error)
        if not self.validate_input(data):
            return ProcessingResult(False, None, f"{self.name} takes no {type(data).__name__}")
        return ProcessingResult(True, self.function(data))

    def validate_input(self, data: Any) -> bool:
        return self.accepts(data)

    def get_processor_name(self) -> str:
        return self.name


class MockPipeline:
    """Hands each processor what the one before made; ends at the first failure."""

    def __init__(self, name: str = "mock-pipeline", processors: Iterable[IProcessor] = ()) -> None:
        self.name = name
        self._processors: list[IProcessor] = []
        for processor in processors:
            self.add_processor(processor)

    def add_processor(self, processor: IProcessor) -> None:
        keeping(IProcessor, processor, "processor")
        if processor.get_processor_name() in {p.get_processor_name() for p in self._processors}:
            raise InvalidInput(f"there is a {processor.get_processor_name()!r} already")
        self._processors.append(processor)

    async def execute(self, data: Any) -> ProcessingResult:
        timings: list[ProcessorTiming] = []
        for processor in self._processors:
            result = await processor.process(data)
            outcome = "done" if result.success else "failed"
            name = processor.get_processor_name()
            timings.append(ProcessorTiming(name, outcome, result.processing_time, result.error))
            if not result.success:
                return ProcessingResult(False, data, result.error, steps=tuple(timings))
            data = result.processed_data
        return ProcessingResult(True, data, steps=tuple(timings))

    def get_processors(self) -> Sequence[IProcessor]:
        return tuple(self._processors)

    def get_pipeline_name(self) -> str:
        return self.name


class MockProcessingManager:
    """Runs what is registered, by name."""

    def __init__(self) -> None:
        self.processors: dict[str, IProcessor] = {}
        self.pipelines: dict[str, IPipeline] = {}

    def register_processor(self, processor: IProcessor) -> None:
        keeping(IProcessor, processor, "processor")
        self._check_free(processor.get_processor_name())
        self.processors[processor.get_processor_name()] = processor

    def register_pipeline(self, pipeline: IPipeline) -> None:
        keeping(IPipeline, pipeline, "pipeline")
        self._check_free(pipeline.get_pipeline_name())
        self.pipelines[pipeline.get_pipeline_name()] = pipeline

    def _check_free(self, name: str) -> None:
        if name in self.processors or name in self.pipelines:
            raise InvalidInput(f"there is a {name!r} already")

    async def process(self, name: str, data: Any) -> ProcessingResult:
        if name in self.pipelines:
            return await self.pipelines[name].execute(data)
        if name in self.processors:
            return await self.processors[name].process(data)
        raise NotRegistered(f"there is no processor or pipeline {name!r}")

    def list_processors(self) -> Sequence[str]:
        return list(self.processors)

    def list_pipelines(self) -> Sequence[str]:
        return list(self.pipelines)


class MockStorageBackend:
    """Keeps things in ``stored``, by location id: ``session/step``, or a number.

    ``error`` is raised by every ``store``.
    """

    def __init__(
        self,
        backend_id: str = "mock-backend",
        *,
        error: Exception | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.backend_id = backend_id
        self.error = error
        self.clock = clock
        self.connected = False
        self.calls: list[str] = []
        self.stored: dict[str, tuple[Any, StorageLocation]] = {}
        self._numbers = itertools.count(1)

    def get_backend_id(self) -> str:
        return self.backend_id

    async def connect(self) -> None:
        self.calls.append("connect")
        self.connected = True

    async def disconnect(self) -> None:
        self.calls.append("disconnect")
        self.connected = False

    async def store(self, data: Any) -> StorageLocation:
        """Takes anything: ``CollectedData`` of a step is kept once, under its ids."""
        self.calls.append("store")
        if self.error is not None:
            raise self.error
        known = data.metadata if isinstance(data, CollectedData) else {}
        if "session_id" in known and "step_id" in known:
            location_id = f"{known['session_id']}/{known['step_id']}"
        else:
            location_id = f"{next(self._numbers):06d}"
        if location_id in self.stored:
            content, location = self.stored[location_id]
            if _content(content) != _content(data):
                raise Conflict(f"{location_id} is there, with other content", key=location_id)
            return location
        location = StorageLocation(
            self.backend_id,
            location_id,
            f"mock://{self.backend_id}/{location_id}",
            self.clock.now(),
            {name: known[name] for name in ("session_id", "step_id", "scenario", "state")
             if name in known},
        )  # fmt: skip
        self.stored[location_id] = (data, location)
        return location

    async def query(self, criteria: QueryCriteria) -> Sequence[StorageLocation]:
        self.calls.append("query")
        found = [
            location
            for location_id, (_, location) in sorted(self.stored.items())
            if (criteria.after is None or location_id > criteria.after)
            and _meets(location, criteria)
        ]
        return found[: criteria.limit]

    async def delete(self, location_id: str) -> None:
        self.calls.append("delete")
        self.stored.pop(location_id, None)


class MockStorageManager:
    """Keeps steps in ``steps`` and manifests in ``manifests``, and passes data to backends."""

    def __init__(self, clock: Clock = system_clock) -> None:
        self.clock = clock
        self.steps: dict[tuple[str, str], dict[str, Any]] = {}
        self.manifests: dict[str, SessionManifest] = {}
        self.backends: dict[str, IStorageBackend] = {"mock": MockStorageBackend("mock")}

    async def connect(self) -> None:
        for backend in self.backends.values():
            await backend.connect()

    async def store_step_data(
        self,
        session_id: str,
        step_id: str,
        html_content: str | bytes | None = None,
        screenshot_bytes: bytes | None = None,
        action_data: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, str | None]:
        step = {
            "html": html_content,
            "screenshot": screenshot_bytes,
            "action": action_data,
            "metadata": metadata,
        }
        if self.steps.setdefault((session_id, step_id), step) != step:
            raise Conflict(f"{session_id}/{step_id} is there, with other content")
        return {
            f"{name}_path": None if content is None else f"mock://{session_id}/{step_id}.{name}"
            for name, content in step.items()
        }

    async def close_session(
        self,
        session_id: str,
        state: SessionState = SessionState.COMPLETE,
        *,
        manifest: Mapping[str, Any] | None = None,
    ) -> SessionManifest:
        steps = sorted(step for session, step in self.steps if session == session_id)
        self.manifests[session_id] = SessionManifest(
            session_id=session_id,
            state=state,
            closed_at=isoformat(self.clock.now()),
            steps=steps,
            **(manifest or {}),
        )
        return self.manifests[session_id]

    def register_backend(self, backend: IStorageBackend) -> str:
        keeping(IStorageBackend, backend, "storage backend")
        backend_id = backend.get_backend_id()
        if backend_id in self.backends:
            raise InvalidInput(f"a backend {backend_id!r} is registered already")
        self.backends[backend_id] = backend
        return backend_id

    def list_backends(self) -> Sequence[str]:
        return list(self.backends)

    async def store_data(self, data: CollectedData) -> Sequence[StorageLocation]:
        return [await self.backends["mock"].store(data), *await self.copy_data(data)]

    async def copy_data(self, data: CollectedData) -> Sequence[StorageLocation]:
        others = [backend for name, backend in self.backends.items() if name != "mock"]
        return [await backend.store(data) for backend in others]

    async def query(
        self, criteria: QueryCriteria, backend_id: str | None = None
    ) -> Sequence[StorageLocation]:
        return await self._backend(backend_id or "mock").query(criteria)

    async def delete_location(self, location: StorageLocation) -> None:
        await self._backend(location.backend_id).delete(location.location_id)

    def _backend(self, backend_id: str) -> IStorageBackend:
        if backend_id not in self.backends:
            raise NotRegistered(f"there is no backend {backend_id!r}")
        return self.backends[backend_id]


class MockErrorHandler:
    """Answers ``policy`` for the kinds it can handle, and keeps what it was told in ``errors``."""

    def __init__(
        self,
        policy: ErrorPolicy = ErrorPolicy.SKIP,
        kinds: Iterable[ErrorType] = tuple(ErrorType),
    ) -> None:
        self.policy = policy
        self.kinds = frozenset(kinds)
        self.errors: list[ErrorInfo] = []

    def can_handle(self, error_type: ErrorType) -> bool:
        return error_type in self.kinds

    async def handle_error(self, error: ErrorInfo) -> ErrorPolicy:
        self.errors.append(error)
        return self.policy if self.can_handle(error.error_type) else ErrorPolicy.ABORT


class MockEventEmitter(EventEmitter):
    """The real one, which keeps everything that was emitted in ``events``."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    async def emit(self, event: Any) -> None:
        self.events.append(event)
        await super().emit(event)


class MockTaskTracker(TaskTracker):
    """The real one, which keeps the ids of cancelled tasks in ``cancelled``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cancelled: list[str] = []

    async def cancel_task(self, task_id: str) -> None:
        self.cancelled.append(task_id)
        await super().cancel_task(task_id)


def _processed(data: Any) -> dict[str, Any]:
    return {"processed": True, "data": data}


def _content(data: Any) -> Any:
    if isinstance(data, CollectedData):
        return data.raw_data, dict(data.artifacts), data.metadata
    return data


def _meets(location: StorageLocation, criteria: QueryCriteria) -> bool:
    wanted = {
        "session_id": criteria.session_id,
        "scenario": criteria.scenario,
        "state": None if criteria.state is None else str(criteria.state),
    }
    since, until = criteria.since, criteria.until
    return (
        all(value is None or location.metadata.get(name) == value for name, value in wanted.items())
        and (since is None or location.created_at >= since)
        and (until is None or location.created_at < until)
    )
