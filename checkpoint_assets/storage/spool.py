"""A spool: the local area where whole steps wait while their store is away.

Each bucket and prefix has a folder of its own, readable by the owner alone::

    {spool path}/{bucket}-{digest of endpoint, bucket and prefix}/
        target.json     what the spool is of, for people
        pending/        what waits, under the keys that it will have in the store
        dead/           what cannot be drained, each with its reason
        notes/          media types of files that no commit record describes;
                        sessions that the store has a part of
        locks/

The spool path is ``SM_SPOOL_PATH``, else the folder ``.spool`` beside ``SM_LOCAL_BASE_PATH``.
Files are written as the local store writes them, so a kill at any moment leaves each one whole
or absent, and a step is in the spool iff its commit record is.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import NotFound, StorageFull
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.commit import put_once
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import CATALOG, VIEWS, parse_derived_key, parse_session_folder
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.local_errors import translated
from checkpoint_assets.storage.location import Location
from checkpoint_assets.storage.media import BINARY, JSON
from checkpoint_assets.storage.spool_backlog import Backlog, folder_backlog
from checkpoint_assets.storage.spool_files import has_folder, read_files
from checkpoint_assets.storage.spool_locks import FolderLocks, SpoolLocks, make_private
from checkpoint_assets.storage.spool_moving import MovingNote
from checkpoint_assets.storage.store import Store

# What stays free on the spool's disk, unless the caller says otherwise.
FLOOR_BYTES = 1 << 30

# The file that says why something is dead, written last.
REASON = "reason.json"

_TEXT = "text/plain"
# The reserved folders of which something can wait.
_SPOOLED = (CATALOG, VIEWS)


def spool_folder(
    location: Location, spool_path: str | Path | None, environment: Mapping[str, str]
) -> Path:
    """The folder of the location's own spool. No two buckets, prefixes or servers share one."""
    path = spool_path or environment.get("SM_SPOOL_PATH")
    base = Path(path).expanduser() if path else location.local_base_path.parent / ".spool"
    target = [location.endpoint_url, location.bucket, location.prefix]
    return base.absolute() / f"{location.bucket}-{sha256_hex(encode_json(target))[:16]}"


def can_be_replaced(key: str) -> bool:
    """Whether a later write of the object takes the place of an earlier one."""
    return key.startswith(f"{VIEWS}/") or parse_derived_key(key) is not None


