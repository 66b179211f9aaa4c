"""A store in a folder: durable, atomic, create-only, and never led outside by a link.

A write goes to a temporary file in the same folder, is counted and synced, and then linked (where
nothing may be there) or renamed to its name; the folder is synced last. A killed writer leaves a
``.tmp-`` file at most, which no listing shows.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import (
    CheckpointError,
    Conflict,
    LocalStorageError,
    NotFound,
)
from checkpoint_assets.storage.folders import Folders
from checkpoint_assets.storage.local_draft import drafted
from checkpoint_assets.storage.local_errors import local_error, translated
from checkpoint_assets.storage.local_files import (
    etag_of,
    locked,
    opened_file,
    read_all,
    read_chunks,
    split_key,
    status_of,
)
from checkpoint_assets.storage.local_group import ATTEMPTS, GroupWriter
from checkpoint_assets.storage.local_listing import list_pages, object_info, temporary_files
from checkpoint_assets.storage.local_versions import VersionFolder, version_name
from checkpoint_assets.storage.store import (
    DeleteReport,
    NewObject,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)

T = TypeVar("T")

_THREADS = 16
_PAGE = 1000
# The kernel stamps files by its timer tick, too coarse to tell two quick writes apart by.
_TICK_NS = 4_000_000


class LocalStore(Store):
    """Keeps objects as files below ``root``, readable by the owner alone.

    Times are those of the file system, unless there is a ``clock``. ``ignores_case`` says whether
    the disk does; ``None`` finds out.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        ignores_case: bool | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._root = Path(root).absolute()
        self._folders = Folders(self._root, ignores_case=ignores_case)
        self._versions = VersionFolder(self._folders)
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="local-store")
        self._groups = GroupWriter(self._folders, self._versions, self._threads, self._stamp)

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
        if create and if_match is None:
            return (await self._groups.put([NewObject(key, data, media_type, sha256)]))[0]
        return await self._run(partial(self._put_over, key, data, if_match))

    async def put_together(
        self,
        objects: Sequence[NewObject],
        last: Callable[[Sequence[ObjectInfo]], NewObject] | None = None,
    ) -> Sequence[ObjectInfo]:
        """As ``PutsTogether`` has it: one sync of a folder serves all that are put into it."""
        return await self._groups.put(objects, last)

    def _put_over(self, key: str, data: bytes, if_match: str | None) -> ObjectInfo:
        parts, _ = split_key(key)
        with translated(key):
            for _ in range(ATTEMPTS):
                try:
                    with self._folders.made(parts) as folder:
                        return self._replace(key, data, if_match, folder)
                except FileNotFoundError:
                    continue
        raise LocalStorageError(f"{key}: its folder is removed again and again", key=key)

    def _replace(self, key: str, data: bytes, if_match: str | None, folder: int) -> ObjectInfo:
        _, name = split_key(key)
        self._folders.check_case(folder, name, reading=False)
        versioned = self._versions.kept()
        newest = 0
        # Versions are named by their time, so whoever keeps them writes one after the other.
        with locked(folder) if versioned else nullcontext():
            if versioned:
                present = status_of(folder, name)
                newest = max(present.st_mtime_ns if present else 0, self._versions.newest(key))
            stamp = partial(self._stamp, newest)
            with (
                drafted(folder, key, data, stamp) as draft,
                nullcontext() if versioned else locked(folder),
            ):
                if if_match is not None and etag_of(folder, name) != if_match:
                    raise Conflict(f"{key} is not what it was", key=key)
                if versioned:
                    self._versions.keep(folder, name, key)
                os.replace(draft.name, name, src_dir_fd=folder, dst_dir_fd=folder)
        self._folders.sync(folder)
        return _info(key, draft.status, versioned)

    def _stamp(self, newest_ns: int, file_ns: int) -> int:
        if self._clock is not None:
            file_ns = _nanoseconds(self._clock.now())
        return max(file_ns + secrets.randbelow(_TICK_NS), newest_ns + 1)

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self._run(partial(self._fetch, key, version))

    def _fetch(self, key: str, version: str | None) -> StoredObject:
        with self._opened(key, version) as descriptor:
            info = _info(key, os.fstat(descriptor), self._versions.kept())
            return StoredObject(info, read_all(descriptor, key))

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
            yield from read_chunks(descriptor, key, start, length)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self._run(partial(self._stat, key, version))

    def _stat(self, key: str, version: str | None) -> ObjectInfo:
        with self._opened(key, version) as descriptor:
            return _info(key, os.fstat(descriptor), self._versions.kept())

    @contextmanager
    def _opened(self, key: str, version: str | None) -> Generator[int]:
        parts, name = split_key(key)
        with translated(key):
            if version is not None and not self._is_current(parts, name, version):
                parts, name = self._versions.parts(key), _version_file(version, key)
            with self._folders.opened(parts) as folder:
                self._folders.check_case(folder, name, reading=True)
                with opened_file(folder, name, key) as descriptor:
                    yield descriptor

    def _is_current(self, parts: tuple[str, ...], name: str, version: str) -> bool:
        try:
            with self._folders.opened(parts) as folder:
                status = status_of(folder, name)
        except FileNotFoundError:
            return False
        return status is not None and version_name(status) == version

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        # Not closed here: of a caller that is cancelled, a thread may still be reading a page.
        pages = list_pages(self._folders, prefix, after, recursive)
        while page := await self._run(lambda: next(pages, None)):
            yield page

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return await self._run(partial(self._delete, keys))

    def _delete(self, keys: Sequence[str]) -> DeleteReport:
        by_folder: dict[tuple[str, ...], dict[str, str]] = {}
        for key in keys:
            parts, name = split_key(key)
            by_folder.setdefault(parts, {})[name] = key
        versioned = self._versions.kept()
        failed: dict[str, Exception] = {}
        for parts, names in by_folder.items():
            undone = dict(names)
            try:
                with translated("/".join(parts)), self._folders.opened(parts) as folder:
                    self._delete_in(folder, undone, failed, versioned)
                self._folders.remove_if_empty(parts)
            except NotFound:
                continue
            except (OSError, CheckpointError) as error:
                failed.update(dict.fromkeys(undone.values(), error))
        return DeleteReport([key for key in keys if key not in failed], failed)

    def _delete_in(
        self, folder: int, names: dict[str, str], failed: dict[str, Exception], versioned: bool
    ) -> None:
        with locked(folder):
            for name, key in tuple(names.items()):
                try:
                    self._folders.check_case(folder, name, reading=True)
                    if versioned:
                        now_ns = _nanoseconds(self._now())
                        self._versions.retire(folder, name, key, now_ns)
                    else:
                        os.unlink(name, dir_fd=folder)
                except (FileNotFoundError, IsADirectoryError):
                    pass  # a folder of that name is no object
                except OSError as error:
                    failed[key] = local_error(error, key)
                del names[name]
        self._folders.sync(folder)

    async def now(self) -> datetime:
        return await self._run(self._now)

    def _now(self) -> datetime:
        if self._clock is not None:
            return self._clock.now()
        # The disk may be another machine's: what counts is the time that it gives to files.
        with (
            translated(self.url),
            self._folders.made(()) as root,
            drafted(root, self.url, b"", lambda file_ns: file_ns) as draft,
        ):
            return datetime.fromtimestamp(draft.status.st_mtime_ns / 1e9, UTC)

    async def keeps_versions(self) -> bool:
        return await self._run(self._versions.kept)

    async def enable_versions(self) -> None:
        with translated(self.url):
            await self._run(self._versions.enable)

    async def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        versions = self._versions.listed(prefix)
        while page := await self._run(lambda: list(islice(versions, _PAGE))):
            yield [version for group in page for version in group]

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        return await self._run(partial(self._delete_versions, versions))

    def _delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        failed: dict[str, Exception] = {}
        for key, version in versions:
            try:
                with translated(key):
                    self._versions.delete(key, version)
            except (OSError, CheckpointError) as error:
                failed[key] = error
        keys = dict.fromkeys(key for key, _ in versions)
        return DeleteReport([key for key in keys if key not in failed], failed)

    async def leftovers(self, older_than: datetime) -> Sequence[str]:
        return await self._run(lambda: list(temporary_files(self._folders, (), older_than)))

    async def remove_leftovers(self, names: Sequence[str]) -> None:
        await self._run(partial(self._remove_leftovers, names))

    def _remove_leftovers(self, names: Sequence[str]) -> None:
        for path in names:
            *parts, name = path.split("/")
            with translated(path):
                try:
                    with self._folders.opened(tuple(parts)) as folder:
                        os.unlink(name, dir_fd=folder)
                    self._folders.remove_if_empty(tuple(parts))
                except FileNotFoundError:
                    continue


def _version_file(version: str, key: str) -> str:
    if not version.isalnum():
        raise NotFound(f"no version {version} of {key}", key=key)
    return f"{version}.v"


def _info(key: str, status: os.stat_result, versioned: bool) -> ObjectInfo:
    return object_info(key, status, version_name(status) if versioned else None)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6) * 1000
