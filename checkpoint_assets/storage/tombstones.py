"""Two-phase delete: a tombstone first, which can be taken back, and the sweep after a grace period.

Burying writes a tombstone that holds the commit records (and the manifest), and then removes
those, so that no reader sees the steps any more. Their files stay. Restoring puts the records
back. The sweep removes the files for good; by then no reader or writer that saw the records is
still at work.

A tombstone says what is being done with it, and is claimed by compare-and-swap, so of those who
want to do different things one goes on and the others are told. What was claimed long ago is taken
over: whoever did it is dead.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
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
    StorageFull,
)
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.deletion import delete_keys, delete_surely
from checkpoint_assets.storage.erasures import LONGEST_CALL
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

State = Literal["burying", "buried", "restoring", "sweeping"]
_AT_ONCE = 32
_ATTEMPTS = 5
# S3 tells the time of one object in whole seconds, and that of a listed one in milliseconds.
_RESOLUTION = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted session, or a deleted step. ``records`` are objects as they were, by key.

    While it is ``burying`` the records are being removed; ``buried`` they are gone. ``sweeping`` is
    what somebody removes for good, without a way back.
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

    @property
    def name(self) -> str:
        """What was deleted: ``session s1`` or ``step s1/1``."""
        step = f"/{self.step_id}" if self.step_id else ""
        return f"{'step' if step else 'session'} {self.session_id}{step}"

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

    Raises ``DeleteRefused`` for a pinned session, also for one that is pinned at this moment, and
    ``Conflict`` for what is being restored or swept.
    """
    await refuse_if_pinned(store, session_id)
    keys = await _record_keys(store, session_id, step_id)
    records = await _read_all(store, keys)
    if not records and not await _has_loose_files(store, session_id, step_id):
        return False
    new = Tombstone(session_id, step_id, deleted_at, grace, "burying", records)
    claim = await _merge(store, new)
    # Whoever pins writes the pin and then looks for a tombstone; we do it the other way
    # round, so one of us sees the other.
    await claim.refuse_if_pinned()
    await delete_surely(store, _records_first(records), session_id)
    with suppress(Conflict):  # somebody else deletes it, too, and will say so
        await _write(store, replace(claim.tombstone, state="buried"), claim.info)
    return True


@dataclass(frozen=True, slots=True)
class Claim:
    """A tombstone that we have written, and what it was before."""

    store: Store
    tombstone: Tombstone
    info: ObjectInfo
    before: Tombstone | None

    async def refuse_if_pinned(self) -> None:
        """Raises ``DeleteRefused`` for a session that was pinned meanwhile; all is as it was."""
        try:
            await refuse_if_pinned(self.store, self.tombstone.session_id)
        except DeleteRefused:
            with suppress(Conflict):  # then it belongs to somebody else now
                await self._withdraw()
            raise

    async def _withdraw(self) -> None:
        if self.before is not None:
            await _write(self.store, self.before, self.info)
            return
        # Nobody takes it over in this state, so nobody else's tombstone is removed.
        await _write(self.store, replace(self.tombstone, state="restoring"), self.info)
        await delete_keys(self.store, [self.tombstone.key], self.tombstone.session_id)


async def is_under_way(store: Store, tombstone: Tombstone, info: ObjectInfo) -> bool:
    """Whether somebody is at it at this moment, or died less than an hour ago."""
    return tombstone.state != "buried" and await store.now() < info.modified + LONGEST_CALL


async def refuse_if_under_way(store: Store, session_id: SessionId) -> None:
    """Raises ``Conflict`` if something of the session is being deleted at this moment."""
    async for _, step_id, _ in tombstones(store, session_id):
        present = await read_tombstone(store, session_id, step_id)
        if present is None or present[0].state == "restoring":
            continue
        if await is_under_way(store, *present):
            raise Conflict(
                f"{present[0].name} is being deleted at this moment",
                key=present[0].key,
                session_id=session_id,
                hint="the session is pinned from now on; restore what was deleted, if it was",
            )


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


async def _merge(store: Store, new: Tombstone) -> Claim:
    """Write the tombstone, with what one that is there holds already."""
    for _ in range(_ATTEMPTS):
        present = await read_tombstone(store, new.session_id, new.step_id)
        if present is None:
            before, over, merged = None, None, new
        else:
            before, over = present
            if before.state not in ("burying", new.state):
                await _refuse_if_taken(store, before, over)
            merged = replace(new, records={**before.records, **new.records})
        try:
            return Claim(store, merged, await _write(store, merged, over), before)
        except Conflict:
            continue
    raise Conflict(f"{new.key} is written by others again and again", key=new.key)


