"""Two-phase delete: a tombstone first, which can be taken back, and the sweep after a grace period.

Burying writes a tombstone that holds the commit records (and the manifest), and then removes
those, so that no reader sees the steps any more. Their files stay. Restoring puts the records
back. The sweep removes the files for good; by then no reader or writer that saw the records is
still at work. Sweep and restore claim a tombstone by compare-and-swap, so only one of them goes on.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    Conflict,
    DeleteRefused,
    IntegrityError,
    NotFound,
)
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.deletion import delete_keys, delete_surely
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import (
    LAYOUTS,
    TOMBSTONES,
    artifact_key,
    manifest_key,
    parse_step_key,
    parse_tombstone_key,
    session_prefix,
    tombstone_key,
    tombstone_prefix,
)
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.pins import refuse_if_pinned
from checkpoint_assets.storage.store import ObjectInfo, Store
from checkpoint_assets.storage.workers import run_all

logger = logging.getLogger(__name__)

State = Literal["buried", "restoring", "sweeping"]
_AT_ONCE = 32
_ATTEMPTS = 5
# S3 tells the time of one object in whole seconds, and that of a listed one in milliseconds.
_RESOLUTION = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted session, or a deleted step. ``records`` are objects as they were, by key.

    ``until`` is the store's time at which it was buried; the sweep writes it down when it begins.
    """

    session_id: SessionId
    step_id: StepId | None
    deleted_at: str
    grace: timedelta
    state: State = "buried"
    records: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    until: str | None = None

    @property
    def key(self) -> str:
        return tombstone_key(self.session_id, self.step_id)

    def to_json(self) -> bytes:
        return encode_json(
            {
                "schema_version": SCHEMA_VERSION,
                "session_id": self.session_id,
                "step_id": self.step_id,
                "deleted_at": self.deleted_at,
                "grace_seconds": self.grace.total_seconds(),
                "state": self.state,
                "until": self.until,
                "records": {
                    key: base64.b64encode(data).decode() for key, data in self.records.items()
                },
            }
        )


async def read_tombstone(
    store: Store, session_id: SessionId, step_id: StepId | None = None
) -> tuple[Tombstone, ObjectInfo] | None:
    """The tombstone and what the store knows of it; ``None`` if there is none."""
    key = tombstone_key(session_id, step_id)
    try:
        stored = await store.fetch(key)
    except NotFound:
        return None
    fields = decode_object(stored.data, key)
    try:
        records = {k: base64.b64decode(v) for k, v in fields["records"].items()}
        grace = timedelta(seconds=fields["grace_seconds"])
        state: State = fields["state"]
        until: str | None = fields.get("until")
        tombstone = Tombstone(
            session_id, step_id, fields["deleted_at"], grace, state, records, until
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"{key} is no tombstone: {error}", key=key) from error
    return tombstone, stored.info


async def _write(store: Store, tombstone: Tombstone, over: ObjectInfo | None) -> ObjectInfo:
    """Raises ``Conflict`` if the tombstone is not what it was when it was read."""
    data = tombstone.to_json()
    return await store.put(
        tombstone.key,
        data,
        media_type=JSON,
        sha256=await digest(data),
        create=over is None,
        if_match=over.etag if over else None,
    )


async def bury(
    store: Store,
    session_id: SessionId,
    step_id: StepId | None,
    *,
    deleted_at: str,
    grace: timedelta,
) -> bool:
    """The session, or the step, is deleted and can be restored. False: there was nothing.

    Raises ``DeleteRefused`` for a pinned session, also for one that is pinned at this moment.
    """
    await refuse_if_pinned(store, session_id)
    keys = await _record_keys(store, session_id, step_id)
    records = await _read_all(store, keys)
    if not records and not await _has_loose_files(store, session_id, step_id):
        return False
    new = Tombstone(session_id, step_id, deleted_at, grace, "buried", records)
    written, before = await _merge(store, new)
    try:
        # Whoever pins writes the pin and then looks for a tombstone; we do it the other way
        # round, so one of us sees the other.
        await refuse_if_pinned(store, session_id)
    except DeleteRefused:
        if before is None:
            await store.delete([written.key])
        raise
    await delete_surely(store, _records_first(records), session_id)
    return True


