"""What the store itself says of a session: the rows, and whether it expires or is pinned.

Nothing here remembers anything, so the catalogue can be made anew from it at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from checkpoint_assets.catalogue.rows import action_summary, session_row, step_row
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound, StoreUnavailable
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage.keys import expiry_prefix, parse_expiry_key, tombstone_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Marks:
    """When the session, and steps of it, expire; why it is pinned (``None``: it is not)."""

    expires_at: datetime | None = None
    steps: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    pin_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRows:
    """A session that is there."""

    session: dict[str, Any]
    steps: list[dict[str, Any]]


async def read_rows(
    storage: StorageManager, session_id: str, *, at_once: int = _AT_ONCE
) -> SessionRows | None:
    """The rows of a session; ``None`` if it is not there. Raises ``IntegrityError``.

    A session is there if it has a manifest or a step, and was not deleted.
    """
    if await is_buried(storage, session_id):
        return None
    manifest = await _manifest(storage, session_id)

    async def read(step_id: str) -> tuple[CommitRecord, dict[str, Any]] | None:
        try:
            record = await storage.get_commit_record(session_id, step_id)
            action = await _action(storage, record)
        except NotFound:
            return None  # deleted since it was listed
        return record, step_row(record, manifest, action)

    steps = await storage.list_steps_for_session(session_id)
    found = [pair for pair in await run_all(read, steps, at_once) if pair is not None]
    if manifest is None and not found:
        return None
    session = session_row(session_id, [record for record, _ in found], manifest)
    return SessionRows(session, [row for _, row in found])


async def is_there(storage: StorageManager, session_id: str) -> bool:
    """Whether the session has a manifest or a step, and was not deleted."""
    if await is_buried(storage, session_id):
        return False
    if await _manifest(storage, session_id) is not None:
        return True
    return bool(await storage.list_steps_for_session(session_id, limit=1))


async def is_buried(storage: StorageManager, session_id: str) -> bool:
    """Whether the session was deleted, also where the delete was cut short."""
    try:
        await storage.read_object(tombstone_key(SessionId(session_id)))
    except (NotFound, StoreUnavailable):
        # While the store is away nothing is deleted in it, and what waits in the spool is alive.
        return False
    return True


async def read_marks(storage: StorageManager, session_id: str) -> Marks:
    """The session's pin and expiries as they are now."""
    pin = await storage.get_pin(session_id)
    session: datetime | None = None
    steps: dict[str, datetime] = {}
    async for info in storage.iter_objects(expiry_prefix(SessionId(session_id))):
        parsed = parse_expiry_key(info.key)
        moment = await storage.get_expiration(*parsed) if parsed else None
        if parsed is None or moment is None:
            continue
        if parsed[1] is None:
            session = moment
        else:
            steps[parsed[1]] = moment
    return Marks(session, steps, pin.reason if pin else None)


async def _manifest(storage: StorageManager, session_id: str) -> SessionManifest | None:
    with suppress(NotFound):
        return await storage.get_manifest(session_id)
    return None


async def _action(storage: StorageManager, record: CommitRecord) -> Mapping[str, Any] | None:
    """The action record, if only its file says what was done."""
    if Artifact.ACTION not in record.artifacts or action_summary(record) is not None:
        return None
    data = await storage.read_artifact(record.session_id, record.step_id, Artifact.ACTION)
    action = json.loads(data or b"null")
    return action if isinstance(action, dict) else None
