"""Runs one session: a source through the collection manager, its steps into storage, its end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Protocol

from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.session_record import SessionRecord
from checkpoint_assets.collection.step_copies import copy_step
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IDataSource, IEventEmitter, IStorageManager
from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.contract_records import CollectedData, SystemEvent
from checkpoint_assets.model.enums import Artifact, EventType, SessionState
from checkpoint_assets.model.errors import (
    BrowserCrashed,
    CheckpointError,
    DataCollectionError,
)
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.runtime.cleanup import to_the_end


class Versioned(Protocol):
    """A browser, as far as the manifest wants to know."""

    @property
    def version(self) -> str | None:
        """The browser's version, once it runs."""
        ...


class SessionRunner:
    """Commits each step as it comes, and closes every session.

    A session runs in ``collection`` under its id: there it is paused, resumed and stopped.
    """

    def __init__(
        self,
        storage: IStorageManager,
        collection: CollectionManager,
        events: IEventEmitter,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._collection = collection
        self._events = events
        self._settings = settings
        self._clock = clock

    async def run(
        self,
        session: SessionRecord,
        source: IDataSource,
        browser: Versioned | None = None,
        *,
        task_id: str | None = None,
    ) -> SessionManifest:
        """The session's manifest, however it ended; its task is below that of ``task_id``.

        Raises errors of storage and of the configuration, and a cancellation, after the session
        was closed.
        """
        started = self._clock.monotonic()
        session.started_at = isoformat(self._clock.now())
        await self._tell(EventType.COLLECTION_START, session)
        state = SessionState.ABORTED
        reason: str | None = "stopped before its end"
        try:
            async with asyncio.timeout(self._settings.timeouts.session):
                whole = await self._collect(session, source, task_id)
            if whole:
                state, reason = SessionState.COMPLETE, None
            if whole and session.incomplete:
                state, reason = SessionState.INCOMPLETE, "; ".join(session.incomplete)
        except DataCollectionError as err:
            session.crashed = isinstance(err, BrowserCrashed)
            state, reason = SessionState.INCOMPLETE, str(err)
        except TimeoutError:
            limit = self._settings.timeouts.session
            state, reason = SessionState.INCOMPLETE, f"the session took longer than {limit:g} s"
        except CheckpointError as err:
            state, reason = SessionState.INCOMPLETE, str(err)
            raise
        finally:
            session.browser = browser.version if browser else None
            session.remote = getattr(source, "remote", {})
            # The manifest is written also when the task is being cancelled.
            closing = asyncio.ensure_future(
                self._close(session, state, reason, self._clock.monotonic() - started)
            )
            manifest = await to_the_end(closing)
        return manifest

    async def _collect(
        self, session: SessionRecord, source: IDataSource, task_id: str | None
    ) -> bool:
        """Whether everything was collected, and nobody has stopped it."""

        async def sink(_: str, step: CollectedData) -> None:
            await self._store(session, step)

        source_id = await self._collection.register_source(
            source,
            sink,
            source_id=session.id,
            parent_id=task_id,
            expected=session.expected_steps,
        )
        try:
            await self._collection.start(source_id)
            await self._collection.wait(source_id)
            return not self._collection.was_stopped(source_id)
        finally:
            # Nothing to cancel, unless this task is being cancelled.
            await to_the_end(asyncio.ensure_future(self._collection.cancel(source_id)))
            await self._collection.unregister_source(source_id)

    async def _store(self, session: SessionRecord, step: CollectedData) -> None:
        step_id: str = step.metadata["step_id"]
        action: dict[str, Any] = step.metadata["action"]
        paths = await self._storage.store_step_data(
            session.id,
            step_id,
            html_content=step.artifacts.get(Artifact.HTML),
            screenshot_bytes=step.artifacts.get(Artifact.SCREENSHOT),
            action_data=action,
            metadata=step.metadata["page"],
        )
        known = {"session_id": session.id, "scenario": session.scenario.name, **step.metadata}
        if problem := await copy_step(self._storage, replace(step, metadata=known)):
            session.incomplete.append(problem)
        if action.get("target", {}).get("private"):
            session.private_steps.add(action["ordinal"])
        if problem := step.metadata["page"].get("incomplete"):
            session.incomplete.append(f"{step_id}: {problem}")
        await self._tell(
            EventType.STEP_STORED,
            session,
            step_id=step_id,
            selector=action.get("selector"),
            outcome=action["outcome"],
            bytes=sum(len(content) for content in step.artifacts.values()),
            milliseconds=round(sum(action["milliseconds"].values())),
            paths=paths,
        )

    async def _close(
        self, session: SessionRecord, state: SessionState, reason: str | None, seconds: float
    ) -> SessionManifest:
        manifest = await self._storage.close_session(
            session.id, state, manifest=session.manifest(reason, seconds)
        )
        kind = (
            EventType.COLLECTION_COMPLETE
            if state is SessionState.COMPLETE
            else EventType.COLLECTION_ERROR
        )
        await self._tell(
            kind,
            session,
            state=str(state),
            reason=manifest.reason,
            steps=len(manifest.steps),
            bytes=manifest.bytes,
            seconds=manifest.seconds,
        )
        return manifest

    async def _tell(self, kind: EventType, session: SessionRecord, **data: Any) -> None:
        words = {"session_id": session.id, "scenario": session.scenario.name, **data}
        await self._events.emit(SystemEvent(kind, self._clock.now(), "collector", words))
