"""The text of a page is what its reader sees."""

from __future__ import annotations

import pytest

from checkpoint_assets.processing.dom import parse_html
from checkpoint_assets.processing.readable_text import MOST_TEXT, readable_text


def text_of(html: str) -> str:
    return readable_text(parse_html(html))


def test_blocks_are_lines_and_inline_elements_are_not() -> None:
    assert text_of(
        "<h1>Cups</h1><p>Blue <b>cup</b>,\n 3&nbsp;left.<br>Soon <a href=x>more</a></p>"
    ) == ("Cups\nBlue cup, 3 left.\nSoon more")


def test_links_beside_each_other_are_words_of_their_own() -> None:
    html = "<nav><a href=1>Tea</a><a href=2><b>P</b><i>ots</i></a></nav><pre><span>f</span><span>()</span>"
    assert text_of(html) == "Tea Pots\nf()"


def test_cells_of_a_row_are_one_line() -> None:
    assert text_of("<table><tr><td>Tea<td>€4</tr><tr><td>Pot<td>€30</table>") == "Tea €4\nPot €30"


def test_preformatted_lines_stay_lines() -> None:
    assert text_of("<pre><code>a\nb</code></pre><p>c\nd") == "a\nb\nc d"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script type='text/x-checkpoint-inert'>no</script>",
        "<script type='application/json'>{\"no\": 1}</script>",
        "<style data-checkpoint-state>no</style>",
        "<template>no</template>",
        "<template data-checkpoint-tag='noscript'><p>no</p></template>",
        "<p hidden>no</p>",
        "<p style='color: red; DISPLAY : none'>no</p>",
        "<dialog>no</dialog>",
        "<div popover>no</div>",
        "<details><p>no</p></details>",
        "<textarea>no</textarea>",
        "<input value=no>",
        "<select><option>no</select>",
        "<datalist><option>no</datalist>",
        "<canvas><template data-checkpoint-tag='fallback'>no</template></canvas>",
        "<!-- no -->",
    ],
)
def test_what_is_not_shown_is_no_text(hidden: str) -> None:
    assert text_of(f"<p>yes</p>{hidden}<p>again</p>") == "yes\nagain"


@pytest.mark.parametrize(
    "shown",
    [
        "<dialog open>yes</dialog>",
        "<div popover data-checkpoint-popover-open>yes</div>",
        "<details open><p>yes</p></details>",
        "<details><summary>yes</summary><p>no</p></details>",
        "<select><option>no<option selected>yes</select>",
    ],
)
def test_what_is_open_or_chosen_is_text(shown: str) -> None:
    assert text_of(shown) == "yes"


@pytest.mark.parametrize(
    "html",
    [
        "<p>Your code: <b>********</b>!</p>",
        "<p>Your code: ********!</p>",
        "<p>Your code: <input type=password value='********'>!</p>",
        "<p>Your code: <textarea>********</textarea>!</p>",
    ],
)
def test_what_stands_for_a_secret_is_left_out(html: str) -> None:
    assert text_of(html) == "Your code: !"


def test_slots_show_what_is_assigned_to_them() -> None:
    html = (
        "<x-card><template shadowrootmode=closed><h2><slot name=title>No title</slot></h2>"
        "<p><slot>No text</slot></p><i><slot name=foot>No foot</slot></i></template>"
        "<b>Light</b> text<span slot=title>Card</span><u slot=nowhere>not shown</u></x-card>"
    )
    assert text_of(html) == "Card\nLight text\nNo foot"


def test_a_slot_within_another_components_slot_is_filled() -> None:
    html = (
        "<x-out><template shadowrootmode=open><x-in><template shadowrootmode=open>"
        "<p>[<slot></slot>]</p></template><slot></slot></x-in></template>deep</x-out>"
    )
    assert text_of(html) == "[deep]"


def test_a_host_whose_shadow_has_no_slot_hides_its_children() -> None:
    assert text_of("<x-a><template shadowrootmode=open>in</template>out</x-a>") == "in"


def test_frames_are_read_where_they_stand() -> None:
    assert text_of("<p>a<iframe srcdoc='<p>in <b>frame</b>'></iframe><p>b") == "a\nin frame\nb"


def test_a_long_page_is_cut() -> None:
    assert len(text_of("<p>word " * 10 + "x" * 2 * MOST_TEXT)) <= MOST_TEXT
