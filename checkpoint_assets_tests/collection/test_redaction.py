"""Known secrets are replaced wherever they turn up, in each form that they commonly take."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_assets.collection.redaction import (
    MASK,
    PRIVATE_FIELD_NAMES,
    PRIVATE_FIELD_PURPOSES,
    Redactor,
    redact_url,
)

SECRET = """p&s<s> "w'rd"/ü+?\\ \u00a0%"""


def snapshot_text(text: str) -> str:
    """As a page's text is written down."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\u00a0", "&nbsp;")


def snapshot_attribute(text: str) -> str:
    """As an attribute's value is written down; the page of a frame is the value of one."""
    return snapshot_text(text).replace('"', "&quot;")


FORMS = {
    "plain": SECRET,
    "in a query": quote_plus(SECRET),
    "in a path": quote(SECRET),
    "as a path's segment": quote(SECRET, safe=""),
    "as Python writes HTML": html.escape(SECRET),
    "in a page's text": snapshot_text(SECRET),
    "in an attribute": snapshot_attribute(SECRET),
    "in the text of a frame": snapshot_attribute(snapshot_text(SECRET)),
    "in an attribute in a frame": snapshot_attribute(snapshot_attribute(SECRET)),
    "in a frame of a frame": snapshot_attribute(snapshot_attribute(snapshot_text(SECRET))),
    "in JSON": json.dumps(SECRET)[1:-1],
    "in JSON with any letters": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "in JSON in an attribute": snapshot_attribute(json.dumps(SECRET, ensure_ascii=False)[1:-1]),
    "quoted in a message": repr(SECRET)[1:-1],
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "in hexadecimal": SECRET.encode().hex(),
    "in base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_each_form_that_it_takes(form: str):
    redactor = Redactor([SECRET])
    assert redactor.text(f"<p>before{FORMS[form]}after") == f"<p>before{MASK}after"
    assert redactor.count == 1


def test_a_secret_with_one_kind_of_quotes_is_masked_in_a_message():
    assert Redactor(["it's\\x"]).text(repr("it's\\x")) == f'"{MASK}"'
    assert Redactor(["it's\\x"]).text(repr('"it\'s\\x"')) == f"'\"{MASK}\"'"


def test_percent_escapes_are_found_in_lower_case_too():
    escaped = re.sub("%..", lambda escape: escape[0].lower(), quote(SECRET, safe=""))
    assert Redactor([SECRET]).text(f"a={escaped}") == f"a={MASK}"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_text_keeps_a_secret(secret: str, before: str, after: str):
    shown = Redactor([secret]).text(before + secret + after)
    # The mask and its surroundings may happen to spell it again.
    assert MASK in shown or secret in MASK
    assert secret not in shown.replace(MASK, "\0") or set(secret) <= {"*", "\0"}


def test_the_mask_does_not_tell_the_length():
    assert Redactor(["abcd", "e" * 500]).text("abcd " + "e" * 500) == f"{MASK} {MASK}"


def test_a_secret_that_contains_another_is_masked_whole():
    assert Redactor(["horse", "horse-7-stable"]).text("a horse-7-stable") == f"a {MASK}"


def test_letters_of_a_pattern_are_only_letters():
    assert Redactor([".*.*"]).text("anything") == "anything"


def test_short_values_are_left_alone():
    # They occur everywhere by chance: the page would be lost, and the secret not kept.
    assert Redactor(["737", ""]).text("LK-7371") == "LK-7371"


def test_nothing_known_changes_nothing():
    redactor = Redactor()
    assert redactor.text("text") == "text"
    assert redactor.count == 0


def test_secrets_are_learned_on_the_way():
    redactor = Redactor(["first-secret"])
    assert redactor.text("first-secret second-secret") == f"{MASK} second-secret"
    redactor.add(["second-secret"])
    assert redactor.text("first-secret second-secret") == f"{MASK} {MASK}"
    assert redactor.count == 3


def test_every_string_of_json_is_redacted_keys_included():
    redactor = Redactor(["correct-horse"])
    value = {
        "correct-horse": ["x correct-horse", {"deep": ("correct-horse", 1, None, True, 2.5)}],
        "url": "https://a.example/?q=correct-horse",
    }
    assert redactor.json(value) == {
        MASK: [f"x {MASK}", {"deep": [MASK, 1, None, True, 2.5]}],
        "url": f"https://a.example/?q={MASK}",
    }


def test_urls_in_json_lose_their_private_parts():
    assert Redactor().json(["https://ann:pw@a.example/?token=abc&page=2"]) == [
        f"https://a.example/?token={MASK}&page=2"
    ]


def test_urls_inside_a_sentence_lose_their_private_parts_too():
    text = "GET https://a.example/x?access_token=abc&b=1 (blocked), see wss://u:p@b.example/s."
    assert Redactor().json(text) == (
        f"GET https://a.example/x?access_token={MASK}&b=1 (blocked), see wss://b.example/s."
    )


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "😀"[:1]])
def test_what_comes_out_can_be_written_in_utf_8(text: str):
    out = Redactor().json({"text": text, text: 1})
    json.dumps(out, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://a.example/b?c=d#e", "https://a.example/b?c=d#e"),
        ("https://ann@a.example/", "https://a.example/"),
        ("https://ann:pw@a.example:8443/b", "https://a.example:8443/b"),
        ("https://a.example/?token=x&a=1", f"https://a.example/?token={MASK}&a=1"),
        ("https://a.example/?a=1&PASSWORD=x", f"https://a.example/?a=1&PASSWORD={MASK}"),
        ("https://a.example/?X-Amz-Signature=x", f"https://a.example/?X-Amz-Signature={MASK}"),
        ("https://a.example/?code=x&state=y", f"https://a.example/?code={MASK}&state=y"),
        ("https://a.example/#access_token=x&b=1", f"https://a.example/#access_token={MASK}&b=1"),
        ("https://a.example/?token=", "https://a.example/?token="),
        ("https://a.example/?keyword=x&passenger=y", "https://a.example/?keyword=x&passenger=y"),
        ("https://a.example/%3Ftoken=x", "https://a.example/%3Ftoken=x"),
        ("wss://ann:pw@a.example/?apiKey=x", f"wss://a.example/?apiKey={MASK}"),
        ("about:blank", "about:blank"),
        ("data:text/html," + "x" * 1000, ("data:text/html," + "x" * 1000)[:200]),
        ("http://[broken", MASK),
        ("/relative?a=1", "/relative?a=1"),
    ],
)
def test_a_url_loses_what_is_private_and_nothing_else(url: str, redacted: str):
    assert redact_url(url) == redacted


