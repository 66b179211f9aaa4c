"""The dead area of a spool: what cannot be drained is kept there with its reason.

Below ``dead/{session_id}/{what}-{digest}/`` lie the files under their own keys, and, written last,
``reason.json``. Nothing is removed from there but by a person, by ``revive``, or with its session.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.commit import put_once
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.deletion import delete_keys
from checkpoint_assets.storage.hashing import digest, sha256_hex
from checkpoint_assets.storage.media import BINARY, JSON
from checkpoint_assets.storage.spool import REASON, Spool
from checkpoint_assets.storage.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dead:
    """Something that could not be drained. ``keys`` are its files, a commit record last."""

    session_id: str
    step_id: str | None
    reason: str
    error: str
    died_at: str
    keys: tuple[str, ...]
    folder: str


async def bury(
    spool: Spool,
    keys: Sequence[str],
    *,
    session_id: str,
    step_id: str | None,
    error: Exception,
    clock: Clock,
) -> Dead:
    """The files are in the dead area, durably, with what ``error`` says; nothing of them waits.

    ``keys`` has a commit record last. Killed on the way, it leaves what can be buried again.
    """
    files = {key: await spool.pending.get(key) for key in keys}
    name = sha256()
    for key, data in sorted(files.items()):
        name.update(f"{key} {await digest(data)}\n".encode())
    folder = f"{session_id}/{step_id or 'object'}-{name.hexdigest()[:12]}/"
    dead = Dead(
        session_id,
        step_id,
        str(error),
        type(error).__name__,
        isoformat(clock.now()),
        tuple(keys),
        folder,
    )
    for key, data in files.items():
        await _put(spool.dead, folder + key, data, BINARY)
    reason = encode_json(
        {
            "schema_version": SCHEMA_VERSION,
            "session_id": dead.session_id,
            "step_id": dead.step_id,
            "reason": dead.reason,
            "error": dead.error,
            "died_at": dead.died_at,
            "keys": dead.keys,
        }
    )
    await spool.dead.put(
        folder + REASON, reason, media_type=JSON, sha256=sha256_hex(reason), create=False
    )
    # The record first: its files are no longer to be read here.
    await delete_keys(spool.pending, keys[-1:])
    await delete_keys(spool.pending, keys[:-1])
    logger.error(
        "%s cannot be drained and is kept in %s/%s: %s", keys[-1], spool.dead.url, folder, error
    )
    return dead


async def list_dead(spool: Spool, session_id: str | None = None) -> list[Dead]:
    """What is dead, of all sessions or of one."""
    found: list[Dead] = []
    async for page in spool.dead.list(f"{session_id}/" if session_id else ""):
        for info in page.objects:
            if info.key.count("/") == 2 and info.key.endswith(f"/{REASON}"):
                data = decode_object(await spool.dead.get(info.key), info.key)
                found.append(_parse(data, info.key.removesuffix(REASON)))
    return found


def _parse(data: dict[str, Any], folder: str) -> Dead:
    return Dead(
        data["session_id"],
        data["step_id"],
        data["reason"],
        data["error"],
        data["died_at"],
        tuple(data["keys"]),
        folder,
    )


async def forget_dead(spool: Spool, session_id: str, deleted: Collection[str]) -> None:
    """What is dead of steps whose files were deleted is gone, too: they were deleted on purpose.

    A commit record alone does not count: the step can still be restored.
    """
    for dead in await list_dead(spool, session_id):
        if set(dead.keys[:-1] or dead.keys) & set(deleted):
            await delete_keys(spool.dead, [dead.folder + key for key in (*dead.keys, REASON)])


async def revive(spool: Spool) -> int:
    """Let what is dead wait again, for one more attempt. How many things do."""
    revived = 0
    for dead in await list_dead(spool):
        try:
            for key in dead.keys:
                await _copy_back(spool, dead.folder + key, key)
        except Conflict as conflict:
            logger.warning("%s stays dead: %s", dead.folder, conflict)
            continue
        await delete_keys(spool.dead, [dead.folder + key for key in dead.keys])
        await delete_keys(spool.dead, [dead.folder + REASON])
        revived += 1
    return revived


async def _copy_back(spool: Spool, source: str, key: str) -> None:
    try:
        data = await spool.dead.get(source)
    except NotFound:
        return  # an earlier attempt was cut short behind this one
    await _put(spool.pending, key, data, BINARY)


async def _put(store: Store, key: str, data: bytes, media_type: str) -> None:
    await put_once(store, key, data, media_type=media_type, sha256=await digest(data))
