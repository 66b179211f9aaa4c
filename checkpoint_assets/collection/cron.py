"""Cron schedules: five fields, of a form that every cron reads the same way."""

from __future__ import annotations

import re
from datetime import datetime

from checkpoint_assets.model.errors import InvalidInput

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {name: number for number, name in enumerate(_MONTHS, 1)}
_WEEKDAY_NAMES = {name: number for number, name in enumerate(_WEEKDAYS)}
# Name, least, most, words instead of numbers.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _NAMES),
    ("day of week", 0, 7, _WEEKDAY_NAMES),
)
_PART = re.compile(r"(\*|\w{1,3})(?:-(\w{1,3}))?(?:/([0-9]{1,2}))?", re.ASCII)
_LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_cron(text: str) -> str:
    """The schedule with single spaces. Raises ``InvalidInput`` if it is none or has no date."""
    fields = text.split()
    if len(fields) != 5:
        raise InvalidInput(
            f"a cron schedule has 5 fields, not {len(fields)}",
            hint="minute, hour, day of month, month, day of week: '0 * * * *'",
        )
    _, _, days, months, _ = (
        _values(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)
    )
    possible = any(day <= _LONGEST_MONTHS[month - 1] for day in days for month in months)
    if not possible:
        raise InvalidInput(f"{text!r} has no possible date", hint="no such month has such a day")
    return " ".join(fields)


def is_due(text: str, moment: datetime) -> bool:
    """Whether the schedule names the minute of ``moment``, in the time zone that it is in.

    As in every cron, a day of month and a day of week that are both given need not both fit. An
    hour that the clocks leave out has no minutes, and one that they repeat counts the first time.
    """
    if moment.fold:
        return False
    fields = check_cron(text).split()
    minutes, hours, days, months, weekdays = (
        _values(field, *rule) for field, rule in zip(fields, _FIELDS, strict=True)
    )
    day_fits = moment.day in days
    weekday_fits = bool({moment.isoweekday() % 7, moment.isoweekday()} & weekdays)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return (
        moment.minute in minutes
        and moment.hour in hours
        and moment.month in months
        and (day_fits or weekday_fits if either else day_fits and weekday_fits)
    )


def _values(field: str, name: str, low: int, high: int, words: dict[str, int]) -> set[int]:
    values: set[int] = set()
    for part in field.split(","):
        found = _PART.fullmatch(part)
        if not found:
            raise InvalidInput(
                f"{part[:50]!r} is no cron {name}", hint=f"{low}-{high}, *, */n, a-b"
            )
        first, last, step = found.groups()
        if first == "*" and not last:
            begin, end = low, high
        else:
            begin = _number(first, name, low, high, words)
            end = _number(last, name, low, high, words) if last else begin
        if step and first != "*" and not last:
            raise InvalidInput(f"{part!r} has a step but no range", hint=f"{first}-{high}/{step}")
        if end < begin:
            raise InvalidInput(f"{part!r} is an empty range of cron {name}s")
        if step and not 1 <= int(step) <= high - low:
            raise InvalidInput(f"{part!r} has a step that no {name} can have")
        values.update(range(begin, end + 1, int(step or 1)))
    return values


def _number(word: str, name: str, low: int, high: int, words: dict[str, int]) -> int:
    value = words.get(word.lower(), -1)
    if word.isdecimal():
        value = int(word)
    if not low <= value <= high:
        raise InvalidInput(f"{word!r} is no cron {name}", hint=f"{low} to {high}")
    return value
