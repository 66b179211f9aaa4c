"""Single files of the local store, by folder descriptor and name."""

from __future__ import annotations

import fcntl
import os
import stat as modes
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from checkpoint_assets.model.errors import InvalidInput, LocalStorageError, NotFound
from checkpoint_assets.storage.local_listing import etag

CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def split_key(key: str) -> tuple[tuple[str, ...], str]:
    """The folders of a key and its file name; refuses all that is no plain name."""
    *folders, name = key.split("/")
    for part in (*folders, name):
        if not part or part[0] == "." or "\0" in part or "\\" in part:
            raise InvalidInput(f"{key!r} cannot be a key", key=key)
    return tuple(folders), name


@contextmanager
def opened_file(folder: int, name: str, key: str) -> Generator[int]:
    """A descriptor of the regular file. Raises ``NotFound`` for anything else that is there."""
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        # A pipe or a device that was put there is no object; O_NONBLOCK keeps us from waiting.
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotFound(f"no object {key}", key=key)
        yield descriptor
    finally:
        os.close(descriptor)


def read_all(descriptor: int, key: str) -> bytes:
    """All bytes of the file."""
    size = os.fstat(descriptor).st_size
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    if len(data) != size:
        raise LocalStorageError(f"{key}: read {len(data)} of {size} bytes", key=key)
    return data


def read_chunks(descriptor: int, key: str, start: int, length: int | None) -> Iterator[bytes]:
    """The bytes of a range, a MiB at a time."""
    size = os.fstat(descriptor).st_size
    end = size if length is None else min(size, start + length)
    while start < end:
        chunk = os.pread(descriptor, min(CHUNK, end - start), start)
        if not chunk:
            raise LocalStorageError(f"{key}: cut short at byte {start}", key=key)
        start += len(chunk)
        yield chunk


@contextmanager
def locked(folder: int) -> Generator[None]:
    """Nobody else, in this process or another, is between comparing and changing a file here."""
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def status_of(folder: int, name: str) -> os.stat_result | None:
    """What the file system says of the name; ``None`` if it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def etag_of(folder: int, name: str) -> str | None:
    """The etag of the file; ``None`` if it is not there."""
    status = status_of(folder, name)
    return etag(status) if status else None
