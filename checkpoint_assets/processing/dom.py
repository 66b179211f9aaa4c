"""Stored HTML as a tree of plain nodes, in bounded time and memory whatever the input is.

The tokens are libxml2's; the tree is our own, since every parser that builds one can be made to
build one without end: by depth, by attributes, by formatting elements that are opened anew in
each paragraph. Shadow roots and the documents of frames are nodes of the same tree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import unquote

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] (it has no types)

from checkpoint_assets.model.errors import ProcessingError

# What the capture writes in place of a secret.
MASK = "********"
# A capture's own limits are 200,000 nodes and 16 million characters; it ends a page there.
MOST_CHARACTERS = 32_000_000
MOST_ELEMENTS = 250_000
# Chromium's parser stops nesting at 512; scripts can go on.
MOST_DEPTH = 2000
MOST_FRAMES_DEEP = 8
# Of the processor's time, so that a page is not another one on a machine that is busy.
SECONDS = 10.0
# Between two pieces the time is looked at.
_PIECE = 1 << 16

DOCUMENT = "#document"
SHADOW_ROOT = "#shadow-root"
# The attribute of a frame that its document is stored in, by what the capture writes.
_FRAME_SOURCES = {"iframe": "srcdoc", "frame": "src", "object": "data"}
_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
_PAGE_URL = "data:text/html;charset=utf-8,"


@dataclass(slots=True, eq=False)
class Node:
    """An element, a document (``#document``) or a shadow root (``#shadow-root``).

    Children are nodes and texts. A shadow root is the first child of its host, and the document
    of a frame the only one of the frame's element.
    """

    tag: str
    attributes: Mapping[str, str]
    children: list[Node | str] = field(default_factory=list["Node | str"])

    @property
    def shadow_root(self) -> Node | None:
        """The shadow root that this element hosts."""
        return next((node for node in self.elements() if node.tag == SHADOW_ROOT), None)

    def get(self, name: str) -> str:
        """The attribute, with the white space around it removed; empty if there is none."""
        return self.attributes.get(name, "").strip()

    def has(self, name: str) -> bool:
        """Whether there is such an attribute."""
        return name in self.attributes

    def elements(self) -> Iterator[Node]:
        """The children that are no texts."""
        return (child for child in self.children if isinstance(child, Node))

    def walk(self, enter: Callable[[Node], bool] = lambda _: True) -> Iterator[Node]:
        """This node and those below it, in document order; not below those not to be entered."""
        left: list[Node] = [self]
        while left:
            node = left.pop()
            yield node
            if enter(node):
                left.extend(reversed([*node.elements()]))

    def text(self, most: int = 1_000_000) -> str:
        """The texts below, joined; the first ``most`` characters of them."""
        found: list[str] = []
        left: list[Node | str] = [self]
        room = most
        while left and room > 0:
            node = left.pop()
            if isinstance(node, str):
                found.append(node[:room])
                room -= len(node)
            else:
                left.extend(reversed(node.children))
        return "".join(found)


def parse_html(
    html: str, *, seconds: float = SECONDS, clock: Callable[[], float] = time.thread_time
) -> Node:
    """The document's tree. Raises ``ProcessingError`` for one beyond the limits."""
    budget = _Budget(MOST_ELEMENTS, clock() + seconds, clock)
    return _parse(html, budget, 0)


@dataclass(slots=True)
class _Budget:
    """What is left for a page with all its frames."""

    elements: int
    deadline: float
    clock: Callable[[], float]

    def take_element(self) -> None:
        self.elements -= 1
        if self.elements < 0:
            raise ProcessingError(f"the page has more than {MOST_ELEMENTS} elements")

    def check_time(self) -> None:
        if self.clock() > self.deadline:
            raise ProcessingError("the page takes too long to read")


def _parse(html: str, budget: _Budget, frames_deep: int) -> Node:
    if len(html) > MOST_CHARACTERS:
        raise ProcessingError(f"the page has {len(html)} characters")
    data = html.encode(errors="replace")
    builder = _Builder(budget, frames_deep)
    parser = etree.HTMLParser(
        target=builder, encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True
    )
    try:
        for begin in range(0, len(data), _PIECE):
            parser.feed(data[begin : begin + _PIECE])
            budget.check_time()
        parser.close()
    except etree.LxmlError:
        # Nothing but comments and the like: no element was begun, which is an empty page.
        if builder.document.children:
            raise
    return builder.document


class _Builder:
    """Takes the tokens, and makes the tree of them."""

    def __init__(self, budget: _Budget, frames_deep: int) -> None:
        self.document = Node(DOCUMENT, {})
        self._budget = budget
        self._frames_deep = frames_deep
        self._open = [self.document]
        self._text: list[str] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._flush()
        self._budget.take_element()
        if len(self._open) > MOST_DEPTH:
            raise ProcessingError(f"the page is nested more than {MOST_DEPTH} elements deep")
        node = Node(tag, dict(attributes) if attributes else _NO_ATTRIBUTES)
        if tag == "template" and node.has("shadowrootmode"):
            node.tag = SHADOW_ROOT
        elif tag in _FRAME_SOURCES:
            self._read_frame(node, _FRAME_SOURCES[tag])
        self._open[-1].children.append(node)
        self._open.append(node)

    def end(self, tag: str) -> None:
        self._flush()
        if len(self._open) > 1:
            self._open.pop()

    def data(self, text: str) -> None:
        self._text.append(text)

    def close(self) -> Node:
        self._flush()
        return self.document

    def _flush(self) -> None:
        if self._text:
            self._open[-1].children.append("".join(self._text))
            self._text.clear()

    def _read_frame(self, node: Node, name: str) -> None:
        """The frame's document becomes its child; what stands inside a frame is for no reader."""
        source = node.attributes.get(name, "")
        if name != "srcdoc":
            if not source.startswith(_PAGE_URL):
                return
            source = unquote(source.removeprefix(_PAGE_URL))
        node.attributes = {key: value for key, value in node.attributes.items() if key != name}
        if source and self._frames_deep < MOST_FRAMES_DEEP:
            node.children.append(_parse(source, self._budget, self._frames_deep + 1))
