"""The catalogue: a row for each step and each session, that any number of runs append to."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Literal, TypedDict, Unpack

import pandas as pd
import pyarrow as pa

from checkpoint_assets.catalogue.columns import SESSIONS, STEPS, to_frame
from checkpoint_assets.catalogue.compaction import GRACE, CompactionReport, Compactor
from checkpoint_assets.catalogue.data_files import MOST_ROWS
from checkpoint_assets.catalogue.fragments import (
    gone_entry,
    mark_entries,
    row_entries,
    write_fragment,
)
from checkpoint_assets.catalogue.head import read_head, unreadable
from checkpoint_assets.catalogue.rebuilding import read_truth, view_of_truth
from checkpoint_assets.catalogue.truth import is_there, read_marks, read_rows
from checkpoint_assets.catalogue.view import Filters, Query, open_view, read_parts
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import (
    CheckpointError,
    NotFound,
    PartialFailure,
    StoreUnavailable,
)
from checkpoint_assets.model.ids import SessionIds, parse_session_id
from checkpoint_assets.storage.spool_report import DrainReport
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all

Table = Literal["steps", "sessions"]
# Below this our clock and the store's cannot be told apart: S3 tells the time in whole seconds.
_SAME_TIME = timedelta(seconds=2)
_AT_ONCE = 16
_SESSIONS_AT_ONCE = 4
_ATTEMPTS = 5


class Selection(TypedDict, total=False):
    """Which rows, of which columns.

    ``sessions`` are ids, or ``first`` and ``last`` a range of them (both in it). ``since`` <= the
    time < ``until``: when a step was committed, or a session begun. ``filters`` are as in
    ``pandas.read_parquet``: ``[("action", "==", "click")]``.
    """

    columns: Sequence[str] | None
    sessions: Collection[str] | None
    first: str | None
    last: str | None
    since: datetime | None
    until: datetime | None
    filters: Filters


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild found: ``failed`` sessions could not be read and stay as they were."""

    published: CompactionReport
    sessions: int
    failed: dict[str, Exception]


