from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_assets.collection.url_gate import check_host_port, check_url_syntax
from checkpoint_assets.model.errors import InvalidUrl


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://a.example", "https://a.example"),
        ("http://a.example:8080/b?c=d&e#f", "http://a.example:8080/b?c=d&e#f"),
        ("HTTPS://A.Example/B", "https://a.example/B"),
        ("https://a.example./", "https://a.example./"),
        ("https://a.example/%20?q=a@b:c//d", "https://a.example/%20?q=a@b:c//d"),
        ("https://a.example?b=/@c", "https://a.example?b=/@c"),
        ("https://a.example/ü", "https://a.example/ü"),
        ("http://127.0.0.1:08080/", "http://127.0.0.1:8080/"),
        ("http://[0:0::1]:80/", "http://[::1]:80/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://аррӏе.com/", "https://xn--80ak6aa92e.com/"),
        ("http://１２７.０.０.１/", "http://127.0.0.1/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
    ],
)
def test_good_url_comes_back_with_its_host_as_a_browser_reads_it(url: str, result: str) -> None:
    assert check_url_syntax(url) == result


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the URL has no scheme"),
        ("a.example/b", "the URL has no scheme"),
        ("//a.example/", "the URL has no scheme"),
        ("file:///etc/passwd", "the scheme 'file' is not allowed"),
        ("javascript:alert(1)", "the scheme 'javascript' is not allowed"),
        ("localhost:80", "the scheme 'localhost' is not allowed"),
        ("http:a.example", "the URL has no host"),
        ("http:/a.example", "the URL has no host"),
        ("http:///a.example", "the URL has no host"),
        ("http://", "the URL has no host"),
        ("http://?a", "the URL has no host"),
        ("http://:80/", "invalid host ''"),
        ("http://./", "invalid host '.'"),
        ("http://a..b/", "invalid host 'a..b'"),
        ("http://%31%32%37.0.0.1/", "invalid host '%31%32%37.0.0.1'"),
        ("http://a<b/", "invalid host 'a<b'"),
        ("http://" + "a" * 254 + "/", f"invalid host {'a' * 100!r}"),
        ("http://[", "the URL's host is no IPv6 address"),
        ("http://[::1", "the URL's host has no closing bracket, or something after it"),
        ("http://[::1]x/", "the URL's host has no closing bracket, or something after it"),
        ("http://[fe80::1%25eth0]/", "the URL's host has an IPv6 zone in it"),
        ("http://a.example:99999/", "invalid port '99999'"),
        ("http://a.example:0/", "invalid port '0'"),
        ("http://a.example:/", "invalid port ''"),
        ("http://a.example:8o/", "invalid port '8o'"),
        ("http://a.example:٨٠/", "invalid port '٨٠'"),
        ("http://ok.example:pw@evil.example/", "the URL has a user name or password in it"),
        ("http://a@b@c/", "the URL has a user name or password in it"),
        ("http://ok.example\\@127.0.0.1/", "the URL has a backslash in it"),
        ("http://a.example/b c", "the URL has white space or a control character in it"),
        (" http://a.example/", "the URL has white space or a control character in it"),
        ("java\nscript:alert(1)", "the URL has white space or a control character in it"),
        ("http://a.example/\x00", "the URL has white space or a control character in it"),
        ("http://a.example/\u202e", "the URL has white space or a control character in it"),
        ("http://straße.example/", "browsers read this host name in two ways"),
        ("http://\ud800.example/", "the URL has half of a surrogate pair in it"),
        ("http://a.example/" + "a" * 8192, "the URL is longer than 8 KB"),
        ("http://a.example/" + "é" * 4096, "the URL is longer than 8 KB"),
    ],
)
def test_url_that_browsers_could_read_as_another_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        check_url_syntax(url)
    assert caught.value.message == message


def test_message_never_repeats_a_password_or_a_query() -> None:
    for url in (
        "https://u:hunter2@a.example/",
        "gopher://x/?token=hunter2",
        "https://a b/?hunter2",
    ):
        with pytest.raises(InvalidUrl) as caught:
            check_url_syntax(url)
        assert "hunter2" not in str(caught.value)


@given(st.text() | st.text().map(lambda text: "http://" + text))
def test_random_text_is_refused_or_stays_good(text: str) -> None:
    try:
        url = check_url_syntax(text)
    except InvalidUrl:
        return
    assert check_url_syntax(url) == url


@pytest.mark.parametrize(
    "text", ["127.0.0.1:8123", "localhost:80", "[::1]:9000", "db.internal:5432"]
)
def test_host_and_port_come_back_as_they_are(text: str) -> None:
    assert check_host_port(text) == text


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "[::1]", ":80", "a:0", "a:b", "u@a:80", "a:80/b", "*:80", "a b:80"]
)
def test_half_a_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidUrl):
        check_host_port(text)
