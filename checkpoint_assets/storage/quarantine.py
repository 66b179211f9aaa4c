"""Moves what a check found wrong out of the way, byte for byte, and removes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.deletion import SessionFiles, delete_keys, find_files
from checkpoint_assets.storage.findings import Finding, FindingKind
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import QUARANTINE
from checkpoint_assets.storage.media import BINARY
from checkpoint_assets.storage.pins import is_pinned
from checkpoint_assets.storage.reading import read_step
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.wrapper import innermost

logger = logging.getLogger(__name__)

# Of these the whole step goes: what is left of it cannot be read as one.
_WHOLE_STEP = frozenset(
    [FindingKind.MISSING, FindingKind.TRUNCATED, FindingKind.CORRUPT, FindingKind.SWAPPED]
)
_ONE_KEY = frozenset([FindingKind.ORPHAN, FindingKind.DUPLICATE])


async def quarantine(store: Store, findings: Iterable[Finding]) -> list[str]:
    """The keys that are below ``_quarantine/`` now. Pinned sessions stay as they are."""
    steps: dict[tuple[SessionId, StepId], None] = {}
    keys: dict[SessionId, list[str]] = {}
    for finding in findings:
        if finding.session_id is None:
            continue
        session_id = SessionId(finding.session_id)
        if finding.kind in _WHOLE_STEP and finding.step_id is not None:
            steps[session_id, StepId(finding.step_id)] = None
        elif finding.kind in _ONE_KEY:
            keys.setdefault(session_id, []).append(finding.key)
    moved: list[str] = []
    for session_id, step_id in steps:
        if not await _is_damaged(store, session_id, step_id):
            continue  # it was deleted, or stored anew, since it was checked
        moved += await _move(store, session_id, await find_files(store, session_id, step_id))
    for session_id, some in keys.items():
        left = [key for key in some if key not in moved]
        moved += await _move(store, session_id, SessionFiles(files=left))
    return moved


async def _is_damaged(store: Store, session_id: SessionId, step_id: StepId) -> bool:
    try:
        await read_step(store, session_id, step_id, tuple(Artifact))
    except IntegrityError:
        return True
    except NotFound:
        return False
    return False


async def _move(store: Store, session_id: SessionId, found: SessionFiles) -> list[str]:
    if await is_pinned(store, session_id):
        logger.warning("session %s is pinned; what is wrong with it stays where it is", session_id)
        return []
    # The wrappers would refuse to read damaged bytes, and those are what is moved here.
    raw = innermost(store)
    moved: list[str] = []
    for key in (*found.records, *found.files):
        try:
            data = await raw.get(key)
        except NotFound:
            continue
        await store.put(
            f"{QUARANTINE}/{key}",
            data,
            media_type=BINARY,
            sha256=await digest(data),
            create=False,
        )
        moved.append(key)
    await delete_keys(store, [key for key in found.records if key in moved], session_id)
    await delete_keys(store, [key for key in found.files if key in moved], session_id)
    return moved
