"""Fragments: what one run appends, one immutable Parquet file that nobody else writes.

A fragment holds entries, each about one session as the store was at the entry's time ``at``:

- ``session`` and ``step`` rows: the session is there, and these are all its rows;
- ``gone``: the session is not there;
- ``mark`` rows: when the session (without a step id) and steps of it expire, and why it is pinned.

Of two entries of one kind about one session the later counts, whole. So the order in which
fragments are read does not matter, and one that is read twice does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from checkpoint_assets.catalogue.columns import SESSIONS, STEPS, TIME, to_table
from checkpoint_assets.catalogue.parquet import PARQUET, encode, parse
from checkpoint_assets.catalogue.truth import Marks, SessionRows
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.errors import Conflict
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.storage.keys import FRAGMENTS_PREFIX, fragment_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all

_AT_ONCE = 32

_SHARED = set(STEPS.names)
FRAGMENT = pa.schema(
    [
        pa.field("event", pa.string()),
        pa.field("at", TIME),
        *STEPS,
        *(field for field in SESSIONS if field.name not in _SHARED),
    ]
)


def row_entries(rows: SessionRows, at: datetime) -> list[dict[str, Any]]:
    """That a session is there, with these rows."""
    session = {"event": "session", "at": at, **rows.session}
    return [session, *({"event": "step", "at": at, **row} for row in rows.steps)]


def gone_entry(session_id: str, at: datetime) -> dict[str, Any]:
    """That a session is not there."""
    return {"event": "gone", "at": at, "session_id": session_id}


def mark_entries(session_id: str, marks: Marks, at: datetime) -> list[dict[str, Any]]:
    """When a session and its steps expire, and whether it is pinned."""
    mark = {"event": "mark", "at": at, "session_id": session_id}
    session = {
        **mark,
        "expires_at": marks.expires_at,
        "pinned": marks.pin_reason is not None,
        "pin_reason": marks.pin_reason,
    }
    steps = [
        {**mark, "step_id": step_id, "expires_at": moment}
        for step_id, moment in marks.steps.items()
    ]
    return [session, *steps]


async def write_fragment(
    storage: StorageManager, name: str, entries: list[dict[str, Any]], at: datetime, ids: SessionIds
) -> str:
    """The entries are in the catalogue; the key of their fragment.

    A name that is taken gets an addition: what a run appends twice is there twice.
    """
    data = encode(to_table(entries, FRAGMENT))
    key = fragment_key(isoformat(at)[:10], name)
    try:
        await storage.write_object(key, data, media_type=PARQUET)
    except Conflict:
        if (await storage.read_object(key)).data != data:
            return await write_fragment(storage, f"{name}.{ids.new()}", entries, at, ids)
    return key


async def list_fragments(storage: StorageManager) -> list[str]:
    """The keys of all fragments."""
    return [info.key async for info in storage.iter_objects(FRAGMENTS_PREFIX)]


async def read_fragments(storage: StorageManager, keys: Sequence[str]) -> list[pa.Table]:
    """The entries of each fragment. Raises ``NotFound``, ``IntegrityError``."""

    async def read(key: str) -> pa.Table:
        return parse((await storage.read_object(key)).data, key, FRAGMENT)

    return await run_all(read, keys, _AT_ONCE)
