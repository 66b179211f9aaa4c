"""A storage manager's own store, as the storage backend that others can stand beside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.contract_records import CollectedData, QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import InvalidInput, NotFound
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CommitRecord, SessionManifest

# Answers a query without looking at the store, or ``None`` where it cannot.
QueryIndex = Callable[[QueryCriteria], Awaitable[Sequence[StorageLocation] | None]]

# Which artifact the raw data of a format is, where a source names no artifacts.
FORMATS: Mapping[str, Artifact] = {
    "html": Artifact.HTML,
    "webp": Artifact.SCREENSHOT,
    "png": Artifact.SCREENSHOT,
}
# What a query says of a step, from the metadata in its commit record.
PAGE = ("url", "title")


class Steps(Protocol):
    """What a ``StorageManager`` does with steps, as far as its backend needs it."""

    @property
    def url(self) -> str: ...

    async def connect(self) -> None: ...

    async def close(self) -> None: ...

    async def store_step_data(
        self,
        session_id: str,
        step_id: str,
        html_content: str | bytes | None = None,
        screenshot_bytes: bytes | None = None,
        action_data: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> dict[str, str | None]: ...

    async def get_commit_record(self, session_id: str, step_id: str) -> CommitRecord: ...

    async def get_manifest(self, session_id: str) -> SessionManifest: ...

    async def delete_step(self, session_id: str, step_id: str) -> object: ...

    def iter_sessions(self, prefix: str = "", after: str | None = None) -> AsyncIterator[str]: ...

    def iter_steps(
        self, session_id: str, prefix: str = "", after: str | None = None
    ) -> AsyncIterator[str]: ...

    def session_url(self, session_id: str) -> str: ...


class StepBackend:
    """Keeps steps in a ``StorageManager``. Keeps the contract of ``IStorageBackend``.

    A location id is ``session_id/step_id``. ``index`` answers queries where it can; without one,
    or where it cannot, the store is listed, with the same answer.
    """

    def __init__(self, storage: Steps, *, index: QueryIndex | None = None) -> None:
        self._storage = storage
        self._index = index

    def get_backend_id(self) -> str:
        return self._storage.url

    async def connect(self) -> None:
        await self._storage.connect()

    async def disconnect(self) -> None:
        await self._storage.close()

    async def store(self, data: CollectedData) -> StorageLocation:
        """Commit it as one step; ``metadata`` names ``session_id`` and ``step_id``.

        ``metadata["action"]`` and ``metadata["page"]``, if there, are what was done and what is
        known of the page. Raises ``InvalidInput`` for a format that is no artifact of a step.
        """
        session_id, step_id = step_of(data)
        artifacts = contents(data)
        await self._storage.store_step_data(
            session_id,
            step_id,
            html_content=artifacts.get(Artifact.HTML),
            screenshot_bytes=artifacts.get(Artifact.SCREENSHOT),
            action_data=data.metadata.get("action"),
            metadata=page_of(data),
        )
        record = await self._storage.get_commit_record(session_id, step_id)
        return self._location(record, None, SessionState.INCOMPLETE)

    async def query(self, criteria: QueryCriteria) -> Sequence[StorageLocation]:
        answer = await self._index(criteria) if self._index else None
        if answer is not None:
            return answer
        found: list[StorageLocation] = []
        if criteria.limit == 0:
            return found
        async for location in self._listed(criteria):
            found.append(location)
            if len(found) == criteria.limit:
                break
        return found

    async def delete(self, location_id: str) -> None:
        """Delete the step as ``StorageManager.delete_step`` does: restorable for a while."""
        session_id, _, step_id = location_id.partition("/")
        await self._storage.delete_step(session_id, step_id)

    async def _listed(self, criteria: QueryCriteria) -> AsyncIterator[StorageLocation]:
        after_session, _, after_step = (criteria.after or "").partition("/")
        if after_session:
            # What is left of the session that the last answer ended in.
            async for location in self.steps_of(after_session, criteria, after_step or None):
                yield location
        if criteria.session_id is not None:
            if not after_session or criteria.session_id > after_session:
                async for location in self.steps_of(criteria.session_id, criteria):
                    yield location
            return
        async for session_id in self._storage.iter_sessions(after=after_session or None):
            async for location in self.steps_of(session_id, criteria):
                yield location

    async def steps_of(
        self, session_id: str, criteria: QueryCriteria, after: str | None = None
    ) -> AsyncIterator[StorageLocation]:
        """The steps of the session that meet the criteria, those after ``after``, in order."""
        if criteria.session_id not in (None, session_id):
            return
        manifest = None
        with suppress(NotFound):
            manifest = await self._storage.get_manifest(session_id)
        scenario, state = manifest.scenario if manifest else None, _state(manifest)
        if not meets(criteria, scenario, state):
            return
        async for step_id in self._storage.iter_steps(session_id, after=after):
            location = await self.read_step(session_id, step_id, scenario, state)
            if location is not None and criteria.in_time(location.created_at):
                yield location

    async def read_step(
        self, session_id: str, step_id: str, scenario: str | None, state: SessionState
    ) -> StorageLocation | None:
        """Where the step of such a session is; ``None`` if it was deleted since it was listed."""
        try:
            record = await self._storage.get_commit_record(session_id, step_id)
        except NotFound:
            return None
        return self._location(record, scenario, state)

    def _location(
        self, record: CommitRecord, scenario: str | None, state: SessionState
    ) -> StorageLocation:
        return self.location(
            record.session_id,
            record.step_id,
            parse_isoformat(record.committed_at),
            scenario,
            state,
            record.metadata or {},
        )

    def location(
        self,
        session_id: str,
        step_id: str,
        committed_at: datetime,
        scenario: str | None,
        state: SessionState,
        page: Mapping[str, Any],
    ) -> StorageLocation:
        """Where the step is; ``page`` is what is known of it, of which a query tells a part."""
        return StorageLocation(
            self.get_backend_id(),
            f"{session_id}/{step_id}",
            f"{self._storage.session_url(session_id)}/{step_id}",
            committed_at,
            {
                "session_id": session_id,
                "step_id": step_id,
                "scenario": scenario,
                "state": str(state),
                **{name: page.get(name) for name in PAGE if isinstance(page.get(name), str)},
            },
        )


def step_of(data: CollectedData) -> tuple[str, str]:
    """Session and step id of what was collected. Raises ``InvalidInput`` if it names none."""
    session_id, step_id = data.metadata.get("session_id"), data.metadata.get("step_id")
    if not isinstance(session_id, str) or not isinstance(step_id, str):
        raise InvalidInput(
            f"what {data.source_id} collected is of no step",
            hint='put "session_id" and "step_id" into its metadata',
        )
    return parse_session_id(session_id), parse_step_id(step_id)


def contents(data: CollectedData) -> Mapping[str, bytes]:
    """The artifacts' bytes by name: those that are named, else the raw data by its format."""
    if data.artifacts or not data.raw_data:
        return data.artifacts
    if data.data_format not in FORMATS:
        raise InvalidInput(
            f"{data.source_id} collected {data.data_format!r}, which is no artifact of a step",
            hint=f"use {', '.join(FORMATS)}, or name the artifacts",
        )
    return {FORMATS[data.data_format]: data.raw_data}


def page_of(data: CollectedData) -> dict[str, Any]:
    """What is known beside the artifacts: the page, or all of the metadata that is no id."""
    if "page" in data.metadata:
        return data.metadata["page"]
    known = {"session_id", "step_id", "action"}
    return {name: value for name, value in data.metadata.items() if name not in known}


def _state(manifest: SessionManifest | None) -> SessionState:
    return manifest.state if manifest else SessionState.INCOMPLETE


def meets(criteria: QueryCriteria, scenario: str | None, state: SessionState) -> bool:
    """Whether steps of such a session are asked for."""
    return criteria.state in (None, state) and criteria.scenario in (None, scenario)
