"""Captured HTML written anew: what is kept, what is left out, what is compared and searched."""

from __future__ import annotations

import re

import pytest

from checkpoint_assets.viewer.captured_page import PAGE_POLICY, read_page
from checkpoint_assets.viewer.html_tokens import tokens
from checkpoint_assets_tests.viewer.hostile import PAGES, attack

ELSEWHERE = "http://elsewhere.example/"
# What may still name another place is a style, and the policy holds that.
_STYLES = re.compile(r"<style.*?</style>|style=\"[^\"]*\"", re.DOTALL)


def body(source: str) -> str:
    """What becomes of the source, without the policy in front of it."""
    shown = read_page(source).html
    return shown[shown.index('">', shown.index("Content-Security-Policy")) + 2 :]


def test_the_policy_comes_before_anything_of_the_page() -> None:
    shown = read_page("<!-- a --><!doctype html><html lang=de><p>x").html
    policy = PAGE_POLICY.replace("'", "&#x27;")
    start = (
        '<!DOCTYPE html><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    )
    assert shown == f'{start}<html lang="de"><p>x'


def test_a_page_without_a_doctype_stays_without_one() -> None:
    assert read_page("<p>x").html.startswith("<meta charset")


@pytest.mark.parametrize("number", range(len(PAGES)))
def test_no_attack_keeps_an_address_or_a_handler(number: int) -> None:
    shown = _STYLES.sub("", body(attack(number, ELSEWHERE)))
    # Names of attributes and tags; their values and the text are quoted.
    bare = re.sub(r"\"[^\"]*\"|&lt;[^<]*", "", shown)
    assert not re.search(r"<(script|link|meta|base|object|embed|frame)\b", bare)
    assert not re.search(r"<[^>]*\s(on\w+|src|srcset|action|ping|background|data)\b(?!=\")", bare)
    addresses = re.findall(
        r"\s(?:src|href|srcset|poster|action|data|xlink:href)=\"([^\"]*)\"", shown
    )
    assert set(addresses) <= {"#"}


def test_what_a_page_looks_like_is_kept() -> None:
    source = (
        '<style>p > b{color:red}</style><p class="a" style="margin:0">A &amp; B &lt;i&gt;</p>'
        '<input type="checkbox" checked value="x"><img src="data:image/png;base64,AA" alt="dot">'
        '<svg viewBox="0 0 9 9"><use href="#icon"></use></svg>'
        '<div><template shadowrootmode="open"><slot></slot></template></div>'
    )
    assert body(source) == (
        '<style>p > b{color:red}</style><p class="a" style="margin:0">A &amp; B &lt;i&gt;</p>'
        '<input type="checkbox" checked="" value="x"><img src="data:image/png;base64,AA" alt="dot">'
        '<svg viewbox="0 0 9 9"><use href="#icon"></use></svg>'
        '<div><template shadowrootmode="open"><slot></slot></template></div>'
    )


def test_a_frame_is_shown_from_what_was_captured_of_it() -> None:
    frame = '<iframe src="http://x/" srcdoc="&lt;p onclick=&quot;x()&quot;&gt;in a frame"></iframe>'
    assert body(frame) == '<iframe sandbox srcdoc="&lt;p&gt;in a frame"></iframe>'


def test_links_look_like_links_and_lead_nowhere() -> None:
    assert body('<a href="/cart" target="_top">Cart</a>') == (
        '<a href="#" target="_blank">Cart</a>'
    )


def test_text_is_what_a_reader_would_search() -> None:
    page = read_page(
        "<title>Not this</title><script>nor this</script><h1>Tea &amp; pots</h1>"
        "<p>two\n  lines</p><input value='typed' placeholder='hint'><p>two lines</p>"
    )
    assert page.text == ("Tea & pots", "two lines", "typed", "hint")


def test_lines_show_the_page_as_it_was_stored() -> None:
    page = read_page('<div onclick="go()"><a href="/cart">Cart</a></div><br>')
    assert page.lines == ('<div onclick="go()">', '  <a href="/cart">', "    Cart", "<br>")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p a=1 a=2>", [("start", "p", (("a", "1"),))]),
        ("<P Title='>'>", [("start", "p", (("title", ">"),))]),
        ("a < b", [("text", "a ", ()), ("text", "<", ()), ("text", " b", ())]),
        ("<!-->x", [("text", "x", ())]),
        ("<!--a--!>x", [("text", "x", ())]),
        ("<!--a", []),
        ("</ p>x", [("text", "x", ())]),
        ("<?php x ?>y", [("text", "y", ())]),
        ("<a href='x", []),
        ("<style><p></STYLE >x", None),
        ("<plaintext><p>", [("start", "plaintext", ()), ("text", "<p>", ())]),
        ("<br/>", [("start", "br", ())]),
        ("<a / b = c>", [("start", "a", (("b", "c"),))]),
        ("<a =x>", [("start", "a", (("=x", ""),))]),
    ],
)
def test_tags_end_where_a_browser_ends_them(
    source: str, expected: list[tuple[str, str, tuple[tuple[str, str], ...]]] | None
) -> None:
    found = [(token.kind, token.text, token.attributes) for token in tokens(source)]
    if expected is None:
        expected = [
            ("start", "style", ()),
            ("raw", "<p>", ()),
            ("end", "style", ()),
            ("text", "x", ()),
        ]
    assert found == expected
