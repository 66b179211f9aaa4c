"""The difference of two lists of lines."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_assets.processing.line_difference import Change, line_changes, unified

LINES = st.lists(st.sampled_from("abcdef"), max_size=60) | st.lists(
    st.text(max_size=3), max_size=30
)


def applied(old: list[str], new: list[str], changes: list[Change]) -> list[str]:
    """What the changes make of the old lines; of the new ones only what they name is used."""
    made: list[str] = []
    at = 0
    for change in changes:
        made += old[at : change.begin] + new[change.new_begin : change.new_end]
        at = change.end
    return made + old[at:]


@given(LINES, LINES)
def test_the_changes_make_the_new_lines_of_the_old_ones(old: list[str], new: list[str]) -> None:
    changes = line_changes(old, new)

    assert applied(old, new, changes) == new
    assert bool(changes) == (old != new)


def test_one_changed_line_is_one_change() -> None:
    old = [f"line {n}" for n in range(100)]
    new = [*old[:50], "other", *old[51:]]

    assert line_changes(old, new) == [Change(50, 51, 50, 51)]


def test_a_moved_line_is_removed_and_added() -> None:
    changes = line_changes(["a", "b", "c", "d"], ["b", "c", "d", "a"])

    assert sum(change.end - change.begin for change in changes) == 1
    assert sum(change.new_end - change.new_begin for change in changes) == 1


def test_repeated_lines_around_a_change_are_kept() -> None:
    assert line_changes(["x"] * 20, [*["x"] * 10, "y", *["x"] * 10]) == [Change(10, 10, 10, 11)]


def test_a_unified_diff_has_the_places_of_its_lines() -> None:
    old, new = ["a", "b", "c"], ["a", "B", "c", "d"]

    assert [*unified(old, new, line_changes(old, new))] == [
        "@@ -2,1 +2,1 @@", "-b", "+B", "@@ -3,0 +4,1 @@", "+d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a", "b"] * 15_000, ["b", "a", "a"] * 10_000),
        ([str(n // 2) for n in range(30_000)], [str(n // 2) for n in range(29_999, -1, -1)]),
        ([str(n) for n in range(30_000)], [str(n) for n in range(29_999, -1, -1)]),
    ],
    ids=["two lines", "pairs turned round", "turned round"],
)
def test_the_worst_lines_are_compared_soon(old: list[str], new: list[str]) -> None:
    begun = time.thread_time()
    changes = line_changes(old, new)

    assert applied(old, new, changes) == new
    assert time.thread_time() - begun < 20