class Catalogue:
    """Rows of all steps and sessions of a store, as Parquet below ``_catalog/``.

    Appending is one create-only write that meets no other writer. Reading sees everything that
    was appended before, compacted or not. It can be made anew from the store at any time: the
    store is the truth, the catalogue only tells what is in it.

    ``grace`` is how long files that a newer state does not need stay for readers, ``file_rows``
    about how many rows a file has.
    """

    def __init__(
        self,
        storage: StorageManager,
        *,
        clock: Clock = system_clock,
        grace: timedelta = GRACE,
        file_rows: int = MOST_ROWS,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._ids = SessionIds(clock)
        self._compactor = Compactor(storage, self._ids, clock, grace=grace, file_rows=file_rows)
        self._lock = threading.Lock()
        self._last: datetime | None = None
        self._skew = timedelta()

    async def append_session(self, session_id: str, run_id: str | None = None) -> str | None:
        """The catalogue has the session as it is stored now; the key of the new fragment.

        For a session that was closed, restored, or of which steps were deleted or replaced. One
        that is not in the store is not in the catalogue either, from now on.
        """
        session = parse_session_id(session_id)
        at = await self._stamp()
        rows = await read_rows(self._storage, session)
        if rows is None:
            entries = [gone_entry(session, at)]
        else:
            entries = row_entries(rows, at)
            # While the store is away the session waits in the spool, and nobody can mark it.
            with suppress(StoreUnavailable):
                marks = await read_marks(self._storage, session)
                entries += mark_entries(session, marks, at)
        name = f"{session}-{run_id or self._ids.new()}"
        return await write_fragment(self._storage, name, entries, at, self._ids)

    async def append_sessions(self, session_ids: Iterable[str]) -> None:
        """``append_session`` for each of them. Raises what failed, when all were tried."""
        errors = await self._append_all(session_ids)
        if len(errors) == 1:
            raise next(iter(errors.values()))
        if errors:
            first = min(errors)
            raise PartialFailure(
                f"{len(errors)} sessions could not be appended, the first of them {first}: "
                f"{errors[first]}",
                errors,
            )

    async def _append_all(self, session_ids: Iterable[str]) -> dict[str, Exception]:
        sessions = sorted({parse_session_id(session_id) for session_id in session_ids})
        errors: dict[str, Exception] = {}

        async def append(session_id: str) -> None:
            try:
                await self.append_session(session_id)
            except CheckpointError as error:
                errors[session_id] = error

        await run_all(append, sessions, _SESSIONS_AT_ONCE)
        return errors

    async def append_events(self, session_ids: Iterable[str]) -> str | None:
        """The catalogue has what happened to the sessions: deleted, expiring, pinned, or not.

        Each is looked up in the store, so it does not matter who of several comes first. For a
        session whose steps changed, or that was restored, use ``append_session``.
        """
        sessions = sorted({parse_session_id(session_id) for session_id in session_ids})
        if not sessions:
            return None
        at = await self._stamp()

        async def look(session_id: str) -> list[dict[str, Any]]:
            if not await is_there(self._storage, session_id):
                return [gone_entry(session_id, at)]
            return mark_entries(session_id, await read_marks(self._storage, session_id), at)

        entries = list(chain.from_iterable(await run_all(look, sessions, _AT_ONCE)))
        return await write_fragment(
            self._storage, f"events-{self._ids.new()}", entries, at, self._ids
        )

    async def drain_spool(
        self, *, limit: int | None = None, retry_dead: bool = False
    ) -> DrainReport:
        """``StorageManager.drain_spool``, and the catalogue has what it took to the bucket.

        The rows come first, so that a drain that dies leaves no session without any. Sessions
        whose rows could not be written are in ``failed``, too.
        """
        waiting = set(await self._storage.spooled_sessions())
        unread = await self._append_all(waiting)
        report = await self._storage.drain_spool(limit=limit, retry_dead=retry_dead)
        changed = {*unread, *(each.session_id for each in report.dead)}
        report.failed |= await self._append_all(changed | set(report.sessions) - waiting)
        return report

    async def forget(self, session_id: str) -> None:
        """No object below ``_catalog/`` has anything of a session that is gone, but its id.

        Readers that are at work begin anew. Raises ``NotSupported`` as ``compact``.
        """
        await self.append_events([session_id])
        at_once = Compactor(self._storage, self._ids, self._clock, grace=-_SAME_TIME)
        await at_once.run()

    async def compact(self) -> CompactionReport:
        """Fold the fragments into the files. Any number of compactions may run at once.

        Raises ``NotSupported`` on a store that does not honour conditions of writes, where the
        catalogue is read from its fragments alone.
        """
        return await self._compactor.run()

    async def rebuild(self) -> RebuildReport:
        """Make the catalogue anew from the store; what is appended meanwhile is in it, too.

        It may be in any state before, also unreadable. Raises ``NotSupported`` as ``compact``.
        """
        (await self._storage.get_capabilities()).require("if_match", "rebuilding the catalogue")
        await self._stamp()
        truth = await read_truth(self._storage, self._tick)
        published = await self._compactor.run(lambda storage: view_of_truth(storage, truth))
        return RebuildReport(published, len(truth.sessions), truth.failed)

    async def refresh(self) -> CompactionReport:
        """``compact``; or ``rebuild`` where nothing was ever published: an older store.

        Raises ``PartialFailure``, after it has published the others, for sessions that cannot be
        read.
        """
        if (await read_head(self._storage)).etag is not None:
            return await self.compact()
        report = await self.rebuild()
        if report.failed:
            first = min(report.failed)
            raise PartialFailure(
                f"{len(report.failed)} sessions are not in the catalogue, the first of them "
                f"{first}: {report.failed[first]}",
                report.failed,
                hint="verify() tells more",
            )
        return report.published

    async def steps(self, **selection: Unpack[Selection]) -> pd.DataFrame:
        """A row for each step, by session and step. See ``Selection``."""
        return to_frame(await self.read("steps", **selection))

    async def sessions(self, **selection: Unpack[Selection]) -> pd.DataFrame:
        """A row for each session, by id. See ``Selection``."""
        return to_frame(await self.read("sessions", **selection))

    async def read(self, table: Table, **selection: Unpack[Selection]) -> pa.Table:
        """The rows as one Arrow table."""
        missing = NotFound("")
        for _ in range(_ATTEMPTS):
            try:
                return pa.concat_tables([part async for part in self._parts(table, selection)])
            except NotFound as error:
                missing = error  # compacted, and swept, since the HEAD was read
        raise unreadable(missing)

    async def iter(
        self, table: Table, batch_rows: int = 10_000, **selection: Unpack[Selection]
    ) -> AsyncIterator[pa.RecordBatch]:
        """The rows in batches, in order, with no more than one file in memory.

        Raises ``NotFound`` if that takes longer than the grace time of a compaction meanwhile.
        """
        async for part in self._parts(table, selection):
            for batch in part.combine_chunks().to_batches(max_chunksize=batch_rows):
                if len(batch):
                    yield batch

    async def _parts(self, table: Table, selection: Selection) -> AsyncIterator[pa.Table]:
        query = Query(**selection)
        query.check(table)
        schema = STEPS if table == "steps" else SESSIONS
        yield schema.empty_table().select(query.columns or schema.names)
        view = await open_view(self._storage)
        async for part in read_parts(self._storage, view, table, query):
            yield part

    async def _stamp(self) -> datetime:
        """A time that was never given before: ours, or the store's where they are apart."""
        try:
            skew = await self._storage.store.now() - self._clock.now()
        except StoreUnavailable:
            skew = timedelta()
        self._skew = skew if abs(skew) > _SAME_TIME else timedelta()
        return self._tick()

    def _tick(self) -> datetime:
        with self._lock:
            now = self._clock.now() + self._skew
            if self._last is not None:
                now = max(now, self._last + timedelta(microseconds=1))
            self._last = now
            return now
