"""From entries to rows: which entry counts, and what the tables are with it. No effects.

The later entry about a session counts, whole, and one that is older than what the tables already
say of the session does not count at all. So entries may come late, twice, and in any order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from checkpoint_assets.catalogue.columns import STEPS, STORED_SESSIONS, TIME, texts
from checkpoint_assets.catalogue.truth import Marks

# What makes one entry later than another: its time, then the fragment it is in.
_When: TypeAlias = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables say of a session: since when, and its marks. ``gone``: it was deleted."""

    recorded_at: datetime
    marked_at: datetime | None = None
    marks: Marks = field(default_factory=Marks)
    gone: bool = False


@dataclass(frozen=True)
class Delta:
    """What entries change. ``steps`` and ``sessions`` are sorted, and whole.

    Old rows of sessions in ``sessions`` and ``gone`` do not count any more. ``marks`` are those of
    sessions whose rows stay.
    """

    steps: pa.Table
    sessions: pa.Table
    gone: Mapping[str, datetime]
    marks: Mapping[str, tuple[Marks, datetime | None]]

    @cached_property
    def replaced(self) -> set[str]:
        """Sessions whose old rows do not count."""
        return {*self._sessions_of_sessions, *self.gone}

    @cached_property
    def _sessions_of_steps(self) -> list[str]:
        return texts(self.steps, "session_id")

    @cached_property
    def _sessions_of_sessions(self) -> list[str]:
        return texts(self.sessions, "session_id")

    @cached_property
    def touched(self) -> set[str]:
        """Sessions of which anything changes."""
        return {*self.replaced, *self.marks}

    def within(self, low: str | None, high: str | None) -> Delta:
        """The part about sessions from ``low`` (in it) to ``high`` (not in it)."""

        def inside(session_id: str) -> bool:
            return (low is None or session_id >= low) and (high is None or session_id < high)

        return Delta(
            _between(self.steps, self._sessions_of_steps, low, high),
            _between(self.sessions, self._sessions_of_sessions, low, high),
            {s: at for s, at in self.gone.items() if inside(s)},
            {s: marks for s, marks in self.marks.items() if inside(s)},
        )


def _between(table: pa.Table, ids: Sequence[str], low: str | None, high: str | None) -> pa.Table:
    begin = 0 if low is None else bisect_left(ids, low)
    return table.slice(begin, (len(ids) if high is None else bisect_left(ids, high)) - begin)


def numbered(tables: Sequence[pa.Table], empty: pa.Table) -> pa.Table:
    """The entries of several fragments, each with the number of its fragment in ``part``."""
    parts = [
        table.append_column("part", pa.repeat(pa.scalar(number), len(table)))
        for number, table in enumerate(tables)
    ]
    return pa.concat_tables([empty.append_column("part", pa.array([], pa.int64())), *parts])


def resolve(entries: pa.Table, known: Mapping[str, Known]) -> Delta:
    """What the entries change, given what the tables say of these sessions."""
    rows, marked = _latest(entries, known)
    sessions = _of(entries, "session", {s: when for s, (when, there) in rows.items() if there})
    steps = _of(entries, "step", {s: when for s, (when, there) in rows.items() if there})
    gone = {s: when[0] for s, (when, there) in rows.items() if not there}
    marks = _marks(entries, marked)
    fresh = {s: marks.get(s) or _kept(known.get(s)) for s in texts(sessions, "session_id")}
    sessions = sessions.append_column("recorded_at", sessions["at"]).append_column(
        "marked_at", pa.nulls(len(sessions), TIME)
    )
    staying = {s for s, before in known.items() if not before.gone} - {*fresh, *gone}
    return Delta(
        in_order(with_marks(steps.select(STEPS.names), fresh)),
        in_order(with_marks(sessions.select(STORED_SESSIONS.names), fresh)),
        gone,
        {s: mark for s, mark in marks.items() if s in staying},
    )


def _kept(known: Known | None) -> tuple[Marks, datetime | None]:
    return (known.marks, known.marked_at) if known and not known.gone else (Marks(), None)


