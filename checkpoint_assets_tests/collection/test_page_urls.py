"""Which of the pages that a browser can show are read at all."""

from __future__ import annotations

import pytest

from checkpoint_assets.collection.url_gate import is_out_of_bounds, may_capture, shown_page_url


@pytest.mark.parametrize(
    "url",
    ["http://a.example/", "https://a.example/?b#c", "HTTP://A/", "about:blank", "about:blank#a"],
)
def test_pages_on_the_web_and_empty_ones_are_captured(url: str):
    assert may_capture(url)
    assert not is_out_of_bounds(url)
    assert shown_page_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "FILE:///etc/passwd", "view-source:http://a.example/"),
        *("chrome://version/", "devtools://devtools/", "chrome-extension://a/b.html"),
        *("data:text/html,secret", "blob:http://a.example/1", "about:version", "about:srcdoc"),
        *("javascript:secret", "filesystem:http://a.example/b", "ftp://a.example/"),
    ],
)
def test_other_pages_are_out_of_bounds_and_only_their_scheme_is_told(url: str):
    assert not may_capture(url)
    assert is_out_of_bounds(url)
    assert shown_page_url(url) == url.partition(":")[0].lower() + ":"


def test_chromium_s_error_page_is_not_captured_and_stands_for_the_page_that_failed():
    assert not may_capture("chrome-error://chromewebdata/")
    assert not is_out_of_bounds("chrome-error://chromewebdata/")
