"""Deletion for good: commit records first, so that no reader sees a step without its files.

Where versions are kept, all versions of each key go, and the delete markers too. Objects that are
not ours stay.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound, PartialFailure
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.erasures import mark_erased
from checkpoint_assets.storage.keys import (
    manifest_key,
    parse_derived_key,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.store import ObjectInfo, Store

logger = logging.getLogger(__name__)

# Up to here it takes fewer bytes to ask for each key than to list a session.
_FEW = 3


async def delete_keys(
    store: Store, keys: Sequence[str], session_id: SessionId | None = None
) -> None:
    """The objects are gone. Raises ``PartialFailure`` that names each one that is not."""
    if keys:
        report = await store.delete(keys)
        raise_failures(report.failed, len(keys), session_id)


async def delete_surely(store: Store, keys: Sequence[str], session_id: SessionId) -> None:
    """``delete_keys``, and then a look: there are servers that say deleted and do not delete."""
    await delete_keys(store, keys, session_id)
    left: list[str] = []
    if len(keys) <= _FEW:
        left = [key for key in keys if await _is_there(store, key)]
    else:
        doomed = set(keys)
        async for page in store.list(session_prefix(session_id)):
            left += [info.key for info in page.objects if info.key in doomed]
    lies = {key: IntegrityError(f"{key} was deleted and is still there", key=key) for key in left}
    raise_failures(dict(lies), len(keys), session_id)


async def _is_there(store: Store, key: str) -> bool:
    try:
        await store.stat(key)
    except NotFound:
        return False
    return True


def raise_failures(
    failed: dict[str, Exception], count: int, session_id: SessionId | None = None
) -> None:
    """Raises ``PartialFailure`` if anything failed."""
    if failed:
        of_session = f"of session {session_id} " if session_id else ""
        raise PartialFailure(
            f"{len(failed)} of {count} objects {of_session}could not be deleted, "
            f"the first of them {min(failed)}: {failed[min(failed)]}",
            failed,
            hint="delete again; what is gone stays gone",
        )


@dataclass(slots=True)
class SessionFiles:
    """The keys of a session, or of one step of it, by what they are."""

    records: list[str] = field(default_factory=list[str])
    files: list[str] = field(default_factory=list[str])
    manifest: list[str] = field(default_factory=list[str])
    foreign: int = 0

    def __bool__(self) -> bool:
        return bool(self.records or self.files or self.manifest)


async def find_files(
    store: Store,
    session_id: SessionId,
    step_id: StepId | None = None,
    *,
    until: datetime | None = None,
) -> SessionFiles:
    """What there is of a session, or of a step; of its files only what was there ``until`` then."""
    found = SessionFiles()
    async for page in store.list(session_prefix(session_id)):
        for info in page.objects:
            _sort_in(found, info, session_id, step_id, until)
    return found


def _sort_in(
    found: SessionFiles,
    info: ObjectInfo,
    session_id: SessionId,
    step_id: StepId | None,
    until: datetime | None = None,
) -> None:
    step = parse_step_key(info.key)
    derived = None if step else parse_derived_key(info.key)
    in_time = until is None or info.modified <= until
    if step is not None:
        if step_id in (None, step.step_id):
            if step.artifact is Artifact.METADATA:
                found.records.append(info.key)
            elif in_time:
                found.files.append(info.key)
    elif derived is not None:
        if in_time and (step_id is None or derived[1] == step_id):
            found.files.append(info.key)
    elif step_id is None:
        if info.key == manifest_key(session_id):
            found.manifest.append(info.key)
        else:
            found.foreign += 1


async def delete_for_good(
    store: Store,
    session_id: SessionId,
    step_id: StepId | None = None,
    *,
    erased_at: str | None = None,
) -> bool:
    """Nothing of ours is left of the session, or of the step. False: there was nothing.

    ``erased_at`` marks it as erased then, for those who were writing.

    The manifest goes last: until then a delete that was cut short can be told and run again.
    """
    found = await find_files(store, session_id, step_id)
    if found.foreign:
        logger.warning("%d foreign objects stay in the folder of %s", found.foreign, session_id)
    if found and erased_at is not None:
        await mark_erased(store, session_id, step_id, erased_at)
    await delete_surely(store, found.records, session_id)
    await delete_surely(store, found.files + found.manifest, session_id)
    erased = 0
    if await store.keeps_versions():
        erased = await erase_versions(store, session_id, step_id)
    return bool(found) or erased > 0


async def erase_versions(
    store: Store,
    session_id: SessionId,
    step_id: StepId | None = None,
    *,
    only: Collection[str] | None = None,
) -> int:
    """Remove all versions and markers of the keys, ``only`` of these if given; how many."""
    count = 0
    async for page in store.list_versions(session_prefix(session_id)):
        doomed: list[tuple[str, str]] = []
        for version in page:
            if only is not None and version.key not in only:
                continue
            found = SessionFiles()
            info = ObjectInfo(version.key, version.size, version.modified)
            _sort_in(found, info, session_id, step_id)
            if found:
                doomed.append((version.key, version.version))
        if doomed:
            report = await store.delete_versions(doomed)
            raise_failures(report.failed, len(doomed), session_id)
            count += len(doomed)
    return count
