"""A storage manager's own store, as the storage backend that others can stand beside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.contract_records import QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import InvalidInput, NotFound
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CollectedData, CommitRecord, SessionManifest

if TYPE_CHECKING:
    from checkpoint_assets.storage.storage_manager import StorageManager

# Answers a query without looking at the store, or ``None`` where it cannot.
QueryIndex = Callable[[QueryCriteria], Awaitable[Sequence[StorageLocation] | None]]

# Which artifact the raw data of a format is, where a source names no artifacts.
FORMATS: Mapping[str, Artifact] = {
    "html": Artifact.HTML,
    "webp": Artifact.SCREENSHOT,
    "png": Artifact.SCREENSHOT,
}
# What a query says of a step, from the metadata in its commit record.
_PAGE = ("url", "title")


class StepBackend:
    """Keeps steps in a ``StorageManager``. Keeps the contract of ``IStorageBackend``.

    A location id is ``session_id/step_id``. ``index`` answers queries where it can; without one,
    or where it cannot, the store is listed, with the same answer.
    """

    def __init__(self, storage: StorageManager, *, index: QueryIndex | None = None) -> None:
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
        return self._location(record, None)

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
            async for location in self._steps_of(after_session, criteria, after_step or None):
                yield location
        if criteria.session_id is not None:
            if not after_session or criteria.session_id > after_session:
                async for location in self._steps_of(criteria.session_id, criteria):
                    yield location
            return
        async for session_id in self._storage.iter_sessions(after=after_session or None):
            async for location in self._steps_of(session_id, criteria):
                yield location

    async def _steps_of(
        self, session_id: str, criteria: QueryCriteria, after: str | None = None
    ) -> AsyncIterator[StorageLocation]:
        if criteria.session_id not in (None, session_id):
            return
        manifest = None
        with suppress(NotFound):
            manifest = await self._storage.get_manifest(session_id)
        if not _meets(manifest, criteria):
            return
        async for step_id in self._storage.iter_steps(session_id, after=after):
            try:
                record = await self._storage.get_commit_record(session_id, step_id)
            except NotFound:
                continue  # deleted since it was listed
            location = self._location(record, manifest)
            since, until = criteria.since, criteria.until
            if (since is None or location.created_at >= since) and (
                until is None or location.created_at < until
            ):
                yield location

    def _location(self, record: CommitRecord, manifest: SessionManifest | None) -> StorageLocation:
        page = record.metadata or {}
        return StorageLocation(
            self.get_backend_id(),
            f"{record.session_id}/{record.step_id}",
            f"{self._storage.session_url(record.session_id)}/{record.step_id}",
            parse_isoformat(record.committed_at),
            {
                "session_id": record.session_id,
                "step_id": record.step_id,
                "scenario": manifest.scenario if manifest else None,
                "state": str(_state(manifest)),
                **{name: page.get(name) for name in _PAGE if isinstance(page.get(name), str)},
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


def _meets(manifest: SessionManifest | None, criteria: QueryCriteria) -> bool:
    if criteria.state not in (None, _state(manifest)):
        return False
    return criteria.scenario is None or (
        manifest is not None and manifest.scenario == criteria.scenario
    )
