"""Lists a local store in the order of keys, a page at a time."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

from checkpoint_assets.storage.folders import TEMPORARY, Folders
from checkpoint_assets.storage.local_errors import translated
from checkpoint_assets.storage.store import ObjectInfo, Page

PAGE = 1000
_GONE = FileNotFoundError


def list_pages(
    folders: Folders, prefix: str, after: str | None, recursive: bool
) -> Generator[Page]:
    """The pages of ``Store.list``, without empty ones."""
    objects: list[ObjectInfo] = []
    names: list[str] = []
    for found in _walk(folders, prefix, after, recursive):
        if isinstance(found, str):
            names.append(found)
        else:
            objects.append(found)
        if len(objects) + len(names) >= PAGE:
            yield Page(objects, names)
            objects, names = [], []
    if objects or names:
        yield Page(objects, names)


def _walk(
    folders: Folders, prefix: str, after: str | None, recursive: bool
) -> Iterator[ObjectInfo | str]:
    parts = tuple(prefix.split("/")[:-1])
    # Only names are held of a large folder; what else there is to know is asked page by page.
    names = _sorted_names(folders, parts, prefix)
    for begin in range(0, len(names), PAGE):
        page = names[begin : begin + PAGE]
        found = _infos(folders, parts, prefix, [name for name in page if name[-1] != "/"])
        for name in page:
            key = prefix + name
            if name[-1] != "/":
                if name in found and (after is None or key > after):
                    yield found[name]
            elif recursive:
                if after is None or key > after or after.startswith(key):
                    yield from _walk(folders, key, after, recursive)
            elif (after is None or key > after) and _has_object(folders, (*parts, name[:-1])):
                yield key


def _sorted_names(folders: Folders, parts: tuple[str, ...], prefix: str) -> list[str]:
    """Names of files and, with a final slash, of folders; no links, none that begins with a dot."""
    with translated(prefix or "/"):
        try:
            with folders.opened(parts) as folder, os.scandir(folder) as scan:
                names = [
                    f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
                    for entry in scan
                    if entry.name[0] != "." and not entry.is_symlink()
                ]
        except _GONE:
            return []
    # With the slash on, the order of siblings is the order of all keys below them.
    names.sort(key=os.fsencode)
    return names


def _infos(
    folders: Folders, parts: tuple[str, ...], prefix: str, names: list[str]
) -> dict[str, ObjectInfo]:
    found: dict[str, ObjectInfo] = {}
    with translated(prefix or "/"):
        try:
            with folders.opened(parts) as folder:
                for name in names:
                    try:
                        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if modes.S_ISREG(status.st_mode):
                        found[name] = object_info(prefix + name, status)
        except _GONE:
            return {}
    return found


def _has_object(folders: Folders, parts: tuple[str, ...]) -> bool:
    below: list[str] = []
    with translated("/".join(parts)):
        try:
            with folders.opened(parts) as folder, os.scandir(folder) as scan:
                for entry in scan:
                    if entry.name[0] == ".":
                        continue
                    if entry.is_file(follow_symlinks=False):
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
        except _GONE:
            return False
    return any(_has_object(folders, (*parts, name)) for name in below)


def etag(status: os.stat_result) -> str:
    """Changes with every write: inode, time in nanoseconds and size of the file."""
    return f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'


def object_info(key: str, status: os.stat_result, version: str | None = None) -> ObjectInfo:
    """What the file system knows of an object. It keeps no digest and no media type."""
    modified = datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
    return ObjectInfo(key, status.st_size, modified, etag(status), version)


def temporary_files(
    folders: Folders, parts: tuple[str, ...], older_than: datetime
) -> Iterator[str]:
    """The paths of temporary files that were begun before, also among the versions."""
    below: list[str] = []
    with translated("/".join(parts) or "/"):
        try:
            with folders.opened(parts) as folder, os.scandir(folder) as scan:
                for entry in scan:
                    if entry.is_dir(follow_symlinks=False):
                        below.append(entry.name)
                    elif entry.name.startswith(TEMPORARY):
                        status = entry.stat(follow_symlinks=False)
                        if datetime.fromtimestamp(status.st_mtime, UTC) < older_than:
                            yield "/".join((*parts, entry.name))
        except _GONE:
            return
    for name in below:
        yield from temporary_files(folders, (*parts, name), older_than)
