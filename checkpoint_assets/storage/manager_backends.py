"""Other places that steps are kept in, beside the manager's own store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from checkpoint_assets.interfaces import IStorageBackend
from checkpoint_assets.model.contract_records import CollectedData, QueryCriteria, StorageLocation
from checkpoint_assets.model.errors import InvalidInput, NotRegistered, PartialFailure
from checkpoint_assets.runtime.plugins import keeping
from checkpoint_assets.storage.manager_base import ManagerBase
from checkpoint_assets.storage.step_backend import QueryIndex, StepBackend, Steps, step_of


class BackendMethods(ManagerBase):
    """Registers backends, stores into all of them, asks one."""

    _foreign: dict[str, IStorageBackend] | None = None
    _index: QueryIndex | None = None

    def register_backend(self, backend: IStorageBackend) -> str:
        """Keep everything that ``store_data`` is given there, too; returns its id.

        It is connected before it is first used, and disconnected by ``close``. Raises
        ``InvalidInput`` for an object that keeps no contract, or an id that is taken.
        """
        keeping(IStorageBackend, backend, "storage backend")
        backend_id = backend.get_backend_id()
        if backend_id in self.list_backends():
            raise InvalidInput(f"a backend {backend_id!r} is registered already")
        self._foreign = {**(self._foreign or {}), backend_id: backend}
        return backend_id

    def list_backends(self) -> Sequence[str]:
        """Ids of the backends, the own store (its URL) first."""
        return [self.url, *(self._foreign or {})]

    def answer_queries_by(self, index: QueryIndex | None) -> None:
        """Ask ``index`` before the own store is listed, as the catalogue offers to be."""
        self._index = index

    async def store_data(self, data: CollectedData) -> list[StorageLocation]:
        """Commit it to the own store, then keep it in every other backend.

        When ``PartialFailure`` is raised it is in the own store, and ``failures`` maps each
        backend that failed to its error.
        """
        first = await self._own().store(data)
        return [first, *await self.copy_data(data)]

    async def copy_data(self, data: CollectedData) -> list[StorageLocation]:
        """Keep what the own store has in every other backend, too. Raises ``PartialFailure``."""
        foreign = self._foreign or {}
        results = await asyncio.gather(
            *(_store(backend, data) for backend in foreign.values()), return_exceptions=True
        )
        failures: dict[str, Exception] = {}
        locations: list[StorageLocation] = []
        for backend_id, result in zip(foreign, results, strict=True):
            if isinstance(result, StorageLocation):
                locations.append(result)
            elif isinstance(result, Exception):
                failures[backend_id] = result
            else:
                raise result
        if failures:
            said = "; ".join(f"{name}: {error}" for name, error in failures.items())
            raise PartialFailure(
                f"{'/'.join(step_of(data))} is stored, but not everywhere: {said}", failures
            )
        return locations

    async def query(
        self, criteria: QueryCriteria, backend_id: str | None = None
    ) -> Sequence[StorageLocation]:
        """What the own store, or the backend of that id, has of what is asked for."""
        return await self._backend(backend_id).query(criteria)

    async def delete_location(self, location: StorageLocation) -> None:
        """Remove one thing from the backend that it is in."""
        await self._backend(location.backend_id).delete(location.location_id)

    async def close(self) -> None:
        """Let go of what is open, other backends included."""
        for backend in (self._foreign or {}).values():
            await backend.disconnect()
        await super().close()

    def _own(self) -> StepBackend:
        # A part of a StorageManager, and never anything else.
        return StepBackend(cast(Steps, self), index=self._index)

    def _backend(self, backend_id: str | None) -> IStorageBackend:
        if backend_id in (None, self.url):
            return self._own()
        foreign = self._foreign or {}
        if backend_id not in foreign:
            known = ", ".join(self.list_backends())
            raise NotRegistered(f"there is no backend {backend_id!r}", hint=f"there are: {known}")
        return foreign[backend_id]


async def _store(backend: IStorageBackend, data: CollectedData) -> StorageLocation:
    await backend.connect()
    return await backend.store(data)