@pytest.mark.parametrize(
    "name",
    [
        *("password", "user_pass", "passwd", "passphrase", "passcode", "pwd", "client_secret"),
        *("csrf_token", "authenticity_token", "otp", "cvv", "cvc", "csc", "ssn"),
        *("cardNumber", "card_number", "card-num"),
    ],
)
def test_names_of_private_fields_are_known(name: str):
    assert re.search(PRIVATE_FIELD_NAMES, name, re.IGNORECASE)


@pytest.mark.parametrize("name", ["passenger", "passengers", "passage", "email", "card", "q"])
def test_names_of_other_fields_are_not(name: str):
    assert not re.search(PRIVATE_FIELD_NAMES, name, re.IGNORECASE)


@pytest.mark.parametrize(
    ("purpose", "private"),
    [
        ("cc-number", True),
        ("billing cc-csc", True),
        ("section-a shipping cc-exp-month", True),
        ("one-time-code", True),
        ("current-password", True),
        ("new-password webauthn", True),
        ("username", False),
        ("email", False),
        ("off", False),
        ("", False),
    ],
)
def test_what_a_field_is_for_says_whether_it_is_private(purpose: str, private: bool):
    assert bool(re.search(PRIVATE_FIELD_PURPOSES, purpose, re.IGNORECASE)) is private


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
def test_a_secret_is_masked_in_the_base64_of_a_text_around_it(before: str, after: str):
    encoded = base64.b64encode(f"{before}{SECRET}{after}".encode()).decode()
    masked = Redactor([SECRET]).text(f"Basic {encoded}")
    assert "********" in masked
    # Of what is left, no part that is the secret's own is longer than a few bits.
    assert len(masked) <= len("Basic ********") + 2 * len(base64.b64encode(b"user:xyz"))
