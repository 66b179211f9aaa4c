"""Marks of what was deleted for good, against writers that were under way at that moment.

A delete for good has no grace period in which such a writer ends: its commit record may come to lie
there after its files were deleted. A reader that misses a file of a step with a mark takes it for
deleted, as it was meant to be, and the sweep removes what is left. Steps that were stored later
than the longest call takes are nobody's concern here, and so are files that are there.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from checkpoint_assets.model.errors import NotFound, StorageFull
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import TOMBSTONES, erasure_key, parse_erasure_key
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.store import ObjectInfo, Store

logger = logging.getLogger(__name__)

# What takes longer than this, nobody does any more. No call with its deadlines does.
LONGEST_CALL = timedelta(hours=1)


async def mark_erased(
    store: Store, session_id: SessionId, step_id: StepId | None, erased_at: str
) -> None:
    """From now on a torn step there is none. On a disk too full for it the delete goes on."""
    key = erasure_key(session_id, step_id)
    fields = {"session_id": session_id, "step_id": step_id, "erased_at": erased_at}
    data = encode_json({"schema_version": SCHEMA_VERSION, **fields})
    try:
        await store.put(key, data, media_type=JSON, sha256=sha256_hex(data), create=False)
    except StorageFull:
        logger.warning("the disk is too full for %s; the delete goes on without it", key)


async def is_erased(store: Store, session_id: SessionId, step_id: StepId, record_key: str) -> bool:
    """Whether the record was written at about the time when the step, or session, was erased."""
    marks = [await _stat(store, erasure_key(session_id, step)) for step in (step_id, None)]
    record = await _stat(store, record_key)
    return record is None or any(
        mark is not None and record.modified < mark.modified + LONGEST_CALL for mark in marks
    )


async def _stat(store: Store, key: str) -> ObjectInfo | None:
    try:
        return await store.stat(key)
    except NotFound:
        return None


async def erasures(store: Store) -> AsyncIterator[tuple[SessionId, StepId | None, ObjectInfo]]:
    """All marks, in the order of their keys."""
    async for page in store.list(f"{TOMBSTONES}/"):
        for info in page.objects:
            parsed = parse_erasure_key(info.key)
            if parsed is not None:
                yield *parsed, info
