"""Counts of what is in a page."""

from __future__ import annotations

from checkpoint_assets.processing.dom_statistics import DomStatistics
from checkpoint_assets_tests.processing.steps import SHOP, step


def statistics(html: str) -> dict[str, object]:
    return dict(DomStatistics().derive(step(html)).columns)


def test_everything_of_a_page_is_counted() -> None:
    found = statistics(SHOP)

    assert found == {
        "elements": 17,
        "dom_depth": 5,
        "dom_chars": found["dom_chars"],
        "links": 1,
        "forms": 1,
        "fields": 1,
        "buttons": 1,
        "images": 0,
        "scripts": 1,
        "frames": 0,
        "shadow_roots": 0,
    }


def test_frames_and_shadow_roots_are_part_of_the_page_and_no_elements() -> None:
    found = statistics(
        "<html><head></head><body><x-a><template shadowrootmode=open><a href=x>1</a></template></x-a>"
        "<iframe srcdoc='&lt;html&gt;&lt;body&gt;&lt;img&gt;22'></iframe></body></html>"
    )

    assert (found["frames"], found["shadow_roots"]) == (1, 1)
    assert (found["links"], found["images"]) == (1, 1)
    # html head body x-a a iframe; html body img
    assert found["elements"] == 9
    assert found["dom_chars"] == 3
    # html body iframe html body img
    assert found["dom_depth"] == 6


def test_a_link_leads_somewhere() -> None:
    assert statistics("<a href=''>1</a><a name=x>2</a>")["links"] == 1


def test_what_is_in_an_inert_template_does_not_count() -> None:
    assert statistics("<template><form></form>text</template>")["forms"] == 0
