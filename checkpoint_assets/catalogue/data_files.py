"""The files that a HEAD names: written once, under new names, sorted by session."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from checkpoint_assets.catalogue.columns import GONE, STEPS, STORED_SESSIONS, texts
from checkpoint_assets.catalogue.head import DataFile
from checkpoint_assets.catalogue.parquet import LARGE, PARQUET, REBUILD_HINT, encode, parse
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.errors import IntegrityError
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import catalog_key
from checkpoint_assets.storage.storage_manager import StorageManager

SCHEMAS = {"steps": STEPS, "sessions": STORED_SESSIONS, "gone": GONE}
# The column by which files are left out of a query about a time.
TIMES = {"steps": "committed_at", "sessions": "started_at", "gone": "recorded_at"}
# About 10 MB a file: little to rewrite for one session, and few files for many.
MOST_ROWS = 100_000
# To encode so many rows takes longer than handing them to a thread.
_MANY = 5_000


async def write_file(storage: StorageManager, table: str, name: str, rows: pa.Table) -> DataFile:
    """A new file with these rows, which are sorted."""
    data = encode(rows) if len(rows) < _MANY else await asyncio.to_thread(encode, rows)
    key = catalog_key(table, name)
    # Nobody else writes this name: a create-only write whose answer is lost would only confuse.
    await storage.write_object(key, data, media_type=PARQUET, create=False)
    times = [time for time in rows[TIMES[table]].to_pylist() if time is not None]
    return DataFile(
        key=key,
        rows=len(rows),
        bytes=len(data),
        sha256=await digest(data),
        first=rows["session_id"][0].as_py(),
        last=rows["session_id"][-1].as_py(),
        earliest=isoformat(min(times)) if times else None,
        latest=isoformat(max(times)) if times else None,
    )


async def read_file(
    storage: StorageManager,
    table: str,
    file: DataFile,
    columns: Sequence[str] | None = None,
    where: pc.Expression | None = None,
) -> pa.Table:
    """The rows of the file. Raises ``NotFound``, ``IntegrityError``."""
    stored = await storage.read_object(file.key)
    if (stored.digest or await digest(stored.data)) != file.sha256:
        raise IntegrityError(f"{file.key} is not what was written", key=file.key, hint=REBUILD_HINT)
    schema = SCHEMAS[table]
    if len(stored.data) < LARGE:
        return parse(stored.data, file.key, schema, columns, where)
    return await asyncio.to_thread(parse, stored.data, file.key, schema, columns, where)


def split(rows: pa.Table, most: int) -> Iterator[pa.Table]:
    """The rows in parts of about so many; no session is in two of them."""
    begin = 0
    while begin < len(rows):
        end = min(begin + most, len(rows))
        if end < len(rows):
            session = rows["session_id"][end - 1].as_py()
            ids = texts(rows.slice(end), "session_id")
            end += bisect_right(ids, session)
        yield rows.slice(begin, end - begin)
        begin = end


def spans(
    files: Sequence[DataFile],
) -> Iterator[tuple[str | None, str | None, DataFile | None]]:
    """The whole range of session ids, in order: from (in it), to (not in it), and the file there.

    What is new between two files belongs to the one before; one span without a file, if none is.
    """
    for number, file in enumerate(files):
        low = file.first if number else None
        high = files[number + 1].first if number + 1 < len(files) else None
        yield low, high, file
    if not files:
        yield None, None, None


def holding(files: Sequence[DataFile], session_ids: Sequence[str]) -> list[DataFile]:
    """The files that may have rows of these sessions, which are sorted."""
    return [
        file
        for file in files
        if bisect_left(session_ids, file.first) < bisect_right(session_ids, file.last)
    ]
