"""The clock: aware, in UTC, and text that sorts as time does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_assets.model.clock import (
    ManualClock,
    isoformat,
    parse_isoformat,
    system_clock,
    to_utc,
)

EARLY = datetime(1, 1, 2)  # noqa: DTZ001 (the bound of a strategy has no zone)
LATE = datetime(9999, 12, 30)  # noqa: DTZ001
moments = st.datetimes(EARLY, LATE, timezones=st.timezones() | st.just(UTC))


def test_the_system_clock_is_aware_in_utc_and_never_goes_back():
    assert system_clock.now().tzinfo is UTC
    first = system_clock.monotonic()
    assert system_clock.monotonic() >= first


def test_a_manual_clock_moves_only_when_it_is_told_to():
    clock = ManualClock(datetime(2026, 1, 31, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2026, 1, 31, tzinfo=UTC)
    clock.advance(timedelta(minutes=1))
    assert clock.now() == datetime(2026, 1, 31, 0, 1, tzinfo=UTC)
    assert clock.monotonic() == 60


def test_a_naive_moment_is_local_time():
    naive = datetime(2026, 1, 31, 12)  # noqa: DTZ001 (that is the case)
    assert to_utc(naive) == naive.astimezone()
    assert to_utc(naive).tzinfo is UTC


def test_written_time_looks_as_documented():
    moment = datetime(2026, 1, 31, 9, 30, 0, 123456, tzinfo=UTC)
    assert isoformat(moment) == "2026-01-31T09:30:00.123456Z"


@given(moments)
def test_written_time_is_read_back_as_the_same_moment(moment: datetime):
    # In UTC, for a time that a zone skips in spring is equal to nothing.
    assert parse_isoformat(isoformat(moment)) == moment.astimezone(UTC)
    assert len(isoformat(moment)) == 27


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime):
    # Compared as what they are: two moments of one zone are compared by their wall time.
    assert (isoformat(one) < isoformat(other)) == (one.astimezone(UTC) < other.astimezone(UTC))


@pytest.mark.parametrize("text", ["2026-01-31T11:30:00+02:00", "2026-01-31T09:30Z"])
def test_any_offset_is_read(text: str):
    assert parse_isoformat(text) == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-01-31T09:30:00", "2026-01-31", "", "yesterday", "2026-02-30T00:00:00Z"),
        *("2026-01-31T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_moment_is_refused(text: str):
    with pytest.raises(ValueError):  # noqa: PT011 (each has its own words)
        parse_isoformat(text)


def test_zones_far_from_utc_are_the_same_moment():
    east = datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=14)))
    assert isoformat(east) == "2026-01-31T00:00:00.000000Z"
