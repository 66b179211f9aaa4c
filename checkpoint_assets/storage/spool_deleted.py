"""What of a waiting session was deleted, and by whom: by somebody who saw it, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.tombstones import read_tombstone, tombstones


class Deleted:
    """The tombstones of a session: of which steps (``None``: all), with the records they hold."""

    def __init__(self, records: Mapping[StepId | None, Mapping[str, bytes]]) -> None:
        self._records = records

    @classmethod
    async def of(cls, store: Store, session_id: SessionId) -> Self:
        """What the store says."""
        found: dict[StepId | None, Mapping[str, bytes]] = {}
        async for _, step_id, _ in tombstones(store, session_id):
            present = await read_tombstone(store, session_id, step_id)
            if present is not None:
                found[step_id] = present[0].records
        return cls(found)

    def names(self, step_id: StepId | None) -> bool:
        """Whether the step (``None``: the manifest), or its session, was deleted."""
        return bool({None, step_id} & self._records.keys())

    def holds(self, step_id: StepId | None, key: str, data: bytes) -> bool:
        """Whether a tombstone holds these bytes: whoever wrote it saw them, and is removing them.

        The delete may still be under way, or be taken back, so they are left alone.
        """
        found = [self._records[by] for by in {None, step_id} if by in self._records]
        return any(records.get(key) == data for records in found)
