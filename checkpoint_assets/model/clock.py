"""The one place that knows the time. All datetimes are aware and in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time and a monotonic time. Passed in, so tests never patch time."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is told to move."""

    def __init__(self, start: datetime) -> None:
        self._now = to_utc(start)
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        self._now += by
        self._monotonic += by.total_seconds()


system_clock = SystemClock()


def to_utc(moment: datetime) -> datetime:
    """The same moment, aware and in UTC; a naive datetime is taken as local time."""
    return moment.astimezone(UTC)


def isoformat(moment: datetime) -> str:
    """``2026-01-31T09:30:00.123456Z``: fixed width, so that text order is time order."""
    # Not strftime: on Linux its %Y is not padded.
    return to_utc(moment).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_isoformat(text: str) -> datetime:
    """The inverse of :func:`isoformat`; accepts any ISO 8601 offset. Raises ``ValueError``."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as err:
        raise ValueError(f"{text!r} is outside the years 1 to 9999 in UTC") from err
