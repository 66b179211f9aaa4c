"""Derived files: computed from steps or sessions, replaceable, in no commit record."""

from __future__ import annotations

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import derived_key
from checkpoint_assets.storage.store import ObjectInfo, Store


async def write_derived(
    store: Store,
    session_id: SessionId,
    name: str,
    data: bytes,
    media_type: str,
    step_id: StepId | None,
) -> ObjectInfo:
    """The file holds these bytes; what it held before is replaced."""
    key = derived_key(session_id, name, step_id)
    return await store.put(
        key, data, media_type=media_type, sha256=await digest(data), create=False
    )


async def read_derived(
    store: Store, session_id: SessionId, name: str, step_id: StepId | None
) -> bytes:
    """The file's bytes. Raises ``NotFound``: it can be computed anew."""
    key = derived_key(session_id, name, step_id)
    try:
        return await store.get(key)
    except NotFound as error:
        raise NotFound(f"there is no derived file {key}", key=key, session_id=session_id) from error