class Spool:
    """What waits, what is dead, and who may touch it.

    ``folder`` is where it is on disk; a spool without one is made of other stores, for tests.
    """

    def __init__(
        self,
        pending: Store,
        dead: Store,
        notes: Store,
        locks: SpoolLocks,
        *,
        folder: Path | None = None,
        floor_bytes: int = FLOOR_BYTES,
    ) -> None:
        self.pending = pending
        self.dead = dead
        self.notes = notes
        self.locks = locks
        self.moving = MovingNote(notes)
        self.folder = folder
        self._pending_folder = None if folder is None else str(folder / "pending")
        self._dead_folder = None if folder is None else str(folder / "dead")
        self._floor = floor_bytes
        self._prepared = False

    @classmethod
    def in_folder(
        cls, folder: Path, *, floor_bytes: int = FLOOR_BYTES, clock: Clock | None = None
    ) -> Spool:
        """The spool in this folder, which need not exist yet."""
        pending, dead, notes = (
            LocalStore(folder / name, clock=clock) for name in ("pending", "dead", "notes")
        )
        locks = FolderLocks(folder / "locks")
        return cls(pending, dead, notes, locks, folder=folder, floor_bytes=floor_bytes)

    @property
    def used(self) -> bool:
        """Whether anything was ever spooled here."""
        return self.folder is None or self.folder.exists()

    async def prepare(self, url: str, endpoint_url: str | None = None) -> None:
        """The spool can be written to, and says what it is of. Raises ``LocalStorageError``."""
        if self.folder is not None and not self._prepared:
            with translated(str(self.folder)):
                make_private(self.folder)
            target = encode_json({"url": url, "endpoint_url": endpoint_url})
            await put_once(
                LocalStore(self.folder),
                "target.json",
                target,
                media_type=JSON,
                sha256=sha256_hex(target),
            )
            await self.pending.connect()
            self._prepared = True

    def check_room(self, size: int) -> None:
        """So many bytes fit, and what is to stay free stays free. Raises ``StorageFull``."""
        if self.folder is None:
            return
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free - size < self._floor:
            raise StorageFull(
                f"{free} bytes are free for the spool in {self.folder}; {self._floor} of them "
                f"are kept, and {size} are to be written",
                hint="free some space, drain the spool, or set spool_floor_bytes",
            )

    def may_hold(self, key: str) -> bool:
        """Whether anything may wait in the key's top-level folder; for an empty key, anywhere.

        Costs a look at one folder at most, so it may be asked before every operation.
        """
        top = key.partition("/")[0]
        if top[:1] == "_" and top not in _SPOOLED:
            return False
        return self._pending_folder is None or has_folder(self._pending_folder, top)

    def may_be_dead(self, session_id: str) -> bool:
        """Whether something of the session is dead."""
        return self._dead_folder is None or has_folder(self._dead_folder, session_id)

    async def holds(self, key: str) -> bool:
        """Whether the object waits."""
        if not self.may_hold(key):
            return False
        try:
            await self.pending.stat(key)
        except NotFound:
            return False
        return True

    async def holds_some(self, session_id: str) -> bool:
        """Whether anything of the session waits."""
        if not self.may_hold(session_id):
            return False
        async for _ in self.pending.list(f"{session_id}/"):
            return True
        return False

    async def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The bytes of those objects that wait. On disk one look at a folder serves them all."""
        if self.folder is not None:
            return await asyncio.to_thread(read_files, self.folder / "pending", keys)
        found: dict[str, bytes] = {}
        for key in keys:
            with suppress(NotFound):
                found[key] = await self.pending.get(key)
        return found

    async def sessions(self) -> list[str]:
        """The sessions of which something waits, in the order of their ids."""
        found: list[str] = []
        async for page in self.pending.list("", recursive=False):
            ids = map(parse_session_folder, page.folders)
            found += [session_id for session_id in ids if session_id is not None]
        return found

    def backlog(self) -> Backlog:
        """How much waits. Blocks, and touches the disk alone."""
        return Backlog() if self.folder is None else folder_backlog(self.folder / "pending")

    def dead_count(self) -> int:
        """How many things are dead. Blocks, and touches the disk alone."""
        if self.folder is None:
            return 0
        return sum(1 for _ in (self.folder / "dead").glob(f"*/*/{REASON}"))

    async def note_media_type(self, key: str, media_type: str) -> None:
        """Remember the media type of an object that no commit record describes."""
        data = media_type.encode()
        await self.notes.put(
            f"types/{key}", data, media_type=_TEXT, sha256=sha256_hex(data), create=False
        )

    async def media_type(self, key: str) -> str:
        """The media type that was noted."""
        try:
            return (await self.notes.get(f"types/{key}")).decode()
        except NotFound:
            return BINARY

    async def forget_media_types(self, keys: Sequence[str]) -> None:
        """The objects wait no more."""
        await self.notes.delete([f"types/{key}" for key in keys])

    async def note_partial(self, session_id: str) -> None:
        """Remember that the store has steps of the session, too."""
        key = f"partial/{session_id}"
        await put_once(self.notes, key, b"", media_type=_TEXT, sha256=sha256_hex(b""))

    async def is_partial(self, session_id: str) -> bool:
        """Whether the store is known to have steps of the session, too."""
        try:
            await self.notes.stat(f"partial/{session_id}")
        except NotFound:
            return False
        return True

    async def forget_notes(self, session_id: str) -> None:
        """Nothing of the session waits any more."""
        await self.notes.delete([f"partial/{session_id}"])
