"""Every session that others drive is asked for once, whatever order Browserbase tells them in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.collection.session_watch import MARGIN, Asked, find_sessions

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUERY = "user_metadata['team']:'a'"


@dataclass
class Session:
    """What the SDK tells, as far as it is looked at."""

    id: str
    status: str = "RUNNING"
    age: timedelta = timedelta()
    user_metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def created_at(self) -> datetime:
        return NOW - self.age


def look(listed: list[Session], asked: Asked, *, limit: int = 20) -> tuple[list[str], Asked]:
    chosen, asked = find_sessions(listed, asked, limit=limit, now=NOW)
    # As the next tick gets it.
    return [each.id for each in chosen], Asked.from_cursor(asked.to_cursor(), QUERY)


def test_each_is_asked_for_once_also_when_it_has_ended_by_then():
    ids, asked = look([Session("a"), Session("b", "COMPLETED")], Asked(QUERY))
    assert ids == ["a", "b"]
    assert look([Session("a", "COMPLETED"), Session("b", "COMPLETED")], asked)[0] == []


def test_our_own_and_those_that_only_begin_are_left_alone():
    ours = Session("o", user_metadata={"checkpoint_assets": "1"})
    ids, asked = look([ours, Session("p", "PENDING")], Asked(QUERY))
    assert ids == []
    assert look([ours, Session("p")], asked)[0] == ["p"]


def test_those_that_run_come_first_and_the_rest_in_later_looks():
    old = [Session(f"e{n}", "COMPLETED", timedelta(days=9 - n)) for n in range(3)]
    listed = [*old, Session("r")]
    first, asked = look(listed, Asked(QUERY), limit=2)
    second, asked = look(listed, asked, limit=2)
    assert (first, second) == (["r", "e0"], ["e1", "e2"])
    assert look(listed, asked)[0] == []


def test_one_that_is_listed_late_is_not_missed():
    _, asked = look([Session("new")], Asked(QUERY))
    late = Session("late", age=MARGIN / 2)
    assert look([Session("new"), late], asked)[0] == ["late"]


def test_the_cursor_does_not_grow_with_what_is_long_gone():
    listed = [Session(f"s{n}", "COMPLETED", timedelta(days=1 + n)) for n in range(50)]
    _, asked = look(listed, Asked(QUERY), limit=50)
    assert asked.ids == frozenset()
    assert look(listed, asked)[0] == []


@pytest.mark.parametrize("cursor", [None, "", "{}", "[1]", '{"query": 1, "until": 2, "ids": 3}'])
def test_a_cursor_that_is_none_of_ours_begins_anew(cursor: str | None):
    assert Asked.from_cursor(cursor, QUERY) == Asked(QUERY)


def test_another_query_begins_anew():
    _, asked = look([Session("a")], Asked(QUERY))
    assert Asked.from_cursor(asked.to_cursor(), "*") == Asked("*")