async def _record_keys(store: Store, session_id: SessionId, step_id: StepId | None) -> list[str]:
    """Keys of the commit records, and of the manifest if it is about the session."""
    if step_id is not None:
        return [artifact_key(session_id, step_id, Artifact.METADATA, x) for x in LAYOUTS]
    keys: list[str] = []
    async for page in store.list(session_prefix(session_id)):
        for info in page.objects:
            step = parse_step_key(info.key)
            is_record = step is not None and step.artifact is Artifact.METADATA
            if is_record or info.key == manifest_key(session_id):
                keys.append(info.key)
    return keys


async def _has_loose_files(store: Store, session_id: SessionId, step_id: StepId | None) -> bool:
    """Whether there are files without a record, and no tombstone that knows of them."""
    if await read_tombstone(store, session_id, step_id) is not None:
        return False
    folder = session_prefix(session_id)
    # The files of a step follow each other: `{step}.html`, ..., `{step}/observation.html`.
    after = f"{folder}{step_id}." if step_id is not None else None
    async for page in store.list(folder, after=after):
        if step_id is None:
            return True
        steps = [parse_step_key(info.key) for info in page.objects]
        return any(step is not None and step.step_id == step_id for step in steps)
    return False


def _records_first(keys: Collection[str]) -> list[str]:
    return sorted(keys, key=lambda key: parse_step_key(key) is None)


async def _read_all(store: Store, keys: Collection[str]) -> dict[str, bytes]:
    async def read(key: str) -> tuple[str, bytes] | None:
        try:
            return key, await store.get(key)
        except NotFound:
            return None  # another delete was faster

    found = await run_all(read, keys, _AT_ONCE)
    return dict(pair for pair in found if pair is not None)


async def _merge(store: Store, new: Tombstone) -> tuple[Tombstone, ObjectInfo | None]:
    """Write the tombstone, with what one that is there holds already."""
    for _ in range(_ATTEMPTS):
        present = await read_tombstone(store, new.session_id, new.step_id)
        before = present[1] if present else None
        merged = new
        if present:
            merged = replace(new, records={**present[0].records, **new.records})
        try:
            await _write(store, merged, before)
        except Conflict:
            continue
        return merged, before
    raise Conflict(f"{new.key} is written by others again and again", key=new.key)


async def restore(store: Store, session_id: SessionId, step_id: StepId | None) -> list[str] | None:
    """What was deleted is there again: the keys of its records. ``None``: it has no tombstone.

    Raises ``NotFound`` once the sweep has begun to remove it.
    """
    present = await read_tombstone(store, session_id, step_id)
    if present is None:
        return None
    tombstone, info = present
    if tombstone.state == "sweeping":
        raise NotFound(
            f"{session_id}{f'/{step_id}' if step_id else ''} is being removed for good",
            key=tombstone.key,
            session_id=session_id,
        )
    if tombstone.state != "restoring":
        await _write(store, replace(tombstone, state="restoring"), info)
    for key in reversed(_records_first(tombstone.records)):
        data = tombstone.records[key]
        try:
            await store.put(key, data, media_type=JSON, sha256=await digest(data))
        except Conflict:
            logger.warning("%s was stored anew since it was deleted; it stays as it is", key)
    await delete_keys(store, [tombstone.key], session_id)
    return list(tombstone.records)


async def claim_for_sweep(store: Store, tombstone: Tombstone, info: ObjectInfo) -> Tombstone | None:
    """The tombstone, if the sweep may go on: nobody restores it, nor will from now on."""
    if tombstone.state == "restoring":
        return None
    await refuse_if_pinned(store, tombstone.session_id)
    if tombstone.state == "sweeping":
        return tombstone
    until = isoformat(info.modified + _RESOLUTION)
    claimed = replace(tombstone, state="sweeping", until=until)
    try:
        info = await _write(store, claimed, info)
    except Conflict:
        return None
    try:
        # Pinned at this very moment? Whoever pins does not wait for us.
        await refuse_if_pinned(store, tombstone.session_id)
    except DeleteRefused:
        await _write(store, tombstone, info)
        raise
    return claimed


async def tombstones(
    store: Store, session_id: SessionId | None = None
) -> AsyncIterator[tuple[SessionId, StepId | None, ObjectInfo]]:
    """All tombstones, of one session or of all, in the order of their keys."""
    prefix = tombstone_prefix(session_id) if session_id else f"{TOMBSTONES}/"
    async for page in store.list(prefix):
        for info in page.objects:
            parsed = parse_tombstone_key(info.key)
            if parsed is not None:
                yield *parsed, info
