"""Versions in a folder, with the meaning that S3 gives to them.

What is replaced or deleted moves to ``.versions/{key}/{version}.v``; a delete leaves a marker,
``{version}.deleted``. A version is named by the time of its file in nanoseconds, so the name of
the current one is known without a file, and sorts by age. Versions are kept iff the folder
``.versions`` is there.
"""

from __future__ import annotations

import heapq
import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from checkpoint_assets.storage.folders import TEMPORARY, Folders
from checkpoint_assets.storage.local_errors import translated
from checkpoint_assets.storage.local_files import locked, split_key, status_of
from checkpoint_assets.storage.local_listing import etag, list_pages, object_info
from checkpoint_assets.storage.store import ObjectVersion

FOLDER = ".versions"
_KEPT = ".v"
_DELETED = ".deleted"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that is not the current one, or a delete marker."""

    version: str
    deleted: bool
    size: int
    etag: str
    modified: datetime

    @property
    def file(self) -> str:
        return self.version + (_DELETED if self.deleted else _KEPT)


def version_name(status: os.stat_result) -> str:
    """The name of the version that a file is."""
    return f"{status.st_mtime_ns:016x}"


class VersionFolder:
    """The folder ``.versions`` of a store."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def kept(self) -> bool:
        """Whether versions are kept."""
        return self._folders.has(FOLDER)

    def enable(self) -> None:
        """Versions are kept from now on."""
        with self._folders.made((FOLDER,)):
            return

    def parts(self, key: str) -> tuple[str, ...]:
        """The folder of a key's versions."""
        return (FOLDER, *key.split("/"))

    def entries(self, key: str) -> list[Entry]:
        """Versions and markers of the key without the current one, the newest first."""
        found: list[Entry] = []
        with suppress(FileNotFoundError), self._folders.opened(self.parts(key)) as folder:
            with os.scandir(folder) as scan:
                names = [entry.name for entry in scan if entry.name.endswith((_KEPT, _DELETED))]
            for name in names:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                modified = datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
                version, deleted = name.partition(".")[0], name.endswith(_DELETED)
                found.append(Entry(version, deleted, status.st_size, etag(status), modified))
        found.sort(key=lambda entry: entry.version, reverse=True)
        return found

    def newest(self, key: str) -> int:
        """The time of the newest entry, in nanoseconds; 0 where there is none."""
        entries = self.entries(key)
        return int(entries[0].version, 16) if entries else 0

    def keep(self, folder: int, name: str, key: str) -> None:
        """The current file of the key, if there is one, is a version too."""
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return
        with self._folders.made(self.parts(key)) as versions:
            with suppress(FileExistsError):
                os.link(
                    name,
                    version_name(status) + _KEPT,
                    src_dir_fd=folder,
                    dst_dir_fd=versions,
                    follow_symlinks=False,
                )
            self._folders.sync(versions)

    def retire(self, folder: int, name: str, key: str, now_ns: int) -> None:
        """The current file of the key is a version only; a marker says when it was deleted."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        marker = max(now_ns, status.st_mtime_ns + 1, self.newest(key) + 1)
        with self._folders.made(self.parts(key)) as versions:
            os.rename(name, version_name(status) + _KEPT, src_dir_fd=folder, dst_dir_fd=versions)
            temporary = TEMPORARY + secrets.token_hex(8)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, 0o600, dir_fd=versions)
            try:
                os.utime(descriptor, ns=(marker, marker))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            file = f"{marker:016x}{_DELETED}"
            os.rename(temporary, file, src_dir_fd=versions, dst_dir_fd=versions)
            self._folders.sync(versions)

    def remove(self, key: str, version: str) -> None:
        """The version is gone for good. Absent is fine."""
        parts = self.parts(key)
        with suppress(FileNotFoundError), self._folders.opened(parts) as versions:
            for kind in (_KEPT, _DELETED):
                with suppress(FileNotFoundError):
                    os.unlink(version + kind, dir_fd=versions)
            self._folders.sync(versions)
        self._tidy(parts)

    def promote(self, folder: int, name: str, key: str) -> None:
        """With the current file and all markers above it gone, the newest version is current."""
        entries = self.entries(key)
        if not entries or entries[0].deleted:
            return
        parts = self.parts(key)
        with self._folders.opened(parts) as versions:
            os.rename(entries[0].file, name, src_dir_fd=versions, dst_dir_fd=folder)
            self._folders.sync(folder)
            self._folders.sync(versions)
        self._tidy(parts)

    def _tidy(self, parts: tuple[str, ...]) -> None:
        # The folder itself stays: it says that versions are kept.
        self._folders.remove_if_empty(parts, keep=1)

    def delete(self, key: str, version: str) -> None:
        """The version is gone for good; if it was the current one, the one before is current."""
        parts, name = split_key(key)
        with self._folders.made(parts) as folder, locked(folder):
            status = status_of(folder, name)
            if status and version_name(status) == version:
                os.unlink(name, dir_fd=folder)
                self._folders.sync(folder)
                status = None
            self.remove(key, version)
            if status is None:
                self.promote(folder, name, key)
        self._folders.remove_if_empty(parts)

    def listed(self, prefix: str) -> Iterator[list[ObjectVersion]]:
        """All versions of each key that starts with ``prefix``, key by key, in order."""
        folder, slash, _ = prefix.rpartition("/")
        current = (
            info.key
            for page in list_pages(self._folders, folder + slash, None, True)
            for info in page.objects
            if info.key.startswith(prefix)
        )
        with translated(prefix):
            for key, _ in groupby(heapq.merge(current, self.keys(prefix))):
                yield self._of_key(key)

    def _of_key(self, key: str) -> list[ObjectVersion]:
        parts, name = split_key(key)
        status: os.stat_result | None = None
        with suppress(FileNotFoundError), self._folders.opened(parts) as folder:
            status = status_of(folder, name)
        found: list[ObjectVersion] = []
        if status:
            info = object_info(key, status, version_name(status))
            name = version_name(status)
            found.append(ObjectVersion(key, name, info.modified, info.size, True, False, info.etag))
        for entry in self.entries(key):
            if found and found[0].version == entry.version:
                continue  # a replace that was cut short: the file is current and kept already
            found.append(
                ObjectVersion(
                    key,
                    entry.version,
                    entry.modified,
                    entry.size,
                    not found,
                    entry.deleted,
                    entry.etag,
                )
            )
        return found

    def keys(self, prefix: str) -> Generator[str]:
        """All keys that have versions besides the current one, in order."""
        folder, _, _ = prefix.rpartition("/")
        inside = tuple(folder.split("/")) if folder else ()
        for key in self._walk(inside):
            if key.startswith(prefix):
                yield key

    def _walk(self, inside: tuple[str, ...]) -> Generator[str]:
        try:
            with self._folders.opened((FOLDER, *inside)) as folder:
                names = [e.name for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return
        # A name may be a key and a folder; each sorts at its own place.
        for name in sorted([*names, *(f"{name}/" for name in names)], key=os.fsencode):
            below = (*inside, name.removesuffix("/"))
            key = "/".join(below)
            if name.endswith("/"):
                yield from self._walk(below)
            elif self.entries(key):
                yield key
