"""The contracts that the parts of the system are joined by.

::

    collection     IDataSource  IMetadataParser  ICollectionManager
    processing     IProcessor   IPipeline        IProcessingManager
    storage        IStorageBackend  IStorageManager
    beside them    IErrorHandler  IEventEmitter  ITaskTracker

Whoever keeps a contract can take the part's place; ``checkpoint_assets.testing.contract_suites``
holds the tests that say whether it does. Coroutines may be cancelled at any await: what was
acknowledged before stays done, what was not is either done or not, and nothing is left open.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from checkpoint_assets.model.contract_records import (
    CollectedData,
    ErrorInfo,
    ParsedMetadata,
    ProcessingResult,
    QueryCriteria,
    StorageLocation,
    SystemEvent,
    TaskInfo,
)
from checkpoint_assets.model.enums import (
    CollectionStatus,
    ErrorPolicy,
    ErrorType,
    EventType,
    SessionState,
    TaskStatus,
)
from checkpoint_assets.model.records import SessionManifest

# Collection


@runtime_checkable
class IDataSource(Protocol):
    """Something that steps come from: a local browser, a remote one, a stored session.

    ``connect`` before anything else, ``disconnect`` always, also after an error or a
    cancellation; both may be called twice. After ``disconnect`` nothing of the source runs.
    """

    async def connect(self) -> None:
        """Get ready to collect. Raises ``DataCollectionError``; then nothing is left running."""
        ...

    async def disconnect(self) -> None:
        """Let go of everything. Never raises because the other side is already gone."""
        ...

    async def collect(self) -> CollectedData:
        """The next thing there is. Raises ``StopAsyncIteration`` at the end."""
        ...

    def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        """Everything there is, in order, as it happens; the consumer's pace is the source's pace.

        A ``DataCollectionError`` ends the stream; what was yielded before it is good.
        """
        ...

    def get_source_id(self) -> str:
        """A name for this source, for logs and records."""
        ...


@runtime_checkable
class IMetadataParser(Protocol):
    """Reads what a source said about what it collected. Touches nothing outside its input."""

    def parse(self, data: CollectedData) -> ParsedMetadata:
        """The metadata, typed. What is missing or malformed is in ``problems``, never raised."""
        ...

    def validate(self, metadata: ParsedMetadata) -> Sequence[str]:
        """What is wrong with it, a sentence each; empty if nothing is."""
        ...

    def get_supported_formats(self) -> Sequence[str]:
        """The values of ``CollectedData.data_format`` that it can read."""
        ...


@runtime_checkable
class ICollectionManager(Protocol):
    """Runs sources, each in a task of its own. A source is always disconnected at its end."""

    async def register_source(self, source: IDataSource) -> str:
        """Take the source in, ``IDLE``; returns its id.

        Raises ``InvalidInput`` for an object that keeps no contract, or an id that is taken.
        """
        ...

    async def unregister_source(self, source_id: str) -> None:
        """Stop the source if it runs, and forget it. An unknown id is fine."""
        ...

    async def start(self, source_id: str) -> None:
        """Begin to collect. Returns when it has begun; raises ``InvalidInput`` if it runs."""
        ...

    async def pause(self, source_id: str) -> None:
        """Let the source wait after the thing that is under way. Fine where it waits already."""
        ...

    async def resume(self, source_id: str) -> None:
        """Go on. Fine where it runs already."""
        ...

    async def stop(self, source_id: str) -> None:
        """End it in order: what was collected is kept, the source is disconnected on return."""
        ...

    async def wait(self, source_id: str) -> CollectionStatus:
        """The status at its end: ``STOPPED``, or ``ERROR``; the error itself is raised."""
        ...

    def get_status(self, source_id: str) -> CollectionStatus:
        """What the source is doing. Raises ``NotRegistered`` for an unknown id."""
        ...

    def list_sources(self) -> Sequence[str]:
        """The ids of all sources, in the order they came."""
        ...


# Processing


@runtime_checkable
class IProcessor(Protocol):
    """Makes something new of one input, without changing it."""

    async def process(self, data: Any) -> ProcessingResult:
        """What came out. A failure is a result, too: nothing is raised for a bad input."""
        ...

    def validate_input(self, data: Any) -> bool:
        """Whether ``process`` can do anything with it."""
        ...

    def get_processor_name(self) -> str:
        """A name, unique within a pipeline."""
        ...


@runtime_checkable
class IPipeline(Protocol):
    """Processors, one after the other."""

    def add_processor(self, processor: IProcessor) -> None:
        """Append it. Raises ``InvalidInput`` if the name is taken."""
        ...

    async def execute(self, data: Any) -> ProcessingResult:
        """The result of all of them; ``steps`` says what each did and how long it took."""
        ...

    def get_processors(self) -> Sequence[IProcessor]:
        """In their order."""
        ...

    def get_pipeline_name(self) -> str:
        """The name it is chosen by."""
        ...


@runtime_checkable
class IProcessingManager(Protocol):
    """Knows the processors and pipelines, and runs one by name."""

    def register_processor(self, processor: IProcessor) -> None:
        """Raises ``InvalidInput`` for an object that keeps no contract, or a name that is taken."""
        ...

    def register_pipeline(self, pipeline: IPipeline) -> None:
        """Raises ``InvalidInput`` for an object that keeps no contract, or a name that is taken."""
        ...

    async def process(self, name: str, data: Any) -> ProcessingResult:
        """Run the processor or pipeline of that name. Raises ``NotRegistered``."""
        ...

    def list_processors(self) -> Sequence[str]:
        """Names of processors, in the order they came."""
        ...

    def list_pipelines(self) -> Sequence[str]:
        """Names of pipelines, in the order they came."""
        ...


# Storage


@runtime_checkable
class IStorageBackend(Protocol):
    """A place where collected things are kept.

    ``connect`` before anything else, ``disconnect`` always; both may be called twice.
    """

    async def connect(self) -> None:
        """Make sure that storing can work. Raises ``StorageError``."""
        ...

    async def disconnect(self) -> None:
        """Let go of everything. Never raises because the other side is already gone."""
        ...

    async def store(self, data: CollectedData) -> StorageLocation:
        """Keep it: durable and whole when this returns. The same again is a success.

        Raises ``Conflict`` for other content in the same place, ``StorageError`` otherwise.
        """
        ...

    async def query(self, criteria: QueryCriteria) -> Sequence[StorageLocation]:
        """What is kept and meets the criteria, by location id. Raises ``StorageError``."""
        ...

    async def delete(self, location_id: str) -> None:
        """Remove it. What is not there is fine. Raises ``StorageError``, ``DeleteRefused``."""
        ...

    def get_backend_id(self) -> str:
        """A name for this backend, for locations and logs."""
        ...


@runtime_checkable
class IStorageManager(Protocol):
    """Steps and sessions in one place, and the other backends that steps are kept in, too."""

    async def connect(self) -> None:
        """Make sure that storing can work. Raises ``S3ConfigError`` or ``LocalStorageError``."""
        ...

    async def store_step_data(
        self,
        session_id: str,
        step_id: str,
        html_content: str | bytes | None = None,
        screenshot_bytes: bytes | None = None,
        action_data: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, str | None]:
        """Commit one step: durable and whole when this returns. Raises ``StorageError``."""
        ...

    async def close_session(
        self,
        session_id: str,
        state: SessionState = SessionState.COMPLETE,
        *,
        manifest: Mapping[str, Any] | None = None,
    ) -> SessionManifest:
        """Write the session's manifest with its terminal state. Raises ``StorageError``."""
        ...

    def register_backend(self, backend: IStorageBackend) -> str:
        """Keep everything that ``store_data`` is given there, too; returns its id.

        Raises ``InvalidInput`` for an object that keeps no contract, or an id that is taken.
        """
        ...

    def list_backends(self) -> Sequence[str]:
        """Ids of the backends, the manager's own first."""
        ...

    async def store_data(self, data: CollectedData) -> Sequence[StorageLocation]:
        """Keep it in the own backend, then in all others.

        ``PartialFailure`` means that the own one has it, and names those that have not.
        """
        ...

    async def copy_data(self, data: CollectedData) -> Sequence[StorageLocation]:
        """Keep what the own backend has in all others, too. Raises ``PartialFailure``."""
        ...

    async def query(
        self, criteria: QueryCriteria, backend_id: str | None = None
    ) -> Sequence[StorageLocation]:
        """What a backend (its own, if none is named) has. Raises ``NotRegistered``."""
        ...

    async def delete_location(self, location: StorageLocation) -> None:
        """Remove one thing from the backend that it is in. Raises ``NotRegistered``."""
        ...


