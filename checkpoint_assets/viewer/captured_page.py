"""Captured HTML made fit to be looked at: it runs nothing and asks for nothing.

What holds it is the frame it is shown in: a sandbox without any right, of an opaque origin, under
``PAGE_POLICY``. Neither stops a browser from resolving a name that a page hints at, so the markup
is written anew from its tokens as well, without scripts, addresses and hints.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from checkpoint_assets.viewer.html_tokens import VOID, Token, tokens

# Measured against 13 ways out: with this none is left. https://w3c.github.io/webappsec-csp/
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
# A longer page is not shown; its file is there.
LONGEST_PAGE = 8_000_000
_FRAMES_DEEP = 5
_LONGEST_TEXT = 300
_MOST_LINES = 20_000

# Left out with all that is in them, and as a tag alone.
_DROPPED = frozenset(["script", "noembed", "noframes", "object", "applet", "title"])
_DROPPED_TAGS = frozenset(
    [
        "base",
        "link",
        "meta",
        "embed",
        "param",
        "frame",
        "frameset",
        "portal",
        "fencedframe",
        "keygen",
        "animate",
        "set",
        "animatemotion",
        "animatetransform",
    ]
)
_RENAMED = {"plaintext": "pre", "xmp": "pre"}
_DROPPED_ATTRIBUTES = frozenset(
    [
        "ping",
        "manifest",
        "autofocus",
        "autoplay",
        "target",
        "http-equiv",
        "attributionsrc",
        "nonce",
        "integrity",
    ]
)
_ADDRESSES = frozenset(
    [
        "href",
        "src",
        "srcset",
        "imagesrcset",
        "xlink:href",
        "poster",
        "data",
        "background",
        "action",
        "formaction",
        "cite",
        "longdesc",
        "icon",
        "lowsrc",
        "dynsrc",
        "profile",
        "classid",
        "codebase",
        "archive",
        "usemap",
        "sandbox",
        "csp",
        "allow",
        "srcdoc",
        "loading",
    ]
)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif|svg\+xml)[;,]", re.IGNORECASE)
_NAME = re.compile(r"[a-z_:][a-z0-9_.:-]*")
_TAG_IN_STYLE = re.compile(r"<(?=[a-zA-Z/!?])")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class CapturedPage:
    """``html`` to be shown, ``text`` to be searched, ``lines`` to be compared."""

    html: str
    text: tuple[str, ...]
    lines: tuple[str, ...]


def read_page(source: str) -> CapturedPage:
    """The page without anything that runs or leads elsewhere."""
    reader = _Reader()
    body = "".join(reader.write(source, 0))
    policy = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    )
    doctype = "<!DOCTYPE html>" if reader.has_doctype else ""
    return CapturedPage(
        f"{doctype}{policy}{_BARE if reader.lacks_styles else ''}{body}",
        tuple(dict.fromkeys(reader.text)),
        tuple(reader.lines),
    )


_POLICY = html.escape(PAGE_POLICY, quote=True)
# Without its style sheet an icon without a size would fill the window.
_BARE = "<style>:where(svg:not([width])){width:1.5em;height:1.5em}</style>"


class _Reader:
    def __init__(self) -> None:
        self.text: list[str] = []
        self.lines: list[str] = []
        self.has_doctype = False
        self.lacks_styles = False
        self._open: list[str] = []

    def write(self, source: str, frames: int) -> Iterator[str]:
        """The parts of the page written anew."""
        dropped: str | None = None
        for token in tokens(source):
            name = token.text
            if token.kind == "doctype":
                self.has_doctype = self.has_doctype or not frames
            elif dropped is not None:
                if token.kind == "end" and name == dropped:
                    dropped = None
            elif token.kind == "start":
                if name in _DROPPED:
                    self._note_tag(token)
                    dropped = name
                else:
                    yield from self._start(token, frames)
            elif token.kind == "end":
                self._close(name)
                if _NAME.fullmatch(name) and name not in _DROPPED_TAGS | VOID:
                    yield f"</{_RENAMED.get(name, name)}>"
            elif token.kind == "raw":
                yield self._raw(token.text)
            else:
                self._note_text(token.text)
                yield token.text.replace("<", "&lt;")

    def _start(self, token: Token, frames: int) -> Iterator[str]:
        name = token.text
        self._note_tag(token)
        if name not in VOID:
            self._open.append(name)
        if name in _DROPPED_TAGS or not _NAME.fullmatch(name):
            rel = dict(token.attributes).get("rel", "").lower()
            self.lacks_styles = self.lacks_styles or (name == "link" and "stylesheet" in rel)
            return
        kept = [f"<{_RENAMED.get(name, name)}"]
        for key, value in token.attributes:
            if _NAME.fullmatch(key) and (shown := _kept(name, key, value)) is not None:
                kept.append(f' {key}="{_quoted(shown)}"')
        if name in ("a", "area"):
            # Still a link to style sheets; a new window is what no sandbox of ours gives.
            kept.append(' href="#" target="_blank"')
        elif name == "iframe":
            inner = html.unescape(dict(token.attributes).get("srcdoc", ""))
            shown = "".join(self.write(inner, frames + 1)) if frames < _FRAMES_DEEP else ""
            kept.append(f' sandbox srcdoc="{html.escape(shown, quote=True)}"')
        yield "".join([*kept, ">"])

    def _raw(self, text: str) -> str:
        # Inside an svg a style sheet is markup to a browser; to CSS this is the same character.
        return _TAG_IN_STYLE.sub(r"\\3c ", text) if self._open[-1:] == ["style"] else ""

    def _close(self, name: str) -> None:
        if name in self._open[-50:]:
            while self._open.pop() != name:
                pass

    def _note_tag(self, token: Token) -> None:
        shown = "".join(
            f' {name}="{_short(value)}"' if value else f" {name}"
            for name, value in token.attributes
            if name not in ("srcdoc", "data-checkpoint-id")
        )
        self._line(f"<{token.text}{shown}>")
        if token.text in ("input", "img", "textarea", "option"):
            for name, value in token.attributes:
                if name in ("value", "alt", "placeholder") and value.strip():
                    self.text.append(_short(html.unescape(value)))

    def _note_text(self, text: str) -> None:
        shown = _SPACE.sub(" ", html.unescape(text)).strip()
        if shown and len(self.text) < _MOST_LINES:
            self.text.append(_short(shown))
            self._line(_short(shown))

    def _line(self, text: str) -> None:
        if len(self.lines) < _MOST_LINES:
            self.lines.append("  " * min(len(self._open), 20) + text)


def _kept(tag: str, key: str, value: str) -> str | None:
    """The attribute's value as it is shown; ``None``: it is left out."""
    if key.startswith("on") or key in _DROPPED_ATTRIBUTES:
        return None
    if key not in _ADDRESSES:
        return value
    address = html.unescape(value).strip()
    if key in ("src", "href", "xlink:href", "poster"):
        pictures = tag in ("img", "image", "input", "video", "source", "feimage")
        if pictures and _PICTURE.match(address):
            return value
        if tag not in ("a", "area") and key != "src" and address.startswith("#"):
            return value  # part of a picture that is drawn elsewhere in the page
    return None


def _quoted(raw: str) -> str:
    return raw.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"
