"""A file of the local store on its way to its name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from checkpoint_assets.model.errors import LocalStorageError
from checkpoint_assets.storage.folders import TEMPORARY

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Makes the time stamp of a file, in nanoseconds, from the one that the file system gave it.
Stamp = Callable[[int], int]


class Draft:
    """A temporary file with these bytes; synced, then published, and dropped in any case."""

    def __init__(self, folder: int, key: str, data: bytes, stamp: Stamp) -> None:
        self.name = TEMPORARY + secrets.token_hex(8)
        self._folder = folder
        self._descriptor = os.open(self.name, _CREATE, 0o600, dir_fd=folder)
        try:
            self.status = self._write(key, data, stamp)
        except BaseException:
            self.drop()
            raise

    def _write(self, key: str, data: bytes, stamp: Stamp) -> os.stat_result:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        status = os.fstat(self._descriptor)
        if status.st_size != len(data):
            raise LocalStorageError(f"{key}: wrote {status.st_size} of {len(data)} bytes", key=key)
        time_ns = stamp(status.st_mtime_ns)
        os.utime(self._descriptor, ns=(time_ns, time_ns))
        return os.fstat(self._descriptor)

    def sync(self) -> None:
        """The bytes are durable."""
        # After a failed fsync they are unknown: the file is dropped, never synced again.
        os.fsync(self._descriptor)

    def publish(self, name: str) -> None:
        """It has its name. Raises ``FileExistsError`` if something else has it."""
        os.link(self.name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def drop(self) -> None:
        """The temporary file is gone; what it was published as stays."""
        os.close(self._descriptor)
        with suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self._folder)


@contextmanager
def drafted(folder: int, key: str, data: bytes, stamp: Stamp) -> Generator[Draft]:
    """A synced draft, which is dropped afterwards."""
    draft = Draft(folder, key, data, stamp)
    try:
        draft.sync()
        yield draft
    finally:
        draft.drop()
