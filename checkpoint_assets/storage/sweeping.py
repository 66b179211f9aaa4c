"""The sweep: what was deleted goes for good once its grace period is over, and so do leftovers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoint_assets.model.clock import Clock, parse_isoformat
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import DeleteRefused, IntegrityError, NotFound, StorageError
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.deletion import (
    delete_for_good,
    delete_keys,
    delete_surely,
    erase_versions,
    find_files,
    raise_failures,
)
from checkpoint_assets.storage.erasures import LONGEST_CALL, erasures
from checkpoint_assets.storage.expiry import remove_expirations
from checkpoint_assets.storage.keys import parse_step_key, tombstone_key
from checkpoint_assets.storage.listing import step_ids
from checkpoint_assets.storage.pins import refuse_if_pinned
from checkpoint_assets.storage.reading import has_record, read_commit, read_committed
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.tombstones import (
    Tombstone,
    claim_for_sweep,
    read_tombstone,
    tombstones,
)

logger = logging.getLogger(__name__)

# A write takes minutes at most; what is a day old and unfinished, nobody will finish.
LEFTOVER_AGE = timedelta(days=1)


@dataclass(slots=True)
class SweepReport:
    """What went for good, or would have. Ids are ``session`` or ``session/step``."""

    dry_run: bool
    swept: list[str] = field(default_factory=list[str])
    waiting: list[str] = field(default_factory=list[str])
    pinned: list[str] = field(default_factory=list[str])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])
    objects: int = 0
    leftovers: int = 0


async def sweep(
    store: Store,
    clock: Clock,
    *,
    dry_run: bool = False,
    leftover_age: timedelta = LEFTOVER_AGE,
) -> SweepReport:
    """Remove what is due; run it again for what failed. Raises ``DeleteRefused`` on clock skew.

    What was stored in a session after it was deleted stays: nobody has deleted that.
    """
    report = SweepReport(dry_run)
    now = await trusted_now(store, clock)
    async for session_id, step_id, info in tombstones(store):
        name = f"{session_id}/{step_id}" if step_id else session_id
        try:
            present = await read_tombstone(store, session_id, step_id)
            if present is None:
                continue
            tombstone, info = present
            if tombstone.state != "sweeping" and now < info.modified + tombstone.grace:
                report.waiting.append(name)
            elif dry_run:
                report.swept.append(name)
            elif claimed := await claim_for_sweep(store, tombstone, info):
                report.objects += await _remove(store, claimed)
                report.swept.append(name)
            else:
                report.waiting.append(name)
        except DeleteRefused:
            report.pinned.append(name)
        except StorageError as error:
            logger.warning("%s could not be swept: %s", name, error)
            report.failed[name] = error
    if not dry_run:
        await _sweep_erased(store, now - LONGEST_CALL, report)
    left = await store.leftovers(now - leftover_age)
    if not dry_run:
        await store.remove_leftovers(left)
    report.leftovers = len(left)
    return report


async def _sweep_erased(store: Store, before: datetime, report: SweepReport) -> None:
    """Old marks of what was deleted for good go, and the torn steps that they stand for."""
    async for session_id, step_id, mark in erasures(store):
        if mark.modified >= before:
            continue
        try:
            await refuse_if_pinned(store, session_id)
            for step in [step async for step in step_ids(store, session_id)]:
                if step_id in (None, step) and await _is_torn(store, session_id, step):
                    await delete_for_good(store, session_id, step)
            await _remove_for_good(store, mark.key, session_id)
        except DeleteRefused:
            continue
        except StorageError as error:
            logger.warning("%s could not be swept: %s", mark.key, error)
            report.failed[mark.key] = error


async def _is_torn(store: Store, session_id: SessionId, step_id: StepId) -> bool:
    """Whether a commit record is there without its files; other damage is for ``verify()``."""
    try:
        commit = await read_commit(store, session_id, step_id)
    except StorageError:
        return False
    try:
        await read_committed(store, commit, tuple(Artifact))
    except IntegrityError:
        return False
    except NotFound:
        # Also said of a step that was deleted this moment, which can be restored.
        return await has_record(store, commit)
    return False


async def _remove(store: Store, tombstone: Tombstone) -> int:
    session_id, step_id = tombstone.session_id, tombstone.step_id
    until = parse_isoformat(tombstone.until) if tombstone.until else None
    found = await find_files(store, session_id, step_id, until=until)
    # A step with a commit record was stored, or stored anew, since: it is not what was deleted.
    alive = {step.step_id for step in map(parse_step_key, found.records) if step}
    alive |= await _held_by_others(store, tombstone)
    doomed = [key for key in found.files if not _belongs_to(key, alive)]
    await delete_surely(store, doomed, session_id)
    count = len(doomed)
    if await store.keeps_versions():
        keys = {*doomed, *tombstone.records} - {*found.records, *found.manifest}
        count += await erase_versions(store, session_id, step_id, only=keys)
    if not alive:
        await remove_expirations(store, session_id, step_id)
    await _remove_tombstone(store, session_id, step_id)
    return count


async def _held_by_others(store: Store, tombstone: Tombstone) -> set[StepId]:
    """Steps that another tombstone can still bring back: its own sweep takes their files."""
    others: list[StepId | None] = [None]
    if tombstone.step_id is None:
        others = [step async for _, step, _ in tombstones(store, tombstone.session_id) if step]
    held: set[StepId] = set()
    for step_id in others:
        present = await read_tombstone(store, tombstone.session_id, step_id)
        if present is not None:
            held |= {step.step_id for step in map(parse_step_key, present[0].records) if step}
    return held


def _belongs_to(key: str, steps: set[StepId]) -> bool:
    step = parse_step_key(key)
    return step is not None and step.step_id in steps


async def remove_tombstones(store: Store, session_id: SessionId, step_id: StepId | None) -> None:
    """Nothing is left of the tombstones of a session and its steps, or of a step."""
    async for _, buried, _ in tombstones(store, session_id):
        if step_id in (None, buried):
            await _remove_tombstone(store, session_id, buried)


async def _remove_tombstone(store: Store, session_id: SessionId, step_id: StepId | None) -> None:
    """The tombstone goes last, and for good: it holds the records of what was deleted."""
    await _remove_for_good(store, tombstone_key(session_id, step_id), session_id)


async def _remove_for_good(store: Store, key: str, session_id: SessionId) -> None:
    await delete_keys(store, [key], session_id)
    if await store.keeps_versions():
        doomed = [
            (version.key, version.version)
            async for page in store.list_versions(key)
            for version in page
            if version.key == key
        ]
        if doomed:
            report = await store.delete_versions(doomed)
            raise_failures(report.failed, len(doomed), session_id)