async def _refuse_if_taken(store: Store, tombstone: Tombstone, info: ObjectInfo) -> None:
    """Raises ``Conflict`` for a tombstone with which somebody does something else."""
    if await is_under_way(store, tombstone, info):
        doing = {"burying": "deleted", "restoring": "restored", "sweeping": "removed for good"}
        raise Conflict(
            f"{tombstone.name} is being {doing[tombstone.state]} at this moment",
            key=tombstone.key,
            session_id=tombstone.session_id,
            hint="let that end, or end what was cut short by doing it again",
        )


async def claim_for_good(
    store: Store,
    session_id: SessionId,
    step_id: StepId | None,
    *,
    deleted_at: str,
    grace: timedelta,
) -> None:
    """From now on nobody restores the session, or the step, nor stores into it.

    Raises ``DeleteRefused`` for a pinned session, and ``Conflict`` for what is being restored. A
    disk so full that not even this can be written is no reason not to delete.
    """
    await refuse_if_pinned(store, session_id)
    buried = [step async for _, step, _ in tombstones(store, session_id)]
    others = [step for step in buried if step is not None] if step_id is None else []
    for step in (*others, step_id):
        new = Tombstone(session_id, step, deleted_at, grace, "sweeping")
        try:
            claim = await _merge(store, new)
        except StorageFull:
            logger.warning("the disk is full: %s is deleted without a tombstone", new.name)
            continue
        await claim.refuse_if_pinned()
    if step_id is not None:
        await _forget_step(store, session_id, step_id)


async def _forget_step(store: Store, session_id: SessionId, step_id: StepId) -> None:
    """The tombstone of the session brings this step back no more."""
    keys = {artifact_key(session_id, step_id, Artifact.METADATA, layout) for layout in LAYOUTS}
    present = await read_tombstone(store, session_id)
    if present is None or not keys & present[0].records.keys():
        return
    tombstone, info = present
    await _refuse_if_taken(store, tombstone, info)
    kept = {key: data for key, data in tombstone.records.items() if key not in keys}
    await _write(store, replace(tombstone, records=kept), info)


async def restore(store: Store, session_id: SessionId, step_id: StepId | None) -> list[str] | None:
    """What was deleted is there again: the keys of its records. ``None``: it has no tombstone.

    Raises ``NotFound`` once the sweep has begun to remove it, and ``Conflict`` while it is still
    being deleted.
    """
    present = await read_tombstone(store, session_id, step_id)
    if present is None:
        return None
    tombstone, info = present
    if tombstone.state == "sweeping":
        raise NotFound(
            f"{tombstone.name} is being removed for good",
            key=tombstone.key,
            session_id=session_id,
        )
    if tombstone.state != "restoring":
        await _refuse_if_taken(store, tombstone, info)
        await _write(store, replace(tombstone, state="restoring"), info)
    for key in reversed(_records_first(tombstone.records)):
        data = tombstone.records[key]
        try:
            await store.put(key, data, media_type=JSON, sha256=await digest(data))
        except Conflict:
            logger.warning("%s was stored anew since it was deleted; it stays as it is", key)
    await delete_keys(store, [tombstone.key], session_id)
    return list(tombstone.records)


async def restore_steps(store: Store, session_id: SessionId) -> list[str]:
    """All steps of the session that were deleted one by one are there again: their records' keys.

    Those that are already being removed for good are left out.
    """
    buried = [step async for _, step, _ in tombstones(store, session_id) if step is not None]
    restored: list[str] = []
    for step_id in buried:
        with suppress(NotFound):
            restored += await restore(store, session_id, step_id) or ()
    return restored


async def claim_for_sweep(store: Store, tombstone: Tombstone, info: ObjectInfo) -> Tombstone | None:
    """The tombstone, if the sweep may go on: nobody restores it, nor will from now on."""
    if tombstone.state == "restoring":
        return None
    await refuse_if_pinned(store, tombstone.session_id)
    if tombstone.state == "sweeping":
        return tombstone
    if await is_under_way(store, tombstone, info):
        return None
    until = isoformat(info.modified + _RESOLUTION)
    claimed = replace(tombstone, state="sweeping", until=until)
    try:
        info = await _write(store, claimed, info)
    except Conflict:
        return None
    # Pinned at this very moment? Whoever pins does not wait for us.
    await Claim(store, claimed, info, tombstone).refuse_if_pinned()
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
