"""New files of many callers, made durable together.

A sync of a folder covers all names that were put into it, and syncs of many files at once cost a
disk little more than that of one. So whoever stores while others do is put into one group, which
one thread writes; each caller hears of its own files alone, when they are durable.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from checkpoint_assets.model.errors import CheckpointError, Conflict, LocalStorageError
from checkpoint_assets.storage.folders import Folders
from checkpoint_assets.storage.local_draft import Draft
from checkpoint_assets.storage.local_errors import local_error
from checkpoint_assets.storage.local_files import split_key, status_of
from checkpoint_assets.storage.local_listing import object_info
from checkpoint_assets.storage.local_versions import VersionFolder, version_name
from checkpoint_assets.storage.store import NewObject, ObjectInfo

# A group is as large as what comes while the one before is written, and no larger than this.
_FILES = 64
_BYTES = 8 << 20
_SYNCS_AT_ONCE = 16
# A folder that a delete has just removed is made again; more often than this it is no accident.
ATTEMPTS = 8

T = TypeVar("T")
# The time of a new file, from that of its newest version and the one the file system gave it.
Stamp = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class _File:
    key: str
    name: str
    draft: Draft


@dataclass(slots=True)
class _Order:
    """What one caller wants to have stored, and what became of it."""

    objects: Sequence[NewObject]
    last: Callable[[Sequence[ObjectInfo]], NewObject] | None = None
    done: Future[list[ObjectInfo]] = field(default_factory=Future[list[ObjectInfo]])
    files: dict[str, _File] = field(default_factory=dict[str, _File])
    folders: set[int] = field(default_factory=set[int])
    error: Exception | None = None
    attempts: int = 0
    stored: list[ObjectInfo] = field(default_factory=list[ObjectInfo])

    @property
    def size(self) -> int:
        return sum(len(new.data) for new in self.objects)

    def try_to(self, work: Callable[[], object], key: str) -> None:
        """Do it, if nothing has gone wrong so far."""
        if self.error is None:
            try:
                work()
            except (CheckpointError, FileNotFoundError) as error:
                self.error = error
            except OSError as error:
                self.error = local_error(error, key)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is not the others')
                self.error = error

    def drop(self) -> None:
        for file in self.files.values():
            file.draft.drop()

    def answer(self, versioned: bool) -> None:
        """Tell the caller, unless there is more to do: something once more, or the last object."""
        error, files = self.error, self.files
        self.files, self.error = {}, None
        self.folders.clear()
        self.attempts += 1
        if error is None:
            self.stored += [_info(files[new.key], versioned) for new in self.objects]
            if self.last is None:
                self.done.set_result(self.stored)
            else:
                self.objects, self.last = [self.last(self.stored)], None
        elif not isinstance(error, FileNotFoundError):
            self.done.set_exception(error)
        elif self.attempts == ATTEMPTS:
            key = self.objects[0].key
            message = f"{key}: its folder is removed again and again"
            self.done.set_exception(LocalStorageError(message, key=key))


class GroupWriter:
    """Creates files where nothing is, as ``Store.put`` and ``PutsTogether`` have it."""

    def __init__(
        self, folders: Folders, versions: VersionFolder, threads: ThreadPoolExecutor, stamp: Stamp
    ) -> None:
        self._folders = folders
        self._versions = versions
        self._threads = threads
        self._stamp = stamp
        self._lock = threading.Lock()
        self._waiting: deque[_Order] = deque()
        self._serving = False

    async def put(
        self,
        objects: Sequence[NewObject],
        last: Callable[[Sequence[ObjectInfo]], NewObject] | None = None,
    ) -> list[ObjectInfo]:
        """All of them are durable. Raises ``Conflict`` where something is."""
        order = _Order(objects, last)
        if order.size > _BYTES:
            self._threads.submit(self._write, [order])  # nobody else has to wait for it
        else:
            self._queue(order)
        return await asyncio.wrap_future(order.done)

    def _queue(self, order: _Order) -> None:
        with self._lock:
            if not self._serving:
                self._threads.submit(self._serve)
                self._serving = True
            self._waiting.append(order)

    def _serve(self) -> None:
        while group := self._next_group():
            self._write(group)

    def _next_group(self) -> list[_Order]:
        group: list[_Order] = []
        files = size = 0
        with self._lock:
            while self._waiting:
                order = self._waiting[0]
                files += len(order.objects)
                size += order.size
                if group and (files > _FILES or size > _BYTES):
                    break
                group.append(self._waiting.popleft())
            self._serving = bool(group)
        return group

    def _write(self, group: Sequence[_Order]) -> None:
        orders = [order for order in group if order.done.set_running_or_notify_cancel()]
        try:
            while left := [order for order in orders if not order.done.done()]:
                self._try(left)
        except BaseException as error:
            # Whatever it was (no memory, no thread): nobody waits for ever, and all hear of it.
            for order in orders:
                if not order.done.done():
                    order.done.set_exception(error)
            raise

    def _try(self, orders: Sequence[_Order]) -> None:
        versioned = self._versions.kept()
        with ExitStack() as opened:
            folders: dict[tuple[str, ...], int] = {}
            for order in orders:
                for new in order.objects:
                    order.try_to(partial(self._open, order, new, folders, opened), new.key)

            def write(one: tuple[_Order, NewObject]) -> None:
                order, new = one
                order.try_to(partial(self._draft, order, new, folders, versioned), new.key)

            try:
                self._at_once(write, [(order, new) for order in orders for new in order.objects])
                for order in orders:
                    for file in order.files.values():
                        order.try_to(partial(_publish, file), file.key)
            finally:
                for order in orders:
                    order.drop()
            self._sync_folders(orders)
        for order in orders:
            order.answer(versioned)

    def _open(
        self,
        order: _Order,
        new: NewObject,
        folders: dict[tuple[str, ...], int],
        opened: ExitStack,
    ) -> None:
        parts, _ = split_key(new.key)
        if parts not in folders:
            folders[parts] = opened.enter_context(self._folders.made(parts))
        order.folders.add(folders[parts])

    def _draft(
        self,
        order: _Order,
        new: NewObject,
        folders: dict[tuple[str, ...], int],
        versioned: bool,
    ) -> None:
        parts, name = split_key(new.key)
        folder = folders[parts]
        self._folders.check_case(folder, name, reading=False)
        if status_of(folder, name):
            raise Conflict(f"{new.key} exists", key=new.key)
        stamp = partial(self._stamp, self._versions.newest(new.key) if versioned else 0)
        draft = Draft(folder, new.key, new.data, stamp)
        order.files[new.key] = _File(new.key, name, draft)
        draft.sync()

    def _sync_folders(self, orders: Sequence[_Order]) -> None:
        # Also for those who met a file: if it has their own bytes, it has to be durable.
        def sync(folder: int) -> None:
            try:
                self._folders.sync(folder)
            except OSError as error:
                for order in orders:
                    if folder in order.folders:
                        order.error = local_error(error, order.objects[0].key)

        self._at_once(sync, list({folder for order in orders for folder in order.folders}))

    def _at_once(self, work: Callable[[T], None], items: Sequence[T]) -> None:
        """Do it to each; this thread takes a part, so that a single item needs no other."""

        def some(turn: int) -> None:
            for item in items[turn::turns]:
                work(item)

        turns = min(len(items), _SYNCS_AT_ONCE)
        others = [self._threads.submit(some, turn) for turn in range(1, turns)]
        if turns:
            some(0)
        for other in others:
            other.result()


def _publish(file: _File) -> None:
    try:
        file.draft.publish(file.name)
    except FileExistsError as error:
        raise Conflict(f"{file.key} exists", key=file.key) from error


def _info(file: _File, versioned: bool) -> ObjectInfo:
    status = file.draft.status
    return object_info(file.key, status, version_name(status) if versioned else None)
