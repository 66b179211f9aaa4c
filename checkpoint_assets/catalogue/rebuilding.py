"""The catalogue made anew from the store alone, while others go on appending.

Each session is read as it is now. What was appended or published about it since then is later,
and so it counts; what is in the catalogue and not in the store goes, unless it is later, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from checkpoint_assets.catalogue.columns import texts, to_table
from checkpoint_assets.catalogue.data_files import read_file
from checkpoint_assets.catalogue.fragments import (
    FRAGMENT,
    gone_entry,
    list_fragments,
    mark_entries,
    read_fragments,
    row_entries,
)
from checkpoint_assets.catalogue.head import Published, read_head, still_waiting
from checkpoint_assets.catalogue.truth import Marks, read_rows
from checkpoint_assets.catalogue.view import View, view_of
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.storage.keys import (
    EXPIRES_PREFIX,
    PINS_PREFIX,
    parse_expiry_key,
    parse_pin_key,
)
from checkpoint_assets.storage.storage_manager import StorageManager

logger = logging.getLogger(__name__)

_SESSIONS_AT_ONCE = 8
_STEPS_AT_ONCE = 8
_BATCH = 256


@dataclass(slots=True)
class Truth:
    """What a walk over the store found: entries, and the sessions that could not be read."""

    began: datetime
    entries: list[pa.Table] = field(default_factory=list[pa.Table])
    sessions: set[str] = field(default_factory=set[str])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])


async def read_truth(storage: StorageManager, stamp: Callable[[], datetime]) -> Truth:
    """All sessions of the store. One whose records are damaged is in ``failed``, with its error."""
    truth = Truth(stamp())
    marks = await _all_marks(storage)
    waiting: list[str] = []
    async for session_id in storage.iter_sessions():
        waiting.append(session_id)
        if len(waiting) == _BATCH:
            await _read_sessions(storage, waiting, marks, truth, stamp)
            waiting = []
    await _read_sessions(storage, waiting, marks, truth, stamp)
    return truth


async def _read_sessions(
    storage: StorageManager,
    session_ids: list[str],
    marks: dict[str, Marks],
    truth: Truth,
    stamp: Callable[[], datetime],
) -> None:
    left = iter(session_ids)
    found: list[dict[str, Any]] = []

    async def work() -> None:
        for session_id in left:
            at = stamp()
            try:
                rows = await read_rows(storage, session_id, at_once=_STEPS_AT_ONCE)
            except IntegrityError as error:
                logger.warning("session %s stays as the catalogue has it: %s", session_id, error)
                truth.failed[session_id] = error
                continue
            if rows is not None:
                truth.sessions.add(session_id)
                found.extend(row_entries(rows, at))
                own = marks.get(session_id, Marks())
                found.extend(mark_entries(session_id, own, truth.began))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_SESSIONS_AT_ONCE, len(session_ids))):
            group.create_task(work())
    if found:
        truth.entries.append(await asyncio.to_thread(to_table, found, FRAGMENT))


async def _all_marks(storage: StorageManager) -> dict[str, Marks]:
    """Of the sessions that have any."""
    sessions: dict[str, datetime] = {}
    steps: dict[str, dict[str, datetime]] = {}
    reasons: dict[str, str] = {}
    async for info in storage.iter_objects(EXPIRES_PREFIX):
        parsed = parse_expiry_key(info.key)
        moment = await storage.get_expiration(*parsed) if parsed else None
        if parsed is not None and moment is not None:
            session_id, step_id = parsed
            if step_id is None:
                sessions[session_id] = moment
            else:
                steps.setdefault(session_id, {})[step_id] = moment
    async for info in storage.iter_objects(PINS_PREFIX):
        session_id = parse_pin_key(info.key)
        pin = await storage.get_pin(session_id) if session_id else None
        if session_id is not None and pin is not None:
            reasons[session_id] = pin.reason
    return {
        session_id: Marks(
            sessions.get(session_id), steps.get(session_id, {}), reasons.get(session_id)
        )
        for session_id in {*sessions, *steps, *reasons}
    }


async def view_of_truth(storage: StorageManager, truth: Truth) -> View:
    """What the catalogue is with the truth, and with what came after it."""
    listed = await list_fragments(storage)
    published = await read_head(storage, replacing=True)
    waiting = still_waiting(listed, published.head)
    tables = await read_fragments(storage, waiting)
    try:
        recorded = await _recorded(storage, published)
    except (IntegrityError, NotFound):
        if (await read_head(storage, replacing=True)).etag != published.etag:
            raise
        logger.warning("the files of the catalogue cannot be read; it is made of the store alone")
        published, recorded = Published(etag=published.etag), set[str]()
        waiting = listed
        tables = await read_fragments(storage, waiting)
    for table in tables:
        recorded.update(texts(table, "session_id"))
    absent = sorted(recorded - truth.sessions - set(truth.failed))
    gone = to_table([gone_entry(session_id, truth.began) for session_id in absent], FRAGMENT)
    return await view_of(storage, published, listed, waiting, [*truth.entries, gone, *tables])


async def _recorded(storage: StorageManager, published: Published) -> set[str]:
    """The sessions that the files have. All files are read, to know that they can be."""
    for file in published.head.files["steps"]:
        await read_file(storage, "steps", file, ["session_id"])
    found: set[str] = set()
    for file in published.head.files["sessions"]:
        rows = await read_file(storage, "sessions", file, ["session_id"])
        found.update(texts(rows, "session_id"))
    return found
