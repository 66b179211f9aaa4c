"""The outline that assistive technology has of a page."""

from __future__ import annotations

import pytest

from checkpoint_assets.processing.dom import parse_html
from checkpoint_assets.processing.outline import OUTLINE_FILE, AccessibilityOutline, outline
from checkpoint_assets_tests.processing.steps import SHOP, step


def lines(html: str) -> list[str]:
    return [str(entry) for entry in outline(parse_html(html))]


def test_a_page_is_its_roles_names_and_levels() -> None:
    made = AccessibilityOutline().derive(step(SHOP))

    assert made.files[OUTLINE_FILE][0].decode().splitlines() == [
        "- banner",
        '  - link "Home"',
        "- main",
        '  - heading "Cups" [level=1]',
        '  - textbox "Search"',
        '  - button "Go"',
    ]
    assert dict(made.columns) == {
        "headings": 1, "landmarks": 2, "controls": 3, "unnamed_controls": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("html", "line"),
    [
        ("<button aria-label='Close'>x</button>", '- button "Close"'),
        ("<i id=a>One</i><button aria-labelledby='b a none'>x</button><i id=b>Two</i>", '- button "Two One"'),
        ("<label>Name <input></label>", '- textbox "Name"'),
        ("<input type=search placeholder=Find list=l>", '- combobox "Find"'),
        ("<input type=checkbox title=Agree checked required>", '- checkbox "Agree" [checked] [required]'),
        ("<input type=submit>", '- button "Submit"'),
        ("<a href=x><i class=icon aria-label='Our shop'></i></a>", '- link "Our shop"'),
        ("<img alt='A cup'>", '- img "A cup"'),
        ("<svg><title>Star</title></svg>", '- img "Star"'),
        ("<div role=heading aria-level=4>Deep</div>", '- heading "Deep" [level=4]'),
        ("<div role=tab aria-selected=true>First</div>", '- tab "First" [selected]'),
        ("<section aria-label=News></section>", '- region "News"'),
        ("<select size=4></select>", "- listbox"),
        ("<h2>Blue\n <b>cup</b></h2>", '- heading "Blue cup" [level=2]'),
        ("<button>Say \"hi\"</button>", '- button "Say \\"hi\\""'),
        ("<details open></details>", "- group [open]"),
    ],
)  # fmt: skip
def test_roles_and_names(html: str, line: str) -> None:
    assert lines(html) == [line]


@pytest.mark.parametrize(
    "html",
    [
        "<div>text</div>",
        "<a name=x>anchor</a>",
        "<img alt=''>",
        "<input type=hidden value=x>",
        "<section><p>unnamed</section>",
        "<form></form>",
        "<button aria-hidden=true>x</button>",
        "<div hidden><button>x</button></div>",
        "<button role=none></button>",
        "<article role=presentation><header>no banner</header></article>",
    ],
)
def test_what_has_no_role_is_no_entry(html: str) -> None:
    assert lines(html) == []


def test_entries_are_indented_by_what_they_are_in() -> None:
    html = "<nav><ul><li><a href=x>A</a></ul></nav><iframe title=F srcdoc='<h1>In</h1>'></iframe>"

    assert lines(html) == [
        "- navigation",
        "  - list",
        "    - listitem",
        '      - link "A"',
        '- iframe "F"',
        '  - heading "In" [level=1]',
    ]


def test_what_is_hidden_from_assistive_technology_changes_nothing_behind_it() -> None:
    html = "<main aria-hidden=true><h1>x</h1><main></main></main><header>y</header>"

    assert lines(html) == ["- banner"]


def test_controls_that_nobody_named_are_counted() -> None:
    made = AccessibilityOutline().derive(step("<button><i></i></button><a href=x></a><input>"))

    assert made.columns["unnamed_controls"] == 3


def test_secrets_and_endless_names_are_not_in_it() -> None:
    assert lines("<button>********</button>") == ["- button"]
    (line,) = lines(f"<button>{'x' * 100_000}</button>")
    assert len(line) < 300
