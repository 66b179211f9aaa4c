"""Drains a spool: what waits goes to the store, in order, and leaves the spool once it is there.

The oldest session first, its steps committed in order, each step's commit record after its files,
the manifest last. Files of later steps may travel ahead, unseen, while a record is on its way, and
a session need not wait for the last answers to the one before it.

Everything is written create-only and may be written again, so a drain that is killed is simply
run again: what is there already is found to be the same. Nothing leaves the spool before the
store itself has shown that it has it. What cannot be drained goes to the dead area.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    S3ConfigError,
    StorageError,
    StoreUnavailable,
)
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.runtime.cleanup import to_the_end
from checkpoint_assets.storage.deletion import delete_keys
from checkpoint_assets.storage.spool import can_be_replaced
from checkpoint_assets.storage.spool_backlog import listed_backlog
from checkpoint_assets.storage.spool_closing import GRACE, SpoolClosing
from checkpoint_assets.storage.spool_dead import revive
from checkpoint_assets.storage.spool_deleted import Deleted
from checkpoint_assets.storage.spool_plan import WaitingStep, oldest_first, waiting_in
from checkpoint_assets.storage.spool_report import DrainLedger, DrainReport
from checkpoint_assets.storage.spool_upload import SpoolUpload, Uploaded
from checkpoint_assets.storage.spool_verification import Sent, unverified
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import ObjectInfo
from checkpoint_assets.storage.workers import run_all

# What one round moves at most: its files are on the way at once, and are verified together.
_BATCH_STEPS = 256
_BATCH_BYTES = 64 << 20
_AT_ONCE = 16
# So many steps of a session are verified together and leave the spool, while others are sent.
_SETTLED_STEPS = 25

_Upload = asyncio.Task[Uploaded | StorageError | None]


async def drain_spool(
    store: SpoolingStore,
    *,
    limit: int | None = None,
    retry_dead: bool = False,
    concurrency: int = 16,
    clock: Clock = system_clock,
) -> DrainReport:
    """Take what waits to the store; ``limit`` steps at most, with ``retry_dead`` the dead, too.

    An outage ends the drain early, and the report says so. Raises ``S3ConfigError``; nothing is
    lost then. Of several drains at once one works, the others report that they did not.
    """
    ledger = DrainLedger(store.spool, store.events, clock)
    report = ledger.report
    if not store.spool.used:
        return report
    with store.spool.locks.own() as owned:
        report.busy = not owned
        if owned:
            if retry_dead:
                report.revived = await revive(store.spool)
            try:
                await _Drain(store, ledger, concurrency, clock).run(limit)
            except StoreUnavailable as error:
                store.away(error)
                report.stopped = str(error)
    report.remaining = await listed_backlog(store.spool.pending.list(""))
    return report


@dataclass(slots=True)
class _Batch:
    """Steps and other objects of a few sessions, in order; ``ending`` are those that end here."""

    steps: list[WaitingStep] = field(default_factory=list[WaitingStep])
    objects: list[ObjectInfo] = field(default_factory=list[ObjectInfo])
    ending: list[str] = field(default_factory=list[str])
    bytes: int = 0

    @property
    def full(self) -> bool:
        return len(self.steps) + len(self.objects) >= _BATCH_STEPS or self.bytes >= _BATCH_BYTES

    @property
    def folders(self) -> set[str]:
        """The top-level folders that this touches."""
        keys = [info.key for info in self.objects]
        names = [key.partition("/")[0] for key in keys] + list(self.ending)
        return {*names, *(step.session_id for step in self.steps)}


class _Drain:
    def __init__(
        self, store: SpoolingStore, ledger: DrainLedger, concurrency: int, clock: Clock
    ) -> None:
        self._store = store
        self._spool = store.spool
        self._ledger = ledger
        self._concurrency = concurrency
        self._clock = clock
        self._upload = SpoolUpload(store.inner, store.spool, concurrency=concurrency)
        self._closing = SpoolClosing(
            store.inner, store.spool, ledger, concurrency=concurrency, clock=clock
        )

    async def run(self, limit: int | None) -> None:
        # What is said of an earlier drain that was cut short holds until this one has been there.
        cut_short = await self._spool.moving.read()
        async for batch in self._batches(limit):
            async with self._spool.locks.hold(batch.folders):
                await self._spool.moving.write(cut_short | batch.folders)
                await self._drain(batch)
                cut_short -= batch.folders
                await self._spool.moving.write(cut_short)
        if limit is None:
            await self._spool.moving.write(())
        for place in (self._spool.pending, self._spool.dead, self._spool.notes):
            left = await place.leftovers(self._clock.now() - GRACE)
            await place.remove_leftovers(left)

    async def _batches(self, limit: int | None) -> AsyncIterator[_Batch]:
        batch = _Batch()
        left = limit
        for name in await oldest_first(self._spool.pending):
            folder = await waiting_in(self._spool.pending, name)
            for step in folder.steps:
                if left == 0:
                    yield batch
                    return
                left = left and left - 1
                batch.steps.append(step)
                batch.bytes += step.size
                if batch.full:
                    yield batch
                    batch = _Batch()
            for info in folder.objects:
                batch.objects.append(info)
                batch.bytes += info.size
                if batch.full:
                    yield batch
                    batch = _Batch()
            batch.ending.append(name)
        yield batch

    async def _drain(self, batch: _Batch) -> None:
        """One round: upload, commit in order, verify, remove, close."""
        sending = _Sending(self._store, self._upload, self._ledger, self._settle)
        await sending.run(batch)
        await self._settle([], sending.objects)
        for step, error in sending.dead:
            await self._ledger.bury(step.keys, step.session_id, step.step_id, error)
        for info, error in sending.dead_objects:
            await self._ledger.bury([info.key], info.key.partition("/")[0], None, error)
        await _all([self._closing.end(name) for name in batch.ending])

    async def _settle(self, steps: Sequence[WaitingStep], sent: dict[str, list[Sent]]) -> None:
        """What was sent, by the key of its record or object, is verified and leaves the spool."""
        if sent:
            self._store.back()
        everything = [one for found in sent.values() for one in found]
        problems = await unverified(self._store.inner, everything, concurrency=self._concurrency)
        for key, why in problems.items():
            self._ledger.failed(key, IntegrityError(why, key=key))
        whole = {key for key, found in sent.items() if not {one.key for one in found} & {*problems}}
        drained = {step.name: step for step in steps if step.name in whole}
        objects = sorted(whole - set(drained))
        # The record first: from then on the step is read, and written, in the store alone.
        files = [key for step in drained.values() for key in step.files]
        by_folder: dict[str, list[str]] = {}
        for key in [*drained, *objects, *files]:
            by_folder.setdefault(key.partition("/")[0], []).append(key)

        async def remove(keys: list[str]) -> None:
            await delete_keys(self._spool.pending, keys)

        # Folder by folder, since a disk syncs many folders in little more time than one.
        await run_all(remove, by_folder.values(), _AT_ONCE)
        await self._spool.forget_media_types(objects)
        self._ledger.report.steps += len(drained)
        self._ledger.report.objects += len(objects)
        for key in [*drained, *objects]:
            self._ledger.drained(key, sum(one.size for one in sent[key]))


Settle = Callable[[Sequence[WaitingStep], dict[str, list[Sent]]], Coroutine[Any, Any, None]]


class _Sending:
    """Everything of a round is written to the store; what is committed is settled meanwhile.

    ``objects`` are what should be there now besides; ``dead`` are the steps that never can be.
    """

    def __init__(
        self, store: SpoolingStore, upload: SpoolUpload, ledger: DrainLedger, settle: Settle
    ) -> None:
        self._store = store.inner
        self._spool = store.spool
        self._upload = upload
        self._ledger = ledger
        self._settle = settle
        self.objects: dict[str, list[Sent]] = {}
        self.dead: list[tuple[WaitingStep, Exception]] = []
        self.dead_objects: list[tuple[ObjectInfo, Exception]] = []

    async def run(self, batch: _Batch) -> None:
        sessions: dict[SessionId, list[WaitingStep]] = {}
        for step in batch.steps:
            sessions.setdefault(step.session_id, []).append(step)
        gone = dict(zip(sessions, await run_all(self._deleted, sessions, _AT_ONCE), strict=True))
        uploads: dict[SessionId, list[_Upload]] = {session_id: [] for session_id in sessions}
        # By turns, so that no session's commits wait for the files of all sessions before it.
        for turn in zip_longest(*sessions.values()):
            for step in filter(None, turn):
                upload = asyncio.create_task(self._files(step, gone[step.session_id]))
                uploads[step.session_id].append(upload)
        work = [self._session(steps, uploads[session_id]) for session_id, steps in sessions.items()]
        await _all([*work, *map(self._object, batch.objects)])

    async def _session(self, steps: Sequence[WaitingStep], uploads: Sequence[_Upload]) -> None:
        """The steps are committed in order, while the files of all are on their way."""
        settling: list[asyncio.Task[None]] = []
        try:
            for begin in range(0, len(steps), _SETTLED_STEPS):
                part = steps[begin : begin + _SETTLED_STEPS]
                sent, more = await self._commit(part, uploads[begin:])
                settling.append(asyncio.create_task(self._settle(part, sent)))
                if not more:
                    break
        finally:
            for upload in uploads:
                upload.cancel()
            await asyncio.gather(*uploads, return_exceptions=True)
            # What is on its way out of the spool is finished, and counted, whatever else happened.
            await to_the_end(asyncio.gather(*settling, return_exceptions=True))
        for settled in settling:
            settled.result()

    async def _commit(
        self, steps: Sequence[WaitingStep], uploads: Sequence[_Upload]
    ) -> tuple[dict[str, list[Sent]], bool]:
        """What was sent of these steps, and whether the drain can go on behind them."""
        sent: dict[str, list[Sent]] = {}
        for step, upload in zip(steps, uploads, strict=False):
            try:
                uploaded = await upload
                if uploaded is None:
                    continue
                if isinstance(uploaded, StorageError):
                    raise uploaded
                record = await self._upload.commit(uploaded)
            except (StoreUnavailable, S3ConfigError):
                raise
            except (Conflict, IntegrityError) as error:
                self.dead.append((step, error))
            except StorageError as error:
                # The steps behind it wait with it: they are drained in order.
                self._ledger.failed(step.name, error)
                return sent, False
            else:
                sent[step.name] = [*uploaded.sent, record]
        return sent, True

    async def _files(self, step: WaitingStep, deleted: Deleted) -> Uploaded | StorageError | None:
        """The step's files are in the store. ``None``: it was deleted, or is being deleted."""
        if deleted.names(step.step_id):
            record = (await self._spool.read([step.name])).get(step.name)
            if record is None or deleted.holds(step.step_id, step.name, record):
                return None
            return Conflict(f"{step.name} was deleted since", key=step.name)
        try:
            return await self._upload.files(step)
        except (StoreUnavailable, S3ConfigError):
            raise
        except StorageError as error:
            return error

    async def _deleted(self, session_id: SessionId) -> Deleted:
        return await Deleted.of(self._store, session_id)

    async def _object(self, info: ObjectInfo) -> None:
        try:
            one = await self._upload.object(info, replaces=can_be_replaced(info.key))
        except (StoreUnavailable, S3ConfigError):
            raise
        except Conflict as error:
            self.dead_objects.append((info, error))
        except StorageError as error:
            self._ledger.failed(info.key, error)
        else:
            self.objects[info.key] = [one] if one else []


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once. The first error stops the rest; a wrong configuration comes first."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as errors:
        found = errors.exceptions
        raise next(
            (error for error in found if isinstance(error, S3ConfigError)), found[0]
        ) from None
