"""The catalogue as what a storage manager asks before it reads its store: ``query(criteria)``.

The answer is that of the store, never that of a catalogue that is behind. What a session is called
and how it ended is taken from the catalogue where it saw the session closed, which it is for good:
a session of another scenario or state costs no request. Of the others the keys are listed. A step
that is not listed is not told; one that the catalogue has not, or whose commit record is no older
than the catalogue's look at the session, is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from checkpoint_assets.catalogue.view import Query, View, open_view, read_parts
from checkpoint_assets.model.contract_records import QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import StorageError
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.storage.keys import (
    artifact_key,
    manifest_key,
    parse_record_name,
    session_prefix,
)
from checkpoint_assets.storage.step_backend import PAGE, StepBackend, meets
from checkpoint_assets.storage.storage_manager import StorageManager

# A stamp of ours may be two seconds off the store's clock, and S3 tells whole seconds.
_MARGIN = timedelta(seconds=4)
_JUST_NOW = datetime.max.replace(tzinfo=UTC)
_SESSION = ("session_id", "scenario", "state", "closed_at", "recorded_at")
_STEP = ("session_id", "step_id", "committed_at", *PAGE)


class CatalogueIndex:
    """Answers queries of the manager of a store that has a catalogue.

    ``manager.answer_queries_by(CatalogueIndex(manager))``. Where the catalogue cannot be read the
    store answers alone.
    """

    def __init__(self, storage: StorageManager) -> None:
        self._storage = storage

    async def __call__(self, criteria: QueryCriteria) -> Sequence[StorageLocation] | None:
        try:
            view = await open_view(self._storage)
            catalogued = _CataloguedSteps(self._storage, view, criteria)
            await catalogued.look()
            return await catalogued.query(criteria)
        except StorageError:
            # Away, damaged, or compacted away meanwhile: whatever is wrong with the store itself,
            # the store will say.
            return None


@dataclass(frozen=True, slots=True)
class _Session:
    """A session that was closed when the catalogue looked at it."""

    scenario: str | None
    state: SessionState
    recorded_at: datetime
    steps: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class _CataloguedSteps(StepBackend):
    """The store's own backend, which reads no more than the catalogue leaves open."""

    def __init__(self, storage: StorageManager, view: View, criteria: QueryCriteria) -> None:
        super().__init__(storage)
        self._storage = storage
        self._view = view
        self._only = None if criteria.session_id is None else [criteria.session_id]
        self._first = (criteria.after or "").partition("/")[0] or None
        named = (("scenario", criteria.scenario), ("state", criteria.state))
        self._filters = [(name, "==", str(each)) for name, each in named if each is not None]
        self._sessions: dict[str, _Session] = {}
        self._rows = self._read("steps", _STEP, self._filters)
        # The last session of which all rows are known by now; ``None``: of all of them.
        self._known_to: str | None = ""

    async def look(self) -> None:
        """Read what the catalogue says of the sessions."""
        async for part in self._read("sessions", _SESSION, []):
            for row in part.to_pylist():
                if row["closed_at"] is not None:
                    self._sessions[row["session_id"]] = _Session(
                        row["scenario"], SessionState(row["state"]), row["recorded_at"]
                    )

    def _read(
        self, table: str, columns: Sequence[str], filters: Sequence[tuple[str, str, Any]]
    ) -> AsyncIterator[pa.Table]:
        query = Query(columns, sessions=self._only, first=self._first, filters=filters)
        return read_parts(self._storage, self._view, table, query)

    async def steps_of(
        self, session_id: str, criteria: QueryCriteria, after: str | None = None
    ) -> AsyncIterator[StorageLocation]:
        session = self._sessions.get(session_id)
        if session is None or criteria.session_id not in (None, session_id):
            async for location in super().steps_of(session_id, criteria, after):
                yield location
            return
        if not meets(criteria, session.scenario, session.state):
            return
        listed = await self._listed_steps(session_id, after)
        if listed is None:
            async for location in super().steps_of(session_id, criteria, after):
                yield location
            return
        rows = await self._rows_of(session_id)
        for step_id, modified in listed.items():
            row = rows.get(step_id, {})
            at: datetime | None = row.get("committed_at")
            if at is not None and modified < session.recorded_at - _MARGIN:
                location = self.location(
                    session_id, step_id, at, session.scenario, session.state, row
                )
            else:
                location = await self.read_step(
                    session_id, step_id, session.scenario, session.state
                )
            if location is not None and criteria.in_time(location.created_at):
                yield location

    async def _listed_steps(self, session_id: str, after: str | None) -> dict[str, datetime] | None:
        """When each commit record was written, in order; ``None`` without a manifest."""
        session = parse_session_id(session_id)
        prefix, manifest = session_prefix(session), manifest_key(session)
        start = (
            ""
            if after is None
            else artifact_key(session, parse_step_id(after), Artifact.METADATA, "flat")
        )
        found: dict[str, datetime] = {}
        closed = False
        async for page in self._storage.store.list(prefix):
            for info in page.objects:
                closed = closed or info.key == manifest
                named = parse_record_name(info.key[len(prefix) :])
                if named is None or info.key <= start or named[0] == after:
                    continue
                # What is there in both layouts is read, to see which one counts.
                found[named[0]] = _JUST_NOW if named[0] in found else info.modified
        return found if closed else None

    async def _rows_of(self, session_id: str) -> dict[str, dict[str, Any]]:
        """The rows of its steps. Files are read as they are needed: both go by session id."""
        while self._known_to is not None and self._known_to <= session_id:
            part = await anext(self._rows, None)
            if part is None:
                self._known_to = None
                break
            for row in part.to_pylist():
                self._known_to = row["session_id"]
                if (known := self._sessions.get(row["session_id"])) is not None:
                    known.steps[row["step_id"]] = row
        return self._sessions[session_id].steps
