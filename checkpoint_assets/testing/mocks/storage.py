"""Stand-ins of the storage layer."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from checkpoint_assets.interfaces import IStorageBackend
from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.contract_records import CollectedData, QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import Conflict, InvalidInput, NotRegistered
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.runtime.plugins import keeping


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
        return criteria.among(location for _, (_, location) in sorted(self.stored.items()))

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
            "action_data": action_data,
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


def _content(data: Any) -> Any:
    if isinstance(data, CollectedData):
        return data.raw_data, dict(data.artifacts), data.metadata
    return data
