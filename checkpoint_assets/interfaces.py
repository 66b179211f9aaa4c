"""The contracts that the parts of the system are joined by.

A collector gets its steps from an ``IDataSource``, hands them to an ``IStorageManager`` and tells
an ``IEventEmitter`` what happens. Whoever keeps a contract can take the part's place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.model.records import CollectedData, SessionManifest, SystemEvent


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
class IStorageManager(Protocol):
    """What a collector needs of storage: commit steps, close sessions."""

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
