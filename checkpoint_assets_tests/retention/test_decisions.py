"""Decisions: the nearest rule decides, holds stand over all, and every row has a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from checkpoint_assets.catalogue.columns import SESSION_COLUMNS, SESSIONS, to_frame, to_table
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.retention.decisions import decide, summary
from checkpoint_assets.retention.policy import Policies, Policy

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def session(name: str, days: float, **more: Any) -> dict[str, Any]:
    """A session that was closed so many days ago."""
    closed = NOW - days * DAY
    row = {"session_id": name, "scenario": "a", "state": "complete", "bytes": 10, "pinned": False}
    return {**row, "started_at": closed, "closed_at": closed, **more}


def decided(
    rows: list[dict[str, Any]], *everywhere: Policy, floor: timedelta = DAY, **scenarios: Policy
) -> pd.DataFrame:
    return decide(to_frame(to_table(rows, SESSIONS)), Policies(everywhere, scenarios), NOW, floor)


def doomed(rows: list[dict[str, Any]], *everywhere: Policy, **more: Any) -> list[str]:
    frame = decided(rows, *everywhere, **more)
    return list(frame.loc[frame["decision"] == "delete", "session_id"])


MONTH = Policy(name="month", keep_for=30 * DAY)
OLD = [session("young", 29), session("old", 31), session("older", 90)]


def test_without_a_policy_everything_is_kept_and_says_so() -> None:
    frame = decided(OLD)
    assert set(frame["decision"]) == {"keep"}
    assert set(frame["why"]) == {"no policy removes it"}


def test_no_session_is_no_problem() -> None:
    frame = decided([], MONTH, Policy(name="last", keep_last=1, most_bytes=1))
    assert len(frame) == 0
    assert [*SESSION_COLUMNS, "decision", "why"] == list(frame.columns)


def test_what_is_older_goes() -> None:
    assert doomed(OLD, MONTH) == ["old", "older"]


def test_the_last_of_each_scenario_stay() -> None:
    rows = [session(f"{s}{n}", 10 - n, scenario=s) for s in "ab" for n in range(4)]
    rows.append(session("none", 9, scenario=None))
    assert doomed(rows, Policy(name="last", keep_last=3)) == ["a0", "b0"]


def test_the_oldest_go_until_the_rest_fits() -> None:
    rows = [session(f"s{n}", 10 - n) for n in range(6)]
    assert doomed(rows, Policy(name="full", most_bytes=35)) == ["s0", "s1", "s2"]
    assert doomed(rows, Policy(name="full", most_bytes=60)) == []
    assert doomed(rows, Policy(name="full", most_bytes=0)) == [f"s{n}" for n in range(6)]


def test_what_goes_for_another_reason_counts_as_room() -> None:
    rows = [session(f"s{n}", 10 - n, expires_at=NOW - DAY if n > 3 else None) for n in range(6)]
    assert doomed(rows, Policy(name="full", most_bytes=30)) == ["s0", "s4", "s5"]


@pytest.mark.parametrize(
    ("reason", "row"),
    [
        ("pinned", session("x", 90, pinned=True)),
        ("in flight", session("x", 90, closed_at=None, state="incomplete")),
        ("closed less than 1 day", session("x", 0.9)),
        ("closed less than 1 day", session("x", -1)),
    ],
)
def test_nothing_removes(reason: str, row: dict[str, Any]) -> None:
    row["expires_at"] = NOW - 80 * DAY
    everything = Policy(name="all", keep_for=DAY, keep_last=0, most_bytes=0)
    frame = decided([row], everything)
    assert list(frame["decision"]) == ["keep"]
    assert reason in frame["why"][0]


def test_a_hold_stands_over_other_policies_and_over_an_expiry() -> None:
    rows = [session("held", 90, tags='{"case":"7","team":"qa"}', expires_at=NOW - DAY)]
    hold = Policy(name="case 7", hold=True, tags={"case": "7"})
    assert doomed(rows, MONTH, hold, Policy(name="full", most_bytes=0)) == []


def test_an_expiry_of_its_own_decides_before_any_policy() -> None:
    rows = [
        session("due", 5, expires_at=NOW),
        session("later", 90, expires_at=NOW + DAY),
    ]
    assert doomed(rows, MONTH) == ["due"]


def test_the_policy_of_a_scenario_takes_the_place_of_the_global_ones() -> None:
    rows = [session("a1", 90), session("b1", 90, scenario="b"), session("b2", 9, scenario="b")]
    assert doomed(rows, MONTH, a=Policy(name="a", keep_for=365 * DAY)) == ["b1"]
    assert doomed(rows, MONTH, b=Policy(name="b", keep_for=7 * DAY)) == ["a1", "b1", "b2"]


def test_states_and_tags_choose_what_a_policy_is_about() -> None:
    rows = [
        session("fine", 9),
        session("broken", 9, state="aborted"),
        session("nightly", 9, tags='{"by":"night","team":"qa"}'),
    ]
    assert doomed(
        rows, Policy(name="x", keep_for=7 * DAY, states=frozenset([SessionState.ABORTED]))
    ) == ["broken"]
    assert doomed(rows, Policy(name="y", keep_for=7 * DAY, tags={"by": "night"})) == ["nightly"]


def test_every_row_has_a_reason_and_all_are_counted() -> None:
    frame = decided([*OLD, session("p", 90, pinned=True)], MONTH)
    assert all(frame["why"].astype(str))
    assert summary(frame) == {
        "delete: policy month: older than 30 days, 0:00:00": 2,
        "keep: no policy removes it": 1,
        "keep: pinned": 1,
    }


@pytest.mark.parametrize(
    "wrong", [{"keep_for": timedelta()}, {"keep_last": -1}, {"most_bytes": -1}]
)
def test_policies_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Policy(name="x", **wrong)
