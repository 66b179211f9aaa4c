"""Quick looks at the folder of a spool, without going through its stores."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from checkpoint_assets.storage.folders import Folders
from checkpoint_assets.storage.local_errors import local_error, translated
from checkpoint_assets.storage.local_files import opened_file, read_all

# No spool, no such folder, or a name that no folder can have.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def read_files(root: Path, keys: Sequence[str]) -> dict[str, bytes]:
    """The bytes of those files that are there; one look at a folder serves all that are in it."""
    folders = Folders(root, ignores_case=False)
    found: dict[str, bytes] = {}
    for parent, group in groupby(sorted(keys), lambda key: key.rpartition("/")[0]):
        parts = tuple(parent.split("/"))
        with translated(parent), suppress(FileNotFoundError), folders.opened(parts) as folder:
            for key in group:
                name = key.rpartition("/")[2]
                with suppress(FileNotFoundError), opened_file(folder, name, key) as descriptor:
                    found[key] = read_all(descriptor, key)
    return found


def has_folder(path: str, name: str) -> bool:
    """Whether there is such a folder; for an empty name, whether there is any."""
    if name[:1] == "." or "\0" in name:
        return False
    try:
        if name:
            # Asked before every operation: a Path would cost more than the look itself.
            return bool(os.stat(f"{path}/{name}"))  # noqa: PTH116
        with os.scandir(path) as scan:
            return any(entry.name[0] != "." for entry in scan)
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise local_error(error, f"{path}/{name}") from error
