"""Folders of the local store, reached without following a symbolic link, and made durable.

Everything is relative to open folder descriptors: a folder that is swapped for a link between two
calls cannot lead outside of the root.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from checkpoint_assets.model.errors import Conflict, NotFound

TEMPORARY = ".tmp-"
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KNOWN_FOLDERS = 4096


class FolderSync:
    """Makes a folder's entries durable; threads that ask at the same time share one fsync.

    ``fsync`` on a folder covers all renames and links that were done before it began. A caller
    that finds one running waits for the next, which then serves everyone who came meanwhile.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._started: dict[tuple[int, int], int] = {}
        self._done: dict[tuple[int, int], int] = {}
        self._waiting: dict[tuple[int, int], int] = {}

    def __call__(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        folder = (status.st_dev, status.st_ino)
        with self._condition:
            self._waiting[folder] = self._waiting.get(folder, 0) + 1
            needed = self._started.get(folder, 0) + 1
            try:
                while self._done.get(folder, 0) < needed:
                    if self._started.get(folder, 0) == self._done.get(folder, 0):
                        self._run(descriptor, folder)
                    else:
                        self._condition.wait()
            finally:
                self._waiting[folder] -= 1
                if not self._waiting[folder]:
                    for table in (self._started, self._done, self._waiting):
                        table.pop(folder, None)

    def _run(self, descriptor: int, folder: tuple[int, int]) -> None:
        # Called with the lock held; it is released while the disk works.
        turn = self._started.get(folder, 0) + 1
        self._started[folder] = turn
        self._condition.release()
        succeeded = False
        try:
            os.fsync(descriptor)
            succeeded = True
        finally:
            self._condition.acquire()
            if succeeded:
                self._done[folder] = turn
            else:
                # Nobody may take this turn for done: those who wait run one of their own.
                self._started[folder] = self._done.get(folder, 0)
            self._condition.notify_all()


class Folders:
    """The folders below one root."""

    def __init__(self, root: Path, *, ignores_case: bool | None = None) -> None:
        self._root = root
        self._ignores_case = ignores_case
        self._sync = FolderSync()
        self._lock = threading.Lock()
        self._durable: OrderedDict[tuple[str, ...], tuple[int, int]] = OrderedDict()

    def make_root(self) -> None:
        """The root exists, durably, and it is known whether its disk ignores case."""
        if not self._root.is_dir():
            missing: list[Path] = []
            folder = self._root
            while not folder.exists():
                missing.append(folder)
                folder = folder.parent
            for folder in reversed(missing):
                with suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
                with _opened(os.open(folder.parent, os.O_RDONLY | os.O_CLOEXEC)) as parent:
                    os.fsync(parent)
        if self._ignores_case is None:
            self._ignores_case = self._probe_case()

    def _probe_case(self) -> bool:
        name = f"{TEMPORARY}{secrets.token_hex(8)}-case"
        probe = self._root / name
        probe.touch(mode=0o600)
        try:
            return (self._root / name.upper()).exists()
        finally:
            probe.unlink(missing_ok=True)

    @contextmanager
    def opened(self, parts: tuple[str, ...]) -> Generator[int]:
        """A descriptor of the folder, for reading. Raises ``FileNotFoundError``."""
        descriptor = self._open_root()
        try:
            for part in parts:
                self._check_case(descriptor, part, reading=True)
                descriptor = _step_into(descriptor, part)
            yield descriptor
        finally:
            os.close(descriptor)

    def has(self, part: str) -> bool:
        """Whether the folder is there, directly below the root. Costs one look."""
        try:
            status = (self._root / part).lstat()
        except FileNotFoundError:
            return False
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
        return stat.S_ISDIR(status.st_mode)

    @contextmanager
    def made(self, parts: tuple[str, ...]) -> Generator[int]:
        """A descriptor of the folder, which exists durably, with all its parents."""
        try:
            descriptor = self._open_root()
        except FileNotFoundError:
            self.make_root()
            descriptor = self._open_root()
        try:
            for depth, part in enumerate(parts, start=1):
                self._check_case(descriptor, part, reading=False)
                made = False
                try:
                    child = os.open(part, _OPEN, dir_fd=descriptor)
                except FileNotFoundError:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=descriptor)
                        made = True
                    child = os.open(part, _OPEN, dir_fd=descriptor)
                try:
                    self._make_durable(descriptor, child, parts[:depth], made)
                except BaseException:
                    os.close(child)
                    raise
                os.close(descriptor)
                descriptor = child
            yield descriptor
        finally:
            os.close(descriptor)

    def sync(self, descriptor: int) -> None:
        """What was linked, renamed or removed in the folder before the call is durable now."""
        self._sync(descriptor)

    def check_case(self, descriptor: int, name: str, *, reading: bool) -> None:
        """The name, and none that differs from it only in case, is meant by the disk."""
        self._check_case(descriptor, name, reading=reading)

    def remove_if_empty(self, parts: tuple[str, ...], keep: int = 0) -> None:
        """Empty folders go, from the innermost out; the outermost ``keep`` stay in any case."""
        for depth in range(len(parts), keep, -1):
            with self._lock:
                self._durable.pop(parts[:depth], None)
            try:
                with self.opened(parts[: depth - 1]) as parent:
                    os.rmdir(parts[depth - 1], dir_fd=parent)
                    self.sync(parent)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    return
                raise

    def _open_root(self) -> int:
        # The root itself may be a link: it is the user's own choice of a place.
        return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _make_durable(
        self, parent: int, child: int, path: tuple[str, ...], just_made: bool
    ) -> None:
        # Another thread or process may have made the folder and not have synced it yet, so the
        # first use of a folder syncs its parent, whoever made it.
        status = os.fstat(child)
        identity = (status.st_dev, status.st_ino)
        with self._lock:
            known = self._durable.get(path) == identity
        if known and not just_made:
            return
        self.sync(parent)
        with self._lock:
            self._durable[path] = identity
            self._durable.move_to_end(path)
            while len(self._durable) > _KNOWN_FOLDERS:
                self._durable.popitem(last=False)

    def _check_case(self, descriptor: int, name: str, *, reading: bool) -> None:
        if not self._ignores_case:
            return
        folded = name.casefold()
        for entry in os.listdir(descriptor):
            if entry != name and entry.casefold() == folded:
                if reading:
                    raise NotFound(f"no object {name}; there is {entry}", key=name)
                raise Conflict(
                    f"{name} differs only in case from {entry}",
                    key=name,
                    hint="this disk ignores case; choose another id",
                )


def _step_into(descriptor: int, part: str) -> int:
    """The folder below. Raises ``FileNotFoundError`` where there is none, or a file."""
    try:
        child = os.open(part, _OPEN, dir_fd=descriptor)
    except NotADirectoryError as error:
        status = os.stat(part, dir_fd=descriptor, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part) from error
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), part) from error
    os.close(descriptor)
    return child


@contextmanager
def _opened(descriptor: int) -> Generator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
