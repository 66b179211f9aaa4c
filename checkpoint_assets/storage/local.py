"""A store in a folder: durable, atomic, create-only, and never led outside by a link.

A write goes to a temporary file in the same folder, is counted and synced, and then linked (where
nothing may be there) or renamed to its name; the folder is synced last. A killed writer leaves a
``.tmp-`` file at most, which no listing shows.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import stat as modes
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from checkpoint_assets.model.errors import (
    CheckpointError,
    Conflict,
    InvalidInput,
    LocalStorageError,
    NotFound,
)
from checkpoint_assets.storage.folders import TEMPORARY, Folders
from checkpoint_assets.storage.local_errors import local_error, translated
from checkpoint_assets.storage.local_listing import etag, list_pages, object_info
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject

T = TypeVar("T")

CHUNK = 1 << 20
_THREADS = 16
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# A folder that a delete has just removed is made again; more often than this it is no accident.
_ATTEMPTS = 8


class LocalStore(Store):
    """Keeps objects as files below ``root``, readable by the owner alone."""

    def __init__(self, root: str | Path, *, ignores_case: bool | None = None) -> None:
        self._root = Path(root).absolute()
        self._folders = Folders(self._root, ignores_case=ignores_case)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-store")

    @property
    def root(self) -> Path:
        """The folder that everything is in."""
        return self._root

    @property
    def url(self) -> str:
        return self._root.as_uri()

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def connect(self) -> None:
        await self._run(self._connect)

    def _connect(self) -> None:
        try:
            self._folders.make_root()
        except OSError as error:
            raise local_error(error, str(self._root)) from error
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise LocalStorageError(
                f"no access to {self._root}", hint="give this process's user access to the folder"
            )

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
        return await self._run(partial(self._put, key, data, create, if_match))

    def _put(self, key: str, data: bytes, create: bool, if_match: str | None) -> ObjectInfo:
        parts, name = _split(key)
        with translated(key):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    with self._folders.made(parts) as folder:
                        self._folders.check_case(folder, name, reading=False)
                        return self._write(folder, name, key, data, create, if_match)
                except FileNotFoundError:
                    if attempt == _ATTEMPTS:
                        raise
        raise AssertionError("unreachable")

    def _write(
        self, folder: int, name: str, key: str, data: bytes, create: bool, if_match: str | None
    ) -> ObjectInfo:
        if create and if_match is None and _exists(folder, name):
            raise Conflict(f"{key} exists", key=key)
        temporary = TEMPORARY + secrets.token_hex(8)
        try:
            status = _write_file(folder, temporary, key, data)
            if create and if_match is None:
                try:
                    os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                except FileExistsError as error:
                    raise Conflict(f"{key} exists", key=key) from error
                os.unlink(temporary, dir_fd=folder)
            else:
                with _locked(folder):
                    if if_match is not None and _etag_of(folder, name) != if_match:
                        raise Conflict(f"{key} is not what it was", key=key)
                    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        self._folders.sync(folder)
        return object_info(key, status)

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self._run(partial(self._fetch, key, version))

    def _fetch(self, key: str, version: str | None) -> StoredObject:
        with self._opened(key, version) as descriptor:
            status = os.fstat(descriptor)
            data = _read(descriptor, status.st_size)
        if len(data) != status.st_size:
            raise LocalStorageError(f"{key}: read {len(data)} of {status.st_size} bytes", key=key)
        return StoredObject(object_info(key, status), data)

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        chunks = self._chunks(key, start, length, version)
        try:
            while chunk := await self._run(lambda: next(chunks, b"")):
                yield chunk
        finally:
            chunks.close()

    def _chunks(
        self, key: str, start: int, length: int | None, version: str | None
    ) -> Generator[bytes]:
        with self._opened(key, version) as descriptor:
            size = os.fstat(descriptor).st_size
            end = size if length is None else min(size, start + length)
            while start < end:
                chunk = os.pread(descriptor, min(CHUNK, end - start), start)
                if not chunk:
                    raise LocalStorageError(f"{key}: cut short at byte {start}", key=key)
                start += len(chunk)
                yield chunk

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self._run(partial(self._stat, key, version))

    def _stat(self, key: str, version: str | None) -> ObjectInfo:
        with self._opened(key, version) as descriptor:
            return object_info(key, os.fstat(descriptor))

    @contextmanager
    def _opened(self, key: str, version: str | None) -> Generator[int]:
        parts, name = _split(key)
        if version is not None:
            raise NotFound(f"no version {version} of {key}", key=key)
        with translated(key), self._folders.opened(parts) as folder:
            self._folders.check_case(folder, name, reading=True)
            descriptor = os.open(name, _READ, dir_fd=folder)
            try:
                # A pipe or device that was put there is no object; O_NONBLOCK keeps us from
                # waiting on it.
                if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                    raise NotFound(f"no object {key}", key=key)
                yield descriptor
            finally:
                os.close(descriptor)

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        pages = list_pages(self._folders, prefix, after, recursive)
        try:
            while page := await self._run(lambda: next(pages, None)):
                yield page
        finally:
            pages.close()

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return await self._run(partial(self._delete, keys))

    def _delete(self, keys: Sequence[str]) -> DeleteReport:
        by_folder: dict[tuple[str, ...], dict[str, str]] = {}
        for key in keys:
            parts, name = _split(key)
            by_folder.setdefault(parts, {})[name] = key
        deleted: list[str] = []
        failed: dict[str, Exception] = {}
        for parts, names in by_folder.items():
            try:
                with translated("/".join(parts)), self._folders.opened(parts) as folder:
                    self._delete_in(folder, names, deleted, failed)
                self._folders.remove_if_empty(parts)
            except NotFound:
                deleted.extend(names.values())
            except (OSError, CheckpointError) as error:
                undone = [key for key in names.values() if key not in failed]
                failed.update(dict.fromkeys(undone, error))
        return DeleteReport([key for key in keys if key not in failed], failed)

    def _delete_in(
        self,
        folder: int,
        names: dict[str, str],
        deleted: list[str],
        failed: dict[str, Exception],
    ) -> None:
        with _locked(folder):
            for name, key in names.items():
                try:
                    self._folders.check_case(folder, name, reading=True)
                    os.unlink(name, dir_fd=folder)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    failed[key] = local_error(error, key)
                    continue
                deleted.append(key)
        self._folders.sync(folder)


def _split(key: str) -> tuple[tuple[str, ...], str]:
    """The folders of a key and its file name; refuses all that is no plain name."""
    *folders, name = key.split("/")
    for part in (*folders, name):
        if not part or part[0] == "." or "\0" in part or "\\" in part:
            raise InvalidInput(f"{key!r} cannot be a key", key=key)
    return tuple(folders), name


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _write_file(folder: int, name: str, key: str, data: bytes) -> os.stat_result:
    descriptor = os.open(name, _CREATE, 0o600, dir_fd=folder)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        # The file system's own stamp is too coarse to tell two quick writes apart by.
        stamp = time.time_ns()
        os.utime(descriptor, ns=(stamp, stamp))
        # After a failed fsync the bytes are unknown: the file is dropped, never synced again.
        os.fsync(descriptor)
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if status.st_size != len(data):
        raise LocalStorageError(f"{key}: wrote {status.st_size} of {len(data)} bytes", key=key)
    return status


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


@contextmanager
def _locked(folder: int) -> Generator[None]:
    # Compare-and-replace is two calls; the lock makes them one among processes and threads.
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _etag_of(folder: int, name: str) -> str | None:
    try:
        return etag(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None
