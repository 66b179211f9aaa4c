"""One consistent look at the catalogue: the HEAD, and what the fragments after it change.

Fragments are listed first and the HEAD is read after that. A fragment that was removed before the
listing is in a HEAD that was published before, so nothing is missing; what is seen twice counts
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from checkpoint_assets.catalogue.columns import SESSIONS, STEPS, texts
from checkpoint_assets.catalogue.data_files import SCHEMAS, TIMES, holding, read_file, spans
from checkpoint_assets.catalogue.folding import Delta, Known, apply, numbered, resolve
from checkpoint_assets.catalogue.fragments import FRAGMENT, list_fragments, read_fragments
from checkpoint_assets.catalogue.head import (
    DataFile,
    Head,
    Published,
    read_head,
    still_waiting,
    unreadable,
)
from checkpoint_assets.catalogue.truth import Marks
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.errors import InvalidInput, NotFound
from checkpoint_assets.storage.storage_manager import StorageManager

# As in pandas.read_parquet: a list of (column, operator, value), all of which hold.
Filters = Sequence[tuple[str, str, Any]]
_ATTEMPTS = 5
_KEYS = {"steps": ("session_id", "step_id"), "sessions": ("session_id",)}
_SHOWN = {"steps": STEPS, "sessions": SESSIONS}


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows and columns. ``first`` and ``last`` are ids, both in the range.

    ``since`` <= the time < ``until``: when a step was committed, or a session begun.
    """

    columns: Sequence[str] | None = None
    sessions: Collection[str] | None = None
    first: str | None = None
    last: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    filters: Filters = ()

    def check(self, table: str) -> None:
        """Raises ``InvalidInput`` for columns that the table does not have."""
        names = [*(self.columns or ()), *(name for name, _, _ in self.filters)]
        if unknown := sorted(set(names) - set(_SHOWN[table].names)):
            raise InvalidInput(
                f"the catalogue's {table} have no column {', '.join(unknown)}",
                hint=f"use {', '.join(_SHOWN[table].names)}",
            )

    def where(self, table: str) -> pc.Expression | None:
        """The same as an expression."""
        conditions: list[Any] = list(self.filters)
        if self.sessions is not None:
            conditions.append(("session_id", "in", set(self.sessions)))
        time = TIMES[table]
        for name, operator, value in (
            ("session_id", ">=", self.first),
            ("session_id", "<=", self.last),
            (time, ">=", self.since),
            (time, "<", self.until),
        ):
            if value is not None:
                conditions.append((name, operator, value))
        return pq.filters_to_expression(conditions) if conditions else None

    def names(self, table: str) -> list[str]:
        """The columns that are needed to find the rows, and those that are wanted."""
        shown = self.columns or _SHOWN[table].names
        used = (name for name, _, _ in self.filters)
        timed = [TIMES[table]] if self.since or self.until else []
        return list(dict.fromkeys([*_KEYS[table], *shown, *used, *timed]))

    def overlaps(self, low: str | None, high: str | None) -> bool:
        """Whether any session from ``low`` (in it) to ``high`` (not in it) is asked for."""
        if self.sessions is not None and not any(
            (low is None or s >= low) and (high is None or s < high) for s in self.sessions
        ):
            return False
        before = self.last is not None and low is not None and low > self.last
        after = self.first is not None and high is not None and high <= self.first
        return not (before or after)

    def may_be_in(self, file: DataFile) -> bool:
        """Whether the file may have a row that is asked for, by its bounds."""
        if not file.may_hold(self.first, self.last):
            return False
        if self.since and file.latest and file.latest < isoformat(self.since):
            return False
        return not (self.until and file.earliest and file.earliest >= isoformat(self.until))


@dataclass(frozen=True, slots=True)
class View:
    """What was seen: the HEAD, the fragments that were listed, what those not in it change."""

    published: Published
    delta: Delta
    listed: Sequence[str] = ()
    waiting: Sequence[str] = ()
    known: dict[str, Known] = field(default_factory=dict[str, Known])

    @property
    def head(self) -> Head:
        return self.published.head


async def open_view(storage: StorageManager) -> View:
    """The catalogue as it is now."""
    missing = NotFound("")
    for _ in range(_ATTEMPTS):
        try:
            listed = await list_fragments(storage)
            published = await read_head(storage)
            waiting = still_waiting(listed, published.head)
            tables = await read_fragments(storage, waiting)
            return await view_of(storage, published, listed, waiting, tables)
        except NotFound as error:
            missing = error  # compacted meanwhile
    raise unreadable(missing)


async def view_of(
    storage: StorageManager,
    published: Published,
    listed: Sequence[str],
    waiting: Sequence[str],
    tables: Sequence[pa.Table],
) -> View:
    """The view in which these entries are seen after the HEAD. Raises ``NotFound``."""
    entries = await asyncio.to_thread(numbered, tables, FRAGMENT.empty_table())
    changed = sorted(set(texts(entries, "session_id")))
    known = await read_known(storage, published.head, changed)
    delta = await asyncio.to_thread(resolve, entries, known)
    return View(published, delta, listed, waiting, known)


async def read_known(
    storage: StorageManager, head: Head, session_ids: Sequence[str]
) -> dict[str, Known]:
    """What the files say of these sessions, which are sorted; of those that they know."""
    known: dict[str, Known] = {}
    where = pc.field("session_id").isin(session_ids)
    for file in holding(head.files["gone"], session_ids):
        for row in (await read_file(storage, "gone", file, where=where)).to_pylist():
            known[row["session_id"]] = Known(row["recorded_at"], gone=True)
    columns = ["session_id", "recorded_at", "marked_at", "expires_at", "pin_reason"]
    for file in holding(head.files["sessions"], session_ids):
        for row in (await read_file(storage, "sessions", file, columns, where)).to_pylist():
            marks = Marks(row["expires_at"], pin_reason=row["pin_reason"])
            known[row["session_id"]] = Known(row["recorded_at"], row["marked_at"], marks)
    return known


async def read_parts(
    storage: StorageManager, view: View, table: str, query: Query
) -> AsyncIterator[pa.Table]:
    """The rows that are asked for, in order, one file's at a time. Raises ``NotFound``.

    The columns may be stored ones that are not shown, too.
    """
    where = query.where(table)
    names = query.names(table)
    shown = list(query.columns or _SHOWN[table].names)
    schema = pa.schema([SCHEMAS[table].field(name) for name in names])
    for low, high, file in spans(view.head.files[table]):
        if not query.overlaps(low, high):
            continue
        delta = view.delta.within(low, high)
        base = schema.empty_table()
        if file is not None and (query.may_be_in(file) or delta.marks):
            base = await read_file(storage, table, file, names, _widened(where, delta.marks))
        new = delta.steps if table == "steps" else delta.sessions
        rows = base
        if delta.touched:
            rows = await asyncio.to_thread(apply, delta, base, new.select(names))
        if where is not None:
            rows = rows.filter(where)
        yield rows.select(shown)


def _widened(where: pc.Expression | None, also: Iterable[str]) -> pc.Expression | None:
    """Also the rows of sessions whose columns are to change: they may match only then."""
    sessions = list(also)
    if where is None or not sessions:
        return where
    return where | pc.field("session_id").isin(sessions)
