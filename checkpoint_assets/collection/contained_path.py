"""Finds files that a scenario names, and only below the scenario's own folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from checkpoint_assets.model.errors import InvalidInput


def contained_path(folder: Path, name: str) -> Path:
    """The existing file or folder ``name`` below ``folder``, absolute, with no link left in it.

    A link may lead to another place below the folder, never out of it. Raises ``InvalidInput``.
    """
    if "\\" in name or PurePosixPath(name).is_absolute():
        raise InvalidInput(f"{name[:200]!r} is no relative path", hint="separate folders with '/'")
    try:
        root = Path(os.path.realpath(folder, strict=True))
        target = Path(os.path.realpath(root / name, strict=True))
    except OSError as err:
        raise InvalidInput(f"{name[:200]!r} cannot be found: {err.strerror}") from err
    if not target.is_relative_to(root):
        raise InvalidInput(f"{name[:200]!r} is not below the scenario's folder")
    return target