# Beside the layers


@runtime_checkable
class IErrorHandler(Protocol):
    """Decides what becomes of an error."""

    def can_handle(self, error_type: ErrorType) -> bool:
        """Whether it has something to say about this kind."""
        ...

    async def handle_error(self, error: ErrorInfo) -> ErrorPolicy:
        """What to do now. Never raises."""
        ...


@runtime_checkable
class IEventEmitter(Protocol):
    """Tells subscribers what happens. A subscriber that fails never hurts the emitter."""

    async def emit(self, event: SystemEvent) -> None:
        """Hand the event to everyone who subscribed to its type."""
        ...

    async def subscribe(
        self, event_type: EventType, callback: Callable[[SystemEvent], Awaitable[None]]
    ) -> str:
        """Call ``callback`` for each event of the type; returns an id for ``unsubscribe``."""
        ...

    async def unsubscribe(self, subscription_id: str) -> None:
        """Stop calling. An unknown id is fine."""
        ...


@runtime_checkable
class ITaskTracker(Protocol):
    """Knows what is going on, how far it is, and how it ended.

    All but ``create_task`` raise ``NotRegistered`` for an unknown id; a task that has ended stays
    as it ended, and a later word about it is left aside.
    """

    async def create_task(self, name: str, *, parent_id: str | None = None) -> str:
        """A new task, ``PENDING``; returns its id."""
        ...

    async def update_task(
        self,
        task_id: str,
        *,
        status: TaskStatus | None = None,
        progress: float | None = None,
        message: str | None = None,
        error: str | None = None,
    ) -> None:
        """Say how far it is. Progress is from 0 to 1 and makes it ``RUNNING``."""
        ...

    async def cancel_task(self, task_id: str) -> None:
        """End the task and those below it as ``CANCELLED``, and stop the work they stand for."""
        ...

    def get_task(self, task_id: str) -> TaskInfo:
        """How it stands."""
        ...

    def list_tasks(self, status: TaskStatus | None = None) -> Sequence[TaskInfo]:
        """All of them, or those of one status, in the order they came."""
        ...
