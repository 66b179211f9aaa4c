"""What of a page differs from the page before."""

from __future__ import annotations

from checkpoint_assets.processing.dom_difference import DIFFERENCE_FILE, MOST_BYTES, DomDifference
from checkpoint_assets_tests.processing.steps import SHOP, step


def difference(before: str, after: str) -> tuple[int, int, list[str]]:
    """Lines added, lines removed, and the lines of the diff without its head and places."""
    both = step(after, step_id="0002-click", previous=step(before))
    made = DomDifference().derive(both)
    data = made.files.get(DIFFERENCE_FILE, (b"", ""))[0]
    lines = data.decode().splitlines()[2:]
    added, removed = made.columns["dom_lines_added"], made.columns["dom_lines_removed"]
    assert isinstance(added, int)
    assert isinstance(removed, int)
    return added, removed, [line for line in lines if not line.startswith("@@")]


def test_a_changed_text_is_one_line_removed_and_one_added() -> None:
    assert difference(SHOP, SHOP.replace("3 left", "2 left")) == (
        1,
        1,
        ["-, 3 left.", "+, 2 left."],
    )


def test_a_changed_value_is_seen_in_its_element() -> None:
    assert difference(SHOP, SHOP.replace("tea", "mugs")) == (
        1, 1, ['-<input id="q" value="tea">', '+<input id="q" value="mugs">'],
    )  # fmt: skip


def test_added_elements_are_added_lines() -> None:
    added = SHOP.replace("</main>", "<p class=new>New</p></main>")

    assert difference(SHOP, added) == (2, 0, ['+<p class="new">', "+New"])


def test_what_only_the_capture_wrote_is_no_change() -> None:
    ours = SHOP.replace("<p>", "<p data-checkpoint-id=7 data-checkpoint-is='hover'>")

    assert difference(SHOP, ours) == (0, 0, [])


def test_a_change_at_the_end_of_a_long_value_is_seen() -> None:
    long = "x" * 10_000
    added, removed, lines = difference(f"<p title={long}1>", f"<p title={long}2>")

    assert (added, removed) == (1, 1)
    assert all(len(line) < 1000 for line in lines)


def test_changes_in_styles_frames_and_shadow_roots_are_seen() -> None:
    page = "<style>p {{ color: {0} }}</style><x-a><template shadowrootmode=open>{0}</template></x-a>{1}"
    frame = "<iframe srcdoc='{0}'></iframe>"
    before, after = (page.format(word, frame.format(word)) for word in ("red", "green"))

    assert difference(before, after)[:2] == (3, 3)


def test_the_difference_names_both_steps_and_is_cut_at_its_limit() -> None:
    made = DomDifference().derive(
        step(
            "".join(f"<p>{n} {'x' * 100}" for n in range(5000)),
            step_id="b",
            previous=step("", step_id="a"),
        )
    )
    data = made.files[DIFFERENCE_FILE][0]

    assert data.startswith(b"--- a\n+++ b\n@@ ")
    assert len(data) < MOST_BYTES + 100
    assert data.endswith(b"# cut off here\n")
    assert made.columns["dom_lines_added"] == 10_000 + 2


def test_the_first_step_has_nothing_to_compare() -> None:
    assert not DomDifference().validate_input(step(SHOP))