def _latest(
    entries: pa.Table, known: Mapping[str, Known]
) -> tuple[dict[str, tuple[_When, bool]], dict[str, _When]]:
    """For each session the entry about its rows that counts, and the one about its marks."""
    heads = entries.filter((pc.field("event") != "step") & pc.field("step_id").is_null())
    rows: dict[str, tuple[_When, bool]] = {}
    marks: dict[str, _When] = {}
    for session_id, event, at, part in zip(
        *(heads[name].to_pylist() for name in ("session_id", "event", "at", "part")), strict=True
    ):
        before = known.get(session_id)
        if event == "mark":
            stale = before and before.marked_at and at <= before.marked_at
            if not stale and (session_id not in marks or (at, part) > marks[session_id]):
                marks[session_id] = at, part
        else:
            stale = before and at <= before.recorded_at
            if not stale and (session_id not in rows or (at, part) > rows[session_id][0]):
                rows[session_id] = (at, part), event == "session"
    return rows, marks


def _of(entries: pa.Table, event: str, when: Mapping[str, _When]) -> pa.Table:
    """The rows of this event that belong to the entries that count."""
    rows = entries.filter(pc.field("event") == event)
    parts = {session_id: part for session_id, (_, part) in when.items()}
    counting = rows["session_id"].to_pandas().map(parts)
    same = counting.eq(rows["part"].to_pandas())
    return rows.filter(pa.array(same.fillna(False).astype(bool), pa.bool_()))


def _marks(
    entries: pa.Table, when: Mapping[str, _When]
) -> dict[str, tuple[Marks, datetime | None]]:
    found: dict[str, Marks] = {}
    steps: dict[str, dict[str, datetime]] = {}
    for row in (
        _of(entries, "mark", when)
        .select(["session_id", "step_id", "expires_at", "pin_reason"])
        .to_pylist()
    ):
        session_id, step_id = row["session_id"], row["step_id"]
        if step_id is None:
            own = steps.setdefault(session_id, {})
            found[session_id] = Marks(row["expires_at"], own, row["pin_reason"])
        else:
            steps.setdefault(session_id, {})[step_id] = row["expires_at"]
    return {session_id: (marks, when[session_id][0]) for session_id, marks in found.items()}


def apply(delta: Delta, table: pa.Table, rows: pa.Table) -> pa.Table:
    """``table`` with the changes; ``rows`` are the delta's of this table. Sorted."""
    if not delta.touched:
        return table
    replaced = pa.array(delta.replaced, pa.string())
    kept = table.filter(pc.invert(pc.is_in(table["session_id"], value_set=replaced)))
    kept = with_marks(kept, delta.marks)
    return in_order(pa.concat_tables([kept, rows.select(table.column_names)]))


def in_order(table: pa.Table) -> pa.Table:
    """The rows in the order of sessions and steps."""
    names = [name for name in ("session_id", "step_id") if name in table.column_names]
    return table.sort_by([(name, "ascending") for name in names])


def with_marks(table: pa.Table, marks: Mapping[str, tuple[Marks, datetime | None]]) -> pa.Table:
    """The rows, in another order, with these marks on those of these sessions."""
    if not marks or not len(table):
        return table
    affected = pc.is_in(table["session_id"], value_set=pa.array(marks, pa.string()))
    if not pc.any(affected).as_py():
        return table
    marked = table.filter(affected)
    ids = [marks[session_id] for session_id in texts(marked, "session_id")]
    step_ids = texts(marked, "step_id") if "step_id" in marked.column_names else None
    columns: dict[str, Sequence[Any]] = {
        "expires_at": [m.expires_at for m, _ in ids]
        if step_ids is None
        else [_earliest(m, step) for (m, _), step in zip(ids, step_ids, strict=True)],
        "pinned": [m.pin_reason is not None for m, _ in ids],
        "pin_reason": [m.pin_reason for m, _ in ids],
        "marked_at": [at for _, at in ids],
    }
    for name, values in columns.items():
        if name in marked.column_names:
            at = marked.column_names.index(name)
            type_ = marked.schema.field(name)
            marked = marked.set_column(at, type_, pa.array(values, type_.type))
    return pa.concat_tables([table.filter(pc.invert(affected)), marked])


def _earliest(marks: Marks, step_id: str) -> datetime | None:
    moments = [m for m in (marks.expires_at, marks.steps.get(step_id)) if m is not None]
    return min(moments, default=None)
