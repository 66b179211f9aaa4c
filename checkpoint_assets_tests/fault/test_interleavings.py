"""Every schedule and every crash point of calls that meet at one step: I1 to I6 hold."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from checkpoint_assets.testing.explorer import explore
from checkpoint_assets_tests.fault import beginnings
from checkpoint_assets_tests.fault.programs import (
    Act,
    Before,
    close,
    delete_for_good,
    delete_session,
    delete_session_for_good,
    drain,
    expire,
    in_turn,
    list_all,
    meeting,
    pin,
    read,
    remove,
    repair,
    replace_step,
    restore,
    sweep,
    write,
)
from checkpoint_assets_tests.fault.scale import FULL
from checkpoint_assets_tests.fault.world import A, B

pytestmark = pytest.mark.fault

ACTS: dict[str, Act] = {
    "write": write(A),
    "read": read,
    "delete": remove(),
    "sweep": sweep,
    "expire": expire,
    "write other": write(B),
    "list": list_all,
    "delete session": remove(by=delete_session),
    "delete for good": remove(by=delete_for_good, soft=False),
    "delete session for good": remove(by=delete_session_for_good, soft=False),
    "restore": restore,
    "pin": pin,
    "close": close,
    "repair": repair,
}
BEFORE: dict[str, Before] = {
    "nothing": beginnings.nothing,
    "a step": beginnings.a_step,
    "deleted": beginnings.deleted,
    "deleted long ago": beginnings.deleted_long_ago,
    "expired": beginnings.expired,
    "half a step": beginnings.half_a_step,
    "old half a step": beginnings.old_half_a_step,
    "session deleted": beginnings.session_deleted,
    "session deleted long ago": beginnings.session_deleted_long_ago,
    "expired and pinned": beginnings.expired_and_pinned,
    "deleted long ago and pinned": beginnings.deleted_long_ago_and_pinned,
}
# What is not promised, see docs/guarantees.md: who stores the files of a step again that somebody
# left a day ago, while a repair takes them for orphans.
NOT_PROMISED = {
    ("write", "repair", "old half a step"),
    ("write other", "repair", "old half a step"),
}
# Where a call has nothing to do it meets nobody.
BUSY: dict[str, set[str]] = {
    "sweep": {"deleted long ago", "session deleted long ago", "deleted long ago and pinned"},
    "expire": {"expired", "expired and pinned"},
    "restore": {"a step", "deleted", "deleted long ago"},
    "repair": {"half a step", "old half a step", "deleted long ago"},
}
WAITING: dict[str, Before] = {
    "waiting": beginnings.waiting,
    "half there and waiting": beginnings.half_there_and_waiting,
}


# The calls that every run tries; the others, and all other beginnings, are for ``make fault``.
ESSENTIAL = [
    ("write", "write", "nothing"),
    ("write", "read", "nothing"),
    ("write", "read", "a step"),
    ("write", "delete", "nothing"),
    ("write", "delete", "a step"),
    ("write", "delete", "deleted"),
    ("write", "sweep", "deleted long ago"),
    ("write", "sweep", "session deleted long ago"),
    ("write", "expire", "expired"),
    ("write other", "write", "nothing"),
    ("write other", "delete", "a step"),
    ("read", "read", "a step"),
    ("read", "delete", "a step"),
    ("read", "sweep", "deleted long ago"),
    ("read", "expire", "expired"),
    ("delete", "delete", "a step"),
    ("delete", "sweep", "deleted long ago"),
    ("delete", "expire", "expired"),
    ("delete", "restore", "a step"),
    ("delete", "pin", "a step"),
    ("delete", "close", "a step"),
    ("delete for good", "write", "nothing"),
    ("delete for good", "write", "a step"),
    ("delete for good", "pin", "session deleted"),
    ("delete session for good", "write other", "nothing"),
    ("delete session for good", "restore", "deleted"),
    ("delete for good", "read", "a step"),
    ("sweep", "sweep", "deleted long ago and pinned"),
    ("sweep", "restore", "deleted long ago"),
    ("sweep", "pin", "deleted long ago"),
    ("expire", "pin", "expired"),
    ("expire", "expire", "expired and pinned"),
    ("restore", "repair", "deleted long ago"),
]


def meetings(*, all_of_them: bool = FULL) -> list[Any]:
    """Two calls, and a beginning that gives both of them something to do."""
    everything = [
        (one, other, before)
        for one, other in itertools.combinations_with_replacement(ACTS, 2)
        for before in BEFORE
        if before in BUSY.get(one, BEFORE) and before in BUSY.get(other, BEFORE)
        if (one, other, before) not in NOT_PROMISED
    ]
    return [
        pytest.param(*names, id="{} x {}, {}".format(*names))
        for names in (everything if all_of_them else ESSENTIAL)
    ]


@pytest.mark.parametrize(("one", "other", "before"), meetings())
def test_two_calls_keep_the_guarantees_in_every_schedule_and_at_every_crash(
    one: str, other: str, before: str
):
    in_each_order = FULL and (one, other, before) in ESSENTIAL
    explore(meeting(BEFORE[before], ACTS[one], ACTS[other]), by_task=not in_each_order)


@pytest.mark.parametrize(
    "before", BEFORE if FULL else ["a step", "deleted long ago", "session deleted", "expired"]
)
@pytest.mark.parametrize("name", ACTS)
def test_a_call_keeps_the_guarantees_whichever_of_its_answers_is_lost(name: str, before: str):
    # The same call comes again, as it would from somebody who was not answered.
    again = meeting(BEFORE[before], in_turn(ACTS[name], ACTS[name]))
    explore(again, kills=1, lost=1, by_task=True)
    explore(again, kills=0, refused=1, by_task=True)


@pytest.mark.skipif(not FULL, reason="two calls and lost answers: make fault")
@pytest.mark.parametrize(("one", "other", "before"), meetings(all_of_them=False))
def test_two_calls_keep_the_guarantees_whichever_answer_is_lost(one: str, other: str, before: str):
    explore(meeting(BEFORE[before], ACTS[one], ACTS[other]), kills=0, lost=1, by_task=True)


@pytest.mark.parametrize("before", WAITING if FULL else ["waiting"])
@pytest.mark.parametrize(
    "other",
    ["write", "write other", "read", "list", "delete", "delete session", "sweep", "expire", "drain"]
    if FULL
    else ["read", "sweep", "expire", "drain"],
)
def test_drain_and_any_other_call_keep_the_guarantees(other: str, before: str):
    acts = {**ACTS, "drain": drain}
    kills = int(other != "read")  # a drain and a reader have many schedules
    explore(meeting(WAITING[before], drain, acts[other], spool=True), kills=kills, by_task=True)


@pytest.mark.parametrize(
    "other", ["replace", "write", "read", "delete", "expire"] if FULL else ["replace", "read"]
)
@pytest.mark.parametrize("before", ["nothing", "a step", "expired"] if FULL else ["a step"])
def test_replacing_and_any_other_call_keep_the_guarantees_where_versions_are_kept(
    other: str, before: str
):
    acts = {**ACTS, "replace": write(A, by=replace_step)}
    replace = write(B, by=replace_step)
    explore(meeting(BEFORE[before], replace, acts[other], versions=True), by_task=True)


@pytest.mark.skipif(not FULL, reason="three calls at once: make fault")
@pytest.mark.parametrize(
    ("names", "before"),
    [
        ("write, write other, read", "nothing"),
        ("write, delete, sweep", "deleted long ago"),
        ("delete, restore, sweep", "deleted long ago"),
        ("sweep, sweep, pin", "deleted long ago"),
        ("expire, pin, read", "expired"),
        ("expire, restore, write", "expired"),
        ("delete session, write, close", "a step"),
    ],
)
def test_three_calls_keep_the_guarantees(names: str, before: str):
    acts = [ACTS[name] for name in names.split(", ")]
    # Who is killed is tried in pairs; three at once have too many schedules for that.
    explore(meeting(BEFORE[before], *acts), kills=0, by_task=True)
