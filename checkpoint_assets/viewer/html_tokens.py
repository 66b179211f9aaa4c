"""Captured HTML as tokens, in time linear in its length whatever it holds.

The states are those of the HTML standard (section 13.2.5) as far as they decide where a tag ends.
The parser of the standard library is not used: it can be made to take quadratic time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

# What stands between the tags of these is no markup. `noscript` is: no script runs here.
RAW_TEXT = frozenset(["script", "style", "xmp", "iframe", "noembed", "noframes"])
_ESCAPABLE = frozenset(["title", "textarea"])
VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "frame",
        "keygen",
    ]
)

_TAG = re.compile(r"<(/?)([a-zA-Z][^\t\n\f\r />]*)")
_ATTRIBUTE = re.compile(
    r"[\t\n\f\r /]*+(?:(?P<end>>)|(?P<name>=?[^\t\n\f\r />=]*+)"
    r"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+"
    r"(?:\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>(?![\"'])[^\t\n\f\r >]*+)))?)"
)
_COMMENT_END = re.compile(r"--!?>")
_DOCTYPE = re.compile(r"<!doctype", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source. ``text`` is raw: references (``&amp;``) stand as they were written."""

    kind: Literal["start", "end", "text", "raw", "doctype"]
    text: str
    attributes: tuple[tuple[str, str], ...] = ()


def tokens(source: str) -> Iterator[Token]:
    """Start and end tags (names in lower case), text, the raw text of a style or script.

    Comments and what a browser takes for one are left out, and so is a tag that never ends.
    """
    at, length = 0, len(source)
    while at < length:
        opening = source.find("<", at)
        if opening < 0:
            yield Token("text", source[at:])
            return
        if opening > at:
            yield Token("text", source[at:opening])
        tag = _TAG.match(source, opening)
        if tag is None:
            skipped = _skip_comment(source, opening)
            if skipped is None:
                yield Token("text", "<")
                at = opening + 1
                continue
            if _DOCTYPE.match(source, opening):
                yield Token("doctype", "")
            at = skipped
            continue
        found = _attributes(source, tag.end())
        if found is None:
            return
        attributes, at = found
        name = tag[2].lower()
        if tag[1]:
            yield Token("end", name)
            continue
        yield Token("start", name, attributes)
        if name in RAW_TEXT or name in _ESCAPABLE:
            end = _text_end(source, at, name)
            yield Token("raw" if name in RAW_TEXT else "text", source[at:end])
            at = end
        elif name == "plaintext":
            yield Token("text", source[at:])
            return


def _skip_comment(source: str, at: int) -> int | None:
    """Where the comment that begins here ends; ``None`` if none does."""
    if source.startswith("<!--", at):
        if source.startswith(("<!-->", "<!--->"), at):
            return source.index(">", at) + 1
        ending = _COMMENT_END.search(source, at + 4)
        return ending.end() if ending else len(source)
    if source.startswith(("<!", "<?", "</"), at):
        end = source.find(">", at + 2)
        return end + 1 if end >= 0 else len(source)
    return None


def _attributes(source: str, at: int) -> tuple[tuple[tuple[str, str], ...], int] | None:
    """The attributes from there, the first of each name, and where the tag ends."""
    found: dict[str, str] = {}
    while True:
        match = _ATTRIBUTE.match(source, at)
        if match is None or (match.end() == at and match["end"] is None):
            return None
        if match.end() >= len(source) and match["end"] is None:
            return None
        at = match.end()
        if match["end"]:
            return tuple(found.items()), at
        if match["name"]:
            value = match["double"] or match["single"] or match["bare"] or ""
            found.setdefault(match["name"].lower(), value)


def _text_end(source: str, at: int, name: str) -> int:
    ending = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE).search(source, at)
    return ending.start() if ending else len(source)
