"""The ``Range`` header of a request (RFC 9110, section 14), one range at most."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


def byte_range(header: str | None, size: int) -> tuple[int, int, bool] | None:
    """Start, length, and whether it is a part; ``None`` for one that lies outside.

    What cannot be understood, and more than one range, is answered with the whole.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or not (found[1] or found[2]):
        return 0, size, False
    if not found[1]:
        length = min(int(found[2]), size)
        return (size - length, length, True) if length else None
    start = int(found[1])
    end = min(int(found[2]), size - 1) if found[2] else size - 1
    if found[2] and int(found[2]) < start:
        return 0, size, False
    return (start, end - start + 1, True) if start < size else None
