"""Who may touch what of a spool: locks that end with the process that holds them."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import Protocol

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import LocalStorageError
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.local_errors import translated

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
# Seconds between two looks at a lock, and until a waiter gives up.
_LOOK_AGAIN = 0.02
_DEADLINE = 120.0


class SpoolLocks(Protocol):
    """Two kinds of locks, both among processes and inside one."""

    def hold(self, names: Collection[str]) -> AbstractAsyncContextManager[None]:
        """Inside the block nobody else moves or removes what is in these top-level folders."""
        ...

    def own(self) -> AbstractContextManager[bool]:
        """Whether the caller is the only drainer while the block runs. Does not wait."""
        ...


class FolderLocks(SpoolLocks):
    """Locks (``flock``) on small files in ``folder``; a process that dies lets go of its own.

    Names share 256 files by their digest, so that no file has to be removed while it is waited
    for; two names that share one only wait a little longer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        deadline: float = _DEADLINE,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Clock = system_clock,
    ) -> None:
        self._folder = folder
        self._deadline = deadline
        self._sleep = sleep
        self._clock = clock

    @asynccontextmanager
    async def hold(self, names: Collection[str]) -> AsyncGenerator[None]:
        ends = self._clock.monotonic() + self._deadline
        with ExitStack() as held:
            # In one order for everybody, so that nobody waits in a circle.
            for file in sorted({sha256_hex(name.encode())[:2] for name in names}):
                descriptor = held.enter_context(self._opened(file))
                while not _locked(descriptor):
                    if self._clock.monotonic() > ends:
                        raise LocalStorageError(
                            f"{self._folder / file} stayed locked for {self._deadline:g} s",
                            hint="another process moves or deletes this session; try again",
                        )
                    await self._sleep(_LOOK_AGAIN)
            yield

    @contextmanager
    def own(self) -> Generator[bool]:
        with self._opened("drain") as descriptor:
            yield _locked(descriptor)

    @contextmanager
    def _opened(self, name: str) -> Generator[int]:
        path = self._folder / name
        with translated(str(path)):
            make_private(self._folder)
            descriptor = os.open(path, _FLAGS, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Whether the file could be locked; then it is until it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def make_private(folder: Path) -> None:
    """The folder is there; it and all parents that were missing are the owner's alone."""
    missing = [folder, *folder.parents]
    for parent in reversed([path for path in missing if not path.exists()]):
        parent.mkdir(mode=0o700, exist_ok=True)
