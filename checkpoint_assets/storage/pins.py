"""Legal holds: while a session is pinned, nothing removes it or a step of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, NotFound
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import pin_key
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.store import Store

logger = logging.getLogger(__name__)

_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Pin:
    """That a session is kept, why, and since when."""

    session_id: str
    reason: str
    pinned_at: str


async def write_pin(store: Store, session_id: SessionId, reason: str, pinned_at: str) -> Pin:
    """The session is pinned. A new reason replaces the old one."""
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        raise InvalidInput("a pin needs a reason", hint=f"of at most {_LONGEST_REASON} characters")
    pin = Pin(session_id, reason, pinned_at)
    data = encode_json(
        {
            "schema_version": SCHEMA_VERSION,
            "session_id": session_id,
            "reason": reason,
            "pinned_at": pinned_at,
        }
    )
    key = pin_key(session_id)
    await store.put(key, data, media_type=JSON, sha256=sha256_hex(data), create=False)
    logger.info("session %s is pinned: %s", session_id, reason)
    return pin


async def remove_pin(store: Store, session_id: SessionId, reason: str) -> None:
    """The session is not pinned any more. One that was not is fine."""
    report = await store.delete([pin_key(session_id)])
    for error in report.failed.values():
        raise error
    logger.info("session %s is not pinned any more: %s", session_id, reason)


async def read_pin(store: Store, session_id: SessionId) -> Pin | None:
    """The session's pin. An object that is there but cannot be read counts as one."""
    key = pin_key(session_id)
    try:
        fields = decode_object(await store.get(key), key)
    except NotFound:
        return None
    return Pin(session_id, str(fields.get("reason", "")), str(fields.get("pinned_at", "")))


async def is_pinned(store: Store, session_id: SessionId) -> bool:
    """Whether a pin is there, whatever it says."""
    try:
        await store.stat(pin_key(session_id))
    except NotFound:
        return False
    return True


async def refuse_if_pinned(store: Store, session_id: SessionId) -> None:
    """Raises ``DeleteRefused`` for a pinned session."""
    if await is_pinned(store, session_id):
        raise DeleteRefused(
            f"session {session_id} is pinned",
            key=pin_key(session_id),
            session_id=session_id,
            hint="unpin() it first, if you may",
        )
