"""What the operating system's errors mean to a caller."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager

from checkpoint_assets.model.errors import LocalStorageError, NotFound, StorageFull

_FULL = frozenset([errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
_HINTS = {
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: "give this process's user access to the folder",
    errno.EPERM: "give this process's user access to the folder",
    errno.ELOOP: "symbolic links inside the store are refused",
    errno.ENOTDIR: "a file or a symbolic link is where a folder of the store should be",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "the disk may be failing",
}


@contextmanager
def translated(key: str) -> Generator[None]:
    """Turns each ``OSError`` into ``NotFound``, ``StorageFull`` or ``LocalStorageError``."""
    try:
        yield
    except LocalStorageError:
        raise
    except FileNotFoundError as error:
        if isinstance(error, NotFound):
            raise
        raise NotFound(f"no object {key}", key=key) from error
    except FileExistsError:
        raise
    except OSError as error:
        raise local_error(error, key) from error


def local_error(error: OSError, key: str) -> LocalStorageError:
    """The typed error for what the operating system said about ``key``."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return StorageFull(f"no space left to write {key}: {reason}", key=key)
    hint = _HINTS.get(error.errno or 0)
    return LocalStorageError(f"{key}: {reason}", key=key, hint=hint)
