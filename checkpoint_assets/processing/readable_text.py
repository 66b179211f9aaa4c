"""What a reader sees of a page, as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar

from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.dom import MASK, Node
from checkpoint_assets.processing.rendered import Begin, End, Text, walk_rendered
from checkpoint_assets.processing.step_processor import StepProcessor

TEXT_FILE = "text.txt"
MOST_TEXT = 1_000_000

_SPACE = re.compile(r"\s+")
# Around these there is no end of a line. A custom element is one until a style sheet says so.
_INLINE = frozenset([
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del",
    "dfn", "em", "font", "i", "img", "input", "ins", "kbd", "label", "mark", "meter", "object",
    "output", "picture", "progress", "q", "rp", "rt", "ruby", "s", "samp", "select", "slot",
    "small", "span", "strike", "strong", "sub", "sup", "svg", "textarea", "time", "tt", "u", "var",
    "wbr",
])  # fmt: skip
_CELLS = frozenset(["td", "th"])
# Two of these with nothing in between are mostly two things beside each other: links of a menu.
_BOXES = frozenset(["a", "button", "label", "output", "select", "span", "time"])


class ReadableText(StepProcessor):
    """The text of the page in reading order, a line for each block; stored as ``text.txt``.

    Shadow roots and frames are part of it, values of form fields are not. What stands for a secret
    is left out.
    """

    name = "readable_text"
    columns: ClassVar[Mapping[str, str]] = {
        "text_chars": "Int64",
        "text_words": "Int64",
        "text_sha256": "string",
    }

    def can_use(self, step: CapturedStep) -> bool:
        return step.html is not None

    def derive(self, step: CapturedStep) -> Derived:
        text = readable_text(step.document)
        data = text.encode()
        columns = {
            "text_chars": len(text),
            "text_words": len(text.split()),
            "text_sha256": sha256(data).hexdigest(),
        }
        return Derived(columns, {TEXT_FILE: (data, "text/plain; charset=utf-8")})


def readable_text(document: Node) -> str:
    """The text, at most ``MOST_TEXT`` characters: lines without white space around them."""
    found: list[str] = []
    room = MOST_TEXT
    preformatted = 0
    ended: Node | None = None
    for item in walk_rendered(document):
        if isinstance(item, Text):
            piece = _shown(item)
            if not preformatted:
                piece = _SPACE.sub(" ", piece)
        else:
            piece = _separator(item.node)
            if isinstance(item, Begin) and ended is not None and not preformatted:
                piece = piece or _between(ended, item.node)
            if item.node.tag == "pre":
                preformatted += 1 if isinstance(item, Begin) else -1
        ended = item.node if isinstance(item, End) else None
        found.append(piece[:room])
        room -= len(piece)
        if room <= 0:
            break
    lines = (" ".join(line.split()) for line in "".join(found).split("\n"))
    return "\n".join(line for line in lines if line)


def _shown(item: Text) -> str:
    """The text, if it is text of the page: not the value of a field, nor a choice not taken."""
    tag = item.parent.tag
    if tag == "textarea" or (tag == "option" and not item.parent.has("selected")):
        return ""
    return item.text[:MOST_TEXT].replace(MASK, "")


def _between(ended: Node, begun: Node) -> str:
    return " " if ended.tag in _BOXES and begun.tag in _BOXES else ""


def _separator(node: Node) -> str:
    if node.tag in _CELLS:
        return " "
    return "" if node.tag in _INLINE or "-" in node.tag else "\n"
