"""A wrapper that keeps what is written while its store is away, and reads it back at once.

What can wait is in a folder of its own session, or is nobody else's business: whole steps (their
files, and the commit record last), manifests, derived files, catalogue fragments, views. Pins,
expiry dates, tombstones and compare-and-swap writes cannot: they only count where everybody sees
them, so they raise ``StoreUnavailable``.

- A step goes to one place as a whole. What an outage leaves half written in the store is whole in
  the spool; draining completes it.
- Away means ``StoreUnavailable`` after all retries. ``S3ConfigError`` is never an outage.
- While an outage is known, writes go to the spool without asking the store; a probe in the
  background asks it every few seconds.
- A manifest waits behind the steps of its session.
- Deleting removes the object in both places.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    StoreUnavailable,
)
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.commit import parse_record
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import (
    CATALOG,
    LAYOUTS,
    artifact_key,
    manifest_key,
    parse_session_folder,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.outage import Outage
from checkpoint_assets.storage.spool import Spool, can_be_replaced
from checkpoint_assets.storage.spool_dead import forget_dead
from checkpoint_assets.storage.spool_events import SpoolEventKind, SpoolEvents
from checkpoint_assets.storage.spool_reading import SpoolReadingStore
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Store

T = TypeVar("T")

_FRAGMENTS = f"{CATALOG}/fragments/"
# Sessions of which it is remembered that the store has steps.
_REMEMBERED = 4096


class SpoolingStore(SpoolReadingStore):
    """Writes to ``inner``, and to ``spool`` while that is away. See ``SpoolReadingStore``, too."""

    def __init__(
        self,
        inner: Store,
        spool: Spool,
        *,
        probe: Store | None = None,
        outage: Outage | None = None,
        events: SpoolEvents | None = None,
        endpoint_url: str | None = None,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(inner, spool, clock=clock, probe=probe, outage=outage, events=events)
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._lock = threading.Lock()
        self._written: OrderedDict[str, None] = OrderedDict()

    async def connect(self) -> None:
        """As the store does; where that is away it is enough that the spool can be used."""
        try:
            await self.inner.connect()
        except StoreUnavailable as error:
            await self._prepare()
            self.away(error)

    def describe(self) -> dict[str, Any]:
        """The backlog, the outage and the counts, as plain data. Touches the disk alone."""
        backlog = self.spool.backlog()
        since = self.outage.since
        return {
            "path": None if self.spool.folder is None else str(self.spool.folder),
            "depth": backlog.steps,
            "sessions": len(backlog.sessions),
            "files": backlog.files,
            "bytes": backlog.bytes,
            "oldest_age_seconds": backlog.age(self._clock.now()),
            "dead": self.spool.dead_count(),
            "outage": since and {"since": isoformat(since), "reason": self.outage.reason},
            "counts": self.events.counts(),
        }

    async def write_step(
        self,
        session_id: SessionId,
        step_id: StepId,
        size: int,
        write: Callable[[Store], Awaitable[T]],
    ) -> T:
        """What ``write`` returns for the one place that now has the whole step.

        ``size`` is about how many bytes it writes. It may be called twice, with two stores.
        """
        if self.spool.may_hold(session_id) and await self._step_waits(session_id, step_id):
            # Nobody drains it while it is compared.
            async with self.spool.locks.hold([session_id]):
                if await self._step_waits(session_id, step_id):
                    return await write(self.spool.pending)
        if not self.known_away():
            try:
                result = await write(self.inner)
            except StoreUnavailable as error:
                self.away(error)
            else:
                self._remember(session_id)
                return result
        await self._make_room(size)
        if session_id in self._written:
            await self.spool.note_partial(session_id)
            self._forget(session_id)
        result = await write(self.spool.pending)
        record = artifact_key(session_id, step_id, Artifact.METADATA)
        self.events.tell(SpoolEventKind.SPOOLED, record, size=size)
        return result

    async def replace_step(
        self, session_id: SessionId, step_id: StepId, write: Callable[[Store], Awaitable[T]]
    ) -> T:
        """What ``write`` returns for the store. A step that waits has no versions to be one of."""
        if self.spool.may_hold(session_id) and await self._step_waits(session_id, step_id):
            raise StoreUnavailable(
                f"{session_id}/{step_id} still waits in the spool",
                session_id=session_id,
                hint="drain the spool first",
            )
        result = await write(self.inner)
        self._remember(session_id)
        return result

    async def _step_waits(self, session_id: SessionId, step_id: StepId) -> bool:
        keys = [artifact_key(session_id, step_id, Artifact.METADATA, layout) for layout in LAYOUTS]
        return await self.spool.holds(keys[0]) or await self.spool.holds(keys[1])

    async def write_manifest(
        self, session_id: SessionId, write: Callable[[Store], Awaitable[T]]
    ) -> T:
        """What ``write`` returns for a store to which it can write the session's manifest.

        While the store is away that is the spool, where only the steps that wait are seen; the
        manifest gets the others when it is drained.
        """
        if not self.known_away():
            try:
                return await write(self)
            except StoreUnavailable as error:
                self.away(error)
        await self._make_room(0)
        result = await write(self.spool.pending)
        self.events.tell(SpoolEventKind.SPOOLED, manifest_key(session_id))
        return result

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        async def put(store: Store) -> ObjectInfo:
            return await store.put(
                key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
            )

        if if_match is not None or not _can_wait(key, create):
            if parse_step_key(key) is None or not self.spool.may_hold(key):
                return await put(self.inner)
            async with self.spool.locks.hold([_top(key)]):
                return await put(await self._place_of_file(key, data, create))
        if not self.spool.may_hold(key) and not self.known_away():
            try:
                return await put(self.inner)
            except StoreUnavailable as error:
                self.away(error)
        # Nobody drains the folder while it is decided where this goes.
        async with self.spool.locks.hold([_top(key)]):
            if not await self._must_wait(key, create):
                try:
                    return await put(self.inner)
                except StoreUnavailable as error:
                    self.away(error)
            await self._make_room(len(data))
            await self.spool.note_media_type(key, media_type)
            info = await put(self.spool.pending)
        self.events.tell(SpoolEventKind.SPOOLED, key, size=len(data))
        return info

    async def _place_of_file(self, key: str, data: bytes, create: bool) -> Store:
        """Where a single file of a step goes: a commit record that is restored, to its files."""
        step = parse_step_key(key)
        if not create and await self.spool.holds(key):
            raise StoreUnavailable(
                f"{key} still waits in the spool", key=key, hint="drain the spool first"
            )
        record = step is not None and step.artifact is Artifact.METADATA
        if create and record and await self._lists_waiting(key, data):
            return self.spool.pending
        return self.inner

    async def _lists_waiting(self, key: str, data: bytes) -> bool:
        """Whether the bytes are a commit record, and a file that it lists is in the spool."""
        try:
            record = parse_record(data, key)
        except IntegrityError:
            return False
        folder = session_prefix(SessionId(record.session_id))
        for described in record.artifacts.values():
            with suppress(NotFound, InvalidInput):
                waiting = await self.spool.pending.get(folder + described.name)
                if await digest(waiting) == described.sha256:
                    return True
        return False

    async def _must_wait(self, key: str, create: bool) -> bool:
        if self.known_away() or await self.spool.holds(key):
            return True
        session_id = parse_session_folder(key.partition("/")[0])
        if session_id is None or key != manifest_key(session_id):
            return False
        if not await self.spool.holds_some(session_id):
            return False
        # Its steps still wait, and it is to come after them.
        with suppress(NotFound, StoreUnavailable):
            await self.inner.stat(key)
            raise Conflict(f"{key} exists", key=key)
        return True

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        names = {_top(key) for key in keys}
        waiting = {name for name in names if self.spool.may_hold(name)}
        failed: dict[str, Exception] = {}
        if not waiting:
            report = await self.inner.delete(keys)
        else:
            # A drainer that has read a step must not write it after it was deleted.
            async with self.spool.locks.hold(waiting):
                await self.spool.moving.refuse(waiting)
                report = await self.inner.delete(keys)
                here = [key for key in keys if _top(key) in waiting]
                failed.update((await self.spool.pending.delete(here)).failed)
        failed.update(report.failed)
        for name in names:
            if self.spool.may_be_dead(name):
                await forget_dead(self.spool, name, set(keys) - set(failed))
        return DeleteReport([key for key in keys if key not in failed], failed)

    def _remember(self, session_id: str) -> None:
        with self._lock:
            self._written[session_id] = None
            self._written.move_to_end(session_id)
            if len(self._written) > _REMEMBERED:
                self._written.popitem(last=False)

    def _forget(self, session_id: str) -> None:
        with self._lock:
            self._written.pop(session_id, None)

    async def _prepare(self) -> None:
        await self.spool.prepare(self.url, self._endpoint_url)

    async def _make_room(self, size: int) -> None:
        self.spool.check_room(size)
        await self._prepare()


def is_away(store: Store) -> bool:
    """Whether the store has a spool and is known to be away, so that asking it only costs time."""
    return isinstance(store, SpoolingStore) and store.known_away()


async def refuse_if_cut_short(store: Store, session_id: SessionId) -> None:
    """Raises ``StoreUnavailable`` if a drainer died with the session in its hands."""
    if isinstance(store, SpoolingStore) and store.spool.may_hold(session_id):
        async with store.spool.locks.hold([session_id]):
            await store.spool.moving.refuse([session_id])


async def refuse_if_spooled(store: Store, session_id: SessionId) -> None:
    """Raises ``StoreUnavailable`` for a session of which something waits in the spool."""
    if isinstance(store, SpoolingStore) and await store.spool.holds_some(session_id):
        raise StoreUnavailable(
            f"session {session_id} still waits in the spool",
            session_id=session_id,
            hint="drain the spool first",
        )


def _top(key: str) -> str:
    return key.partition("/")[0]


def _can_wait(key: str, create: bool) -> bool:
    """Whether the object may be written to the spool by itself."""
    session_id = parse_session_folder(_top(key))
    if session_id is not None and key == manifest_key(session_id):
        return create
    if key.startswith(_FRAGMENTS):
        return create
    return not create and can_be_replaced(key)
