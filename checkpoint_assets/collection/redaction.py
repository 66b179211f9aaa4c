"""The one place that takes secrets out of what is written down.

The page itself masks private fields before they leave it (``browser/page_world``). Here known
secret values are replaced wherever else they turn up: in HTML, actions, URLs, errors and logs.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

MASK = "********"
# Shorter ones occur by chance everywhere; masking them would destroy the page, not the secret.
MIN_LENGTH = 4
# Form fields whose value is nobody's business, as JavaScript reads a pattern, whatever the case:
# by name or id (a passenger is no password), and by what `autocomplete` says they are for.
PRIVATE_FIELD_NAMES = r"pass(?!eng|age|ive)|pwd|secret|token|csrf|otp|cvv|cvc|csc|ssn|card.?num"
PRIVATE_FIELD_PURPOSES = r"(^|\s)(cc-\S+|one-time-code|current-password|new-password)(\s|$)"
_PRIVATE_KEYS = re.compile(
    r"token|secret|passw|pwd|auth|session|sid$|^sig|signature|^key$|api.?key|^code$|credential|^x-amz-",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?|wss?):\S+", re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"(?:https?|wss?)://[^\s\"'<>]+", re.IGNORECASE)
# A frame's page is written as an attribute of the page around it, and so escaped once more.
_FRAMES_DEEP = 3


def redact_url(url: str) -> str:
    """The URL without user name, password, and the values of private query parameters."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    if parts.scheme not in {"http", "https", "ws", "wss"}:
        return url[:200] if parts.scheme in {"data", "blob"} else url
    query = _redact_query(parts.query)
    fragment = _redact_query(parts.fragment) if "=" in parts.fragment else parts.fragment
    if (host, query, fragment) == (parts.netloc, parts.query, parts.fragment):
        return url
    return urlunsplit((parts.scheme, host, parts.path, query, fragment))


def _redact_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_PRIVATE_KEYS.search(key) for key, _ in pairs):
        return query
    return urlencode(
        [(key, MASK if value and _PRIVATE_KEYS.search(key) else value) for key, value in pairs],
        safe="*",
    )


class Redactor:
    """Replaces known secret values, in every encoding they commonly take.

    ``count`` says how many replacements there were.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.count = 0
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """From now on these are secret, too."""
        self._forms |= {
            form for secret in secrets if len(secret) >= MIN_LENGTH for form in _forms(secret)
        }
        # Longest first: an encoded form may contain a shorter one.
        ordered = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """The text with each secret value replaced by a mask of fixed length."""
        if self._pattern is None:
            return text
        replaced, count = self._pattern.subn(MASK, text)
        self.count += count
        return replaced

    def json(self, value: Any) -> Any:
        """The same for every string of a JSON value; URLs lose private parameters.

        Halves of surrogate pairs, which no file can hold, become U+FFFD.
        """
        if isinstance(value, str):
            if _URL.fullmatch(value):
                clean = redact_url(value)
            else:
                clean = _URL_IN_TEXT.sub(lambda url: redact_url(url[0]), value)
            return _well_formed(self.text(clean))
        if isinstance(value, dict):
            return {self.json(str(key)): self.json(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(item) for item in value]
        return value


def _forms(secret: str) -> set[str]:
    encoded = secret.encode(errors="replace")
    in_urls = {quote(encoded, safe=""), quote(encoded), quote_plus(encoded)}
    # A message quotes with repr, which escapes some characters, and ' only beside ".
    quoted = "".join(char if char in "'\"" else repr(char)[1:-1] for char in secret)
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    forms = {
        secret,
        *in_urls,
        *(re.sub("%..", lambda escape: escape[0].lower(), form) for form in in_urls),
        html.escape(secret),
        quoted,
        quoted.replace("'", "\\'"),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode().rstrip("="),
        encoded.hex(),
        encoded.hex().upper(),
        *_in_base64(encoded),
    }
    for text in (secret, *in_json):
        forms |= _in_page(text)
    return {form for form in forms if len(form) >= MIN_LENGTH}


def _in_base64(encoded: bytes) -> set[str]:
    """What of it is the same in the base64 of every text it is part of, wherever it begins."""
    forms: set[str] = set()
    for begin in range(3):
        text = base64.b64encode(bytes(begin) + encoded).decode().rstrip("=")
        # The first and the last sign may hold bits of what is around it.
        whole = (begin + len(encoded)) % 3 == 0
        inner = text[(0, 2, 3)[begin] : None if whole else -1]
        if len(inner) > MIN_LENGTH:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def _in_page(text: str) -> set[str]:
    """The text as ``browser/page_world`` writes it: as text and attribute, in frames of frames."""
    forms = {text, html.escape(text, quote=False).replace("\u00a0", "&nbsp;")}
    for _ in range(1 + _FRAMES_DEEP):
        forms |= {_attribute(form).replace("\u00a0", "&nbsp;") for form in forms}
        forms |= {quote(form, safe="!'()*-._~", errors="replace") for form in forms}
    return forms


def _attribute(text: str) -> str:
    return html.escape(text, quote=False).replace('"', "&quot;")


def _well_formed(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
