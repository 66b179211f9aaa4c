"""Permanent deletion: commit records first, so that no reader sees a step without its files."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound, PartialFailure
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.keys import (
    LAYOUTS,
    artifact_key,
    derived_prefix,
    manifest_key,
    parse_derived_key,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.store import Store

logger = logging.getLogger(__name__)


async def delete_keys(
    store: Store, keys: Sequence[str], session_id: SessionId | None = None
) -> None:
    """The objects are gone. Raises ``PartialFailure`` that names each one that is not."""
    if not keys:
        return
    report = await store.delete(keys)
    if report.failed:
        raise PartialFailure(
            f"{len(report.failed)} of {len(keys)} objects "
            f"{f'of session {session_id} ' if session_id else ''}could not be deleted, "
            f"the first of them {min(report.failed)}",
            report.failed,
            hint="delete again; what is gone stays gone",
        )


async def delete_step(store: Store, session_id: SessionId, step_id: StepId) -> None:
    """Nothing of the step is left. An absent step is fine, and logged."""
    records = [artifact_key(session_id, step_id, Artifact.METADATA, layout) for layout in LAYOUTS]
    if not await _any_exists(store, records):
        logger.info("there is no step %s/%s to delete", session_id, step_id)
    files = [
        artifact_key(session_id, step_id, artifact, layout)
        for layout in LAYOUTS
        for artifact in Artifact
        if artifact is not Artifact.METADATA
    ]
    files += [key async for key in _derived_keys(store, session_id, step_id)]
    await delete_keys(store, records, session_id)
    await delete_keys(store, files, session_id)


async def _any_exists(store: Store, keys: Sequence[str]) -> bool:
    for key in keys:
        try:
            await store.stat(key)
        except NotFound:
            continue
        return True
    return False


async def _derived_keys(store: Store, session_id: SessionId, step_id: StepId) -> AsyncIterator[str]:
    async for page in store.list(derived_prefix(session_id)):
        for info in page.objects:
            if parse_derived_key(info.key) == (session_id, step_id):
                yield info.key


async def delete_session(store: Store, session_id: SessionId) -> None:
    """Nothing of ours is left of the session; foreign objects in its folder stay, and are logged.

    The manifest goes last: until then a delete that was cut short can be told and run again.
    """
    records: list[str] = []
    files: list[str] = []
    manifest: list[str] = []
    foreign = 0
    async for page in store.list(session_prefix(session_id)):
        for info in page.objects:
            step = parse_step_key(info.key)
            if step is not None:
                (records if step.artifact is Artifact.METADATA else files).append(info.key)
            elif info.key == manifest_key(session_id):
                manifest.append(info.key)
            elif parse_derived_key(info.key):
                files.append(info.key)
            else:
                foreign += 1
    if foreign:
        logger.warning("%d foreign objects stay in the folder of %s", foreign, session_id)
    if not (records or files or manifest):
        logger.info("there is no session %s to delete", session_id)
    await delete_keys(store, records, session_id)
    await delete_keys(store, files + manifest, session_id)
