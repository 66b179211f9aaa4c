"""Durations as people write them in a file: ``90s``, ``15min``, ``12h``, ``30d``, ``2w``."""

from __future__ import annotations

import re
from datetime import timedelta

from checkpoint_assets.model.errors import InvalidInput

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PATTERN = re.compile(r"([1-9][0-9]{0,9}) ?(s|min|h|d|w)", re.ASCII)
LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """The duration, more than 0 and at most 100 years. Raises ``InvalidInput``."""
    found = _PATTERN.fullmatch(text)
    if not found:
        raise InvalidInput(
            f"{text[:50]!r} is no duration",
            hint="a whole number and s, min, h, d or w: 30d",
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST.total_seconds():
        raise InvalidInput(f"{text!r} is more than 100 years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The duration in the largest unit that gives a whole number; the inverse of parsing it."""
    seconds = int(duration.total_seconds())
    for unit in ("d", "h", "min"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
