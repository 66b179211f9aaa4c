"""Two pages as lines: what came and what went, bounded."""

from __future__ import annotations

from checkpoint_assets.viewer.dom_difference import compare_lines


def test_lines_that_came_and_went_have_what_is_around_them() -> None:
    before = [f"<p>{number}" for number in range(20)]
    after = [*before[:10], "new", *before[11:]]
    found = compare_lines(before, after)
    assert (found.added, found.removed, found.exact, found.whole) == (1, 1, True, True)
    assert found.rows == [
        (" ", "<p>8"),
        (" ", "<p>9"),
        ("-", "<p>10"),
        ("+", "new"),
        (" ", "<p>11"),
        (" ", "<p>12"),
    ]


def test_changes_far_apart_are_set_apart() -> None:
    before = [str(number) for number in range(40)]
    after = ["first", *before[1:39], "last"]
    rows = compare_lines(before, after).rows
    assert rows.count(("@", "")) == 1
    assert (rows[0], rows[-1]) == (("-", "0"), ("+", "last"))


def test_how_far_a_line_is_indented_is_no_difference() -> None:
    assert compare_lines(["<a>", "  <b>"], ["<a>", "<b>"]).rows == []


def test_a_difference_that_is_too_long_says_so() -> None:
    found = compare_lines([], [str(number) for number in range(5000)])
    assert (found.added, found.whole, len(found.rows)) == (5000, False, 400)


def test_pages_of_the_same_line_over_and_over_are_counted() -> None:
    before = [*["<td>"] * 3000, "x"]
    after = ["y", *["<td>"] * 2900]
    found = compare_lines(before, after)
    assert (found.added, found.removed, found.exact) == (1, 101, False)
