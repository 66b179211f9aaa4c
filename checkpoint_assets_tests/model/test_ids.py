"""Ids: one pattern, checked once; session ids that sort by the time they were made."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import InvalidId
from checkpoint_assets.model.ids import (
    DEVICE_NAMES,
    SessionIds,
    parse_scenario_name,
    parse_session_id,
    parse_step_id,
    step_id,
)

PARSERS = [parse_session_id, parse_step_id, parse_scenario_name]
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("value", ["a", "7", "0001-goto", "Case_Matters", "a--b__c", "x" * 96])
def test_a_good_id_comes_back_unchanged(parse, value: str):
    assert parse(value) == value


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "value",
    [
        *("", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..%2f", "%2e%2e"),
        *("a\x00b", "abc\n", "\nabc", " abc", "abc ", "a\tb", "x" * 97, "x" * 2000),
        *("é", "e\u0301", "ſ", "Ａ", "a\u202eb", "a\u200bb", "😀", "٣", "\ud800"),
        *("step.html", "x.action", "_session", "_catalog", "-rf", "--help", "a-", "a_"),
        *("*", "?", "${HOME}", "{{x}}", "$(id)", "a b", "a:b", "~"),
    ],
)
def test_everything_outside_the_pattern_is_refused(parse, value: str):
    with pytest.raises(InvalidId, match="invalid"):
        parse(value)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("value", ["con", "NUL", "Aux", "prn", "com1", "LPT9"])
def test_names_of_windows_devices_are_refused_in_any_case(parse, value: str):
    with pytest.raises(InvalidId, match="Windows"):
        parse(value)


@pytest.mark.parametrize("value", ["com10", "console", "nul-1"])
def test_names_that_only_begin_like_a_device_are_fine(value: str):
    assert parse_step_id(value) == value


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("value", [5, None, True, b"abc", ["abc"], uuid.uuid4()])
def test_what_is_no_text_is_refused_by_its_type(parse, value: object):
    with pytest.raises(InvalidId, match=type(value).__name__):
        parse(value)


def test_a_refused_id_is_quoted_and_cut_short():
    with pytest.raises(InvalidId) as caught:
        parse_session_id("\x1b[31m" + "x" * 5000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.text(ALPHABET + "_-", min_size=1, max_size=98))
def test_the_pattern_is_what_its_description_says(value: str):
    good = len(value) <= 96 and value[0] in ALPHABET and value[-1] in ALPHABET
    if good and value.lower() not in DEVICE_NAMES:
        assert parse_session_id(value) == value
    else:
        with pytest.raises(InvalidId):
            parse_session_id(value)


def test_a_session_id_is_a_uuid_of_version_7_with_its_time():
    moment = datetime(2026, 1, 31, 9, 30, 0, 123_000, tzinfo=UTC)
    number = uuid.UUID(SessionIds(ManualClock(moment)).new())
    assert number.version == 7
    assert number.variant == uuid.RFC_4122
    assert number.int >> 80 == int(moment.timestamp() * 1000)


def test_a_session_id_is_a_good_id():
    made = SessionIds().new()
    assert parse_session_id(made) == made
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made)


def test_ids_of_one_millisecond_sort_in_the_order_they_were_made():
    ids = SessionIds(ManualClock(datetime(2026, 1, 31, tzinfo=UTC)))
    # More than the 12 bits of a sequence number: the time goes on by itself.
    made = [ids.new() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_ids_sort_by_time():
    clock = ManualClock(datetime(2026, 1, 31, tzinfo=UTC))
    ids = SessionIds(clock)
    made = []
    for _ in range(100):
        made.append(ids.new())
        clock.advance(timedelta(milliseconds=1))
    assert made == sorted(made)


def test_a_clock_that_is_set_back_never_makes_an_older_id():
    clock = ManualClock(datetime(2026, 1, 31, tzinfo=UTC))
    ids = SessionIds(clock)
    first = ids.new()
    clock.advance(timedelta(hours=-1))
    assert ids.new() > first


def test_many_threads_never_get_the_same_id_and_each_sees_them_grow():
    ids = SessionIds()
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine: list[str]) -> None:
        mine.extend(ids.new() for _ in range(2000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len({each for mine in made for each in mine}) == 16_000


def test_two_sources_of_ids_do_not_meet():
    clock = ManualClock(datetime(2026, 1, 31, tzinfo=UTC))
    one, other = SessionIds(clock), SessionIds(clock)
    assert not {one.new() for _ in range(1000)} & {other.new() for _ in range(1000)}


def test_step_ids_sort_in_the_order_of_the_steps():
    made = [step_id(n, "goto" if n % 2 else "wait_for") for n in (1, 2, 10, 99, 1000, 9999)]
    assert made[:2] == ["0001-goto", "0002-wait-for"]
    assert made == sorted(made)


@pytest.mark.parametrize("ordinal", [0, -1, 10_000])
def test_a_step_number_that_would_not_sort_is_refused(ordinal: int):
    with pytest.raises(InvalidId, match=str(ordinal)):
        step_id(ordinal, "goto")


def test_an_action_that_is_no_id_makes_no_step_id():
    with pytest.raises(InvalidId):
        step_id(1, "go/to")
