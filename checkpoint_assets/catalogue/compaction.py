"""Compaction: fragments are folded into the files, and the new files published as one HEAD.

Only files that hold a session that changed are written anew. A compaction that dies leaves files
that no HEAD names; a later one removes them. A fragment is removed only when it has been in a
published HEAD for the grace time, and so is a file that a newer HEAD does not name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count

import pyarrow as pa

from checkpoint_assets.catalogue.columns import GONE, texts
from checkpoint_assets.catalogue.data_files import (
    MOST_ROWS,
    SCHEMAS,
    read_file,
    spans,
    split,
    write_file,
)
from checkpoint_assets.catalogue.folding import apply, in_order
from checkpoint_assets.catalogue.head import TABLES, DataFile, Head, due, publish, unreadable
from checkpoint_assets.catalogue.view import View, open_view
from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.storage.keys import catalog_prefix
from checkpoint_assets.storage.storage_manager import StorageManager

GRACE = timedelta(hours=1)
# Files of a compaction that is at work are named by no HEAD yet.
GARBAGE_AGE = timedelta(days=1)
_LONGEST = GARBAGE_AGE / 2
# For so long it is remembered that a session is gone: a fragment may come late, from a spool.
_GONE_AGE = timedelta(days=30)
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class CompactionReport:
    """What a compaction did. ``folded`` fragments, ``written`` files, ``removed`` old objects."""

    steps: int
    sessions: int
    folded: int
    written: int
    removed: int


class Compactor:
    """Folds what a view shows into files, and publishes them."""

    def __init__(
        self,
        storage: StorageManager,
        ids: SessionIds,
        clock: Clock,
        *,
        grace: timedelta = GRACE,
        file_rows: int = MOST_ROWS,
    ) -> None:
        self._storage = storage
        self._ids = ids
        self._clock = clock
        self._grace = grace
        self._file_rows = file_rows

    async def run(
        self, look: Callable[[StorageManager], Awaitable[View]] = open_view
    ) -> CompactionReport:
        """Publish what ``look`` shows. Raises ``Conflict`` if others are faster again and again."""
        capabilities = await self._storage.get_capabilities()
        for condition in ("create_only", "if_match"):
            capabilities.require(condition, "compaction of the catalogue")
        missing: NotFound | None = None
        for _ in range(_ATTEMPTS):
            try:
                view = await look(self._storage)
                now = await self._storage.store.now()
                head, written = await self._folded(view, now)
            except NotFound as error:
                missing = error  # what the view names was removed: there is a newer HEAD
                continue
            idle = not view.waiting and not view.delta.touched and view.published.etag is not None
            if idle and not self._tidies(view.head, now):
                return self._report(view.head, 0, 0, 0)
            if await publish(self._storage, head, view.published):
                removed = await self._tidy(head, now)
                return self._report(head, len(view.waiting), written, removed)
        if missing is not None:
            raise unreadable(missing)
        raise Conflict("others publish the catalogue faster than this compaction")

    @staticmethod
    def _report(head: Head, folded: int, written: int, removed: int) -> CompactionReport:
        return CompactionReport(head.rows("steps"), head.rows("sessions"), folded, written, removed)

    async def _folded(self, view: View, now: datetime) -> tuple[Head, int]:
        """The next HEAD, its files written; and how many of them are new."""
        began = self._clock.monotonic()
        name = self._ids.new()
        names = (f"{name}-{number:05d}" for number in count())
        files: dict[str, tuple[DataFile, ...]] = {
            "steps": await self._rewritten(view, "steps", names),
            "sessions": await self._rewritten(view, "sessions", names),
            "gone": await self._gone(view, now, names),
        }
        if self._clock.monotonic() - began > _LONGEST.total_seconds():
            raise Conflict(f"a compaction took more than {_LONGEST}; its files may be swept")
        stamp = isoformat(now)
        head = Head(name, stamp, files)
        old = view.head
        listed = set(view.listed)
        since = isoformat(now - self._grace - GARBAGE_AGE)
        retired = {key: at for key, at in old.retired.items() if at > since}
        folded = {key: at for key, at in old.folded.items() if key in listed}
        head = replace(
            head,
            folded={**folded, **dict.fromkeys(view.waiting, stamp)},
            retired={**retired, **dict.fromkeys(old.keys - head.keys, stamp)},
        )
        return head, len(head.keys - old.keys)

    async def _rewritten(
        self, view: View, table: str, names: Iterator[str]
    ) -> tuple[DataFile, ...]:
        """The files of the table with what the view changes; those without a change stay."""
        files: list[DataFile] = []
        held: pa.Table = SCHEMAS[table].empty_table()

        async def flush() -> None:
            nonlocal held
            files.extend(
                [
                    await write_file(self._storage, table, next(names), part)
                    for part in split(held, self._file_rows)
                ]
            )
            held = SCHEMAS[table].empty_table()

        for low, high, file in spans(view.head.files[table]):
            delta = view.delta.within(low, high)
            if file is not None and not delta.touched and not self._joins(file, held):
                await flush()
                files.append(file)
                continue
            base = held.slice(0, 0)
            if file is not None:
                base = await read_file(self._storage, table, file)
            new = delta.steps if table == "steps" else delta.sessions
            held = pa.concat_tables([held, await asyncio.to_thread(apply, delta, base, new)])
            if len(held) > self._file_rows:
                await flush()
        await flush()
        return tuple(files)

    def _joins(self, file: DataFile, held: pa.Table) -> bool:
        """Whether a small file is taken along with its neighbour, which is written anew."""
        return len(held) > 0 and len(held) + file.rows <= self._file_rows / 2

    async def _gone(self, view: View, now: datetime, names: Iterator[str]) -> tuple[DataFile, ...]:
        """What is remembered of sessions that are gone."""
        files = view.head.files["gone"]
        back = set(texts(view.delta.sessions, "session_id"))
        if not view.delta.gone and not back and not any(self._is_old(f, now) for f in files):
            return files
        gone: dict[str, datetime] = {}
        for file in files:
            rows = await read_file(self._storage, "gone", file)
            gone.update({row["session_id"]: row["recorded_at"] for row in rows.to_pylist()})
        gone.update(view.delta.gone)
        rows = [
            {"session_id": session_id, "recorded_at": at}
            for session_id, at in gone.items()
            if session_id not in back and now - at < _GONE_AGE
        ]
        table = in_order(pa.Table.from_pylist(rows, schema=GONE))
        return tuple(
            [
                await write_file(self._storage, "gone", next(names), part)
                for part in split(table, self._file_rows)
            ]
        )

    @staticmethod
    def _is_old(file: DataFile, now: datetime) -> bool:
        return file.earliest is not None and file.earliest < isoformat(now - _GONE_AGE)

    def _tidies(self, head: Head, now: datetime) -> bool:
        """Whether there is anything to remove by now."""
        return bool(due({**head.folded, **head.retired}, now - self._grace))

    async def _tidy(self, head: Head, now: datetime) -> int:
        """Remove what no reader uses any more; how many objects."""
        doomed = due({**head.folded, **head.retired}, now - self._grace)
        known = head.keys | set(head.retired)
        for table in TABLES:
            async for info in self._storage.iter_objects(catalog_prefix(table)):
                if info.key not in known and now - info.modified > GARBAGE_AGE:
                    doomed.append(info.key)
        await self._storage.delete_objects(doomed)
        return len(doomed)
