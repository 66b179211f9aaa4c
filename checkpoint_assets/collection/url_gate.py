"""The one place that decides whether a URL may be opened.

``check_url_syntax`` is pure: it refuses what no scenario may ask for, whatever it resolves to.
"""

from __future__ import annotations

import ipaddress
import re

from checkpoint_assets.model.errors import InvalidUrl

MAX_URL_BYTES = 8 * 1024

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_AUTHORITY = re.compile(r"//([^/?#]*)")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
# White space, C0 and C1 controls: browsers drop some of them silently.
_INVISIBLE = re.compile(r"[\s\x00-\x20\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
# IDNA 2003 and browsers disagree about these four, so they could name two different hosts.
_DEVIATING = re.compile("[ßς\u200c\u200d]")


def scheme_of(url: str) -> str | None:
    """The scheme in lower case; ``None`` for a path."""
    found = _SCHEME.match(url)
    return found[1].lower() if found else None


def may_capture(url: str) -> bool:
    """Whether a page that a browser shows at the URL may be read: on the web, or empty."""
    return scheme_of(url) in ("http", "https") or url.partition("#")[0] == "about:blank"


def is_out_of_bounds(url: str) -> bool:
    """Whether a page must be left unread: local files, the browser's own pages, made-up ones.

    Chromium's error page is none of these: it stands for one that could not be opened.
    """
    return not may_capture(url) and scheme_of(url) != "chrome-error"


def shown_page_url(url: str) -> str:
    """The URL for a record. Of a page that is out of bounds only the scheme is told."""
    return f"{scheme_of(url)}:" if is_out_of_bounds(url) else url


def check_characters(url: str) -> None:
    """Refuses a URL or path that is too long, or that browsers would read as another one."""
    try:
        size = len(url.encode())
    except UnicodeEncodeError as err:
        raise InvalidUrl("the URL has half of a surrogate pair in it") from err
    if size > MAX_URL_BYTES:
        raise InvalidUrl(f"the URL is longer than {MAX_URL_BYTES // 1024} KB")
    if _INVISIBLE.search(url):
        raise InvalidUrl(
            "the URL has white space or a control character in it", hint="write a space as %20"
        )
    if "\\" in url:
        raise InvalidUrl("the URL has a backslash in it", hint="browsers read it as '/'")


def check_url_syntax(url: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """The URL, with its host in ASCII and lower case. Raises ``InvalidUrl``.

    It has one of ``schemes``, a host, no user name or password, nothing invisible, no backslash,
    and at most 8 KB. Messages never quote more than scheme and host: a query can hold a secret.
    """
    check_characters(url)
    allowed = " and ".join(schemes)
    scheme = scheme_of(url)
    if scheme is None:
        raise InvalidUrl("the URL has no scheme", hint=f"begin with {schemes[-1]}://")
    if scheme not in schemes:
        raise InvalidUrl(f"the scheme {scheme[:40]!r} is not allowed", hint=f"only {allowed} are")
    rest = url[len(scheme) + 1 :]
    found = _AUTHORITY.match(rest)
    if not found or not found[1]:
        raise InvalidUrl("the URL has no host", hint=f"{scheme}://host/path")
    authority = _authority(found[1])
    return f"{scheme}://{authority}{rest[found.end() :]}"


def check_host_port(text: str) -> str:
    """``host:port`` in ASCII and lower case, both given. Raises ``InvalidUrl``."""
    check_characters(text)
    authority = _authority(text)
    if not re.search(r":[0-9]+$", authority):
        raise InvalidUrl(f"{text[:100]!r} has no port", hint="host:port, as in 127.0.0.1:8123")
    return authority


def _authority(text: str) -> str:
    if "@" in text:
        raise InvalidUrl("the URL has a user name or password in it", hint="use a secret instead")
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        try:
            if "%" in address:
                raise InvalidUrl("the URL's host has an IPv6 zone in it")
            host = f"[{ipaddress.IPv6Address(address).compressed}]"
        except ipaddress.AddressValueError as err:
            raise InvalidUrl("the URL's host is no IPv6 address") from err
        if not bracket or (port and not port.startswith(":")):
            raise InvalidUrl("the URL's host has no closing bracket, or something after it")
        port = port[1:] if port else None
    else:
        name, colon, number = text.partition(":")
        host, port = _host(name), number if colon else None
    if port is None:
        return host
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65_535:
        raise InvalidUrl(f"invalid port {port[:20]!r}", hint="1 to 65535")
    return f"{host}:{int(port)}"


def _host(name: str) -> str:
    if _DEVIATING.search(name):
        raise InvalidUrl("browsers read this host name in two ways", hint="write it as xn--...")
    try:
        ascii_name = name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError as err:
        raise InvalidUrl(f"invalid host {name[:100]!r}") from err
    labels = ascii_name.removesuffix(".").split(".")
    if not _HOST.fullmatch(ascii_name) or not all(labels) or len(ascii_name) > 253:
        raise InvalidUrl(f"invalid host {name[:100]!r}")
    return ascii_name.lower()
