"""What elements are called, for who cannot see them.

After the rules for names (https://www.w3.org/TR/accname-1.2/), of which those are kept that pages
commonly rely on.
"""

from __future__ import annotations

from itertools import islice

from checkpoint_assets.processing.dom import Node
from checkpoint_assets.processing.rendered import is_hidden

LONGEST_NAME = 200
# Elements and texts that are looked at for one name, and elements that may name one.
_NAME_PARTS = 50
_NAMING = 4
_FIELDS = frozenset(["input", "select", "textarea"])


class AccessibleNames:
    """Who calls what how, on one page."""

    def __init__(self, document: Node) -> None:
        self._by_id: dict[str, Node] = {}
        self._labels: dict[str, Node] = {}
        self._label_around: dict[int, Node] = {}
        self._named: dict[str, str] = {}
        for node in document.walk():
            if key := node.get("id"):
                self._by_id.setdefault(key, node)
            if node.tag == "label":
                self._take_label(node)

    def given(self, node: Node) -> str:
        """The name that the author gave in words, if any."""
        return (
            self._labelled(node)
            or node.get("aria-label")
            or self._label(node)
            or self._own(node)
            or ""
        )

    def content(self, node: Node) -> str:
        """The text that is in it, with the names of its pictures."""
        found: list[str] = []
        left: list[Node | str] = [node]
        for _ in range(_NAME_PARTS):
            if not left:
                break
            item = left.pop()
            if isinstance(item, str):
                found.append(item[: 2 * LONGEST_NAME])
            elif item.tag not in _FIELDS and not is_silent(item):
                if item is not node and (own := item.get("aria-label") or item.get("alt")):
                    found.append(f" {own[:LONGEST_NAME]} ")
                else:
                    left.extend(reversed(item.children[:_NAME_PARTS]))
        return " ".join("".join(found).split())

    def _take_label(self, label: Node) -> None:
        if key := label.get("for"):
            self._labels.setdefault(key, label)
            return
        inside = islice(label.walk(), _NAME_PARTS)
        if (field := next((node for node in inside if node.tag in _FIELDS), None)) is not None:
            self._label_around.setdefault(id(field), label)

    def _labelled(self, node: Node) -> str:
        keys = node.get("aria-labelledby").split()[:_NAMING]
        return " ".join(self._text_of(key) for key in keys if key in self._by_id)

    def _text_of(self, key: str) -> str:
        if key not in self._named:
            self._named[key] = self.content(self._by_id[key])
        return self._named[key]

    def _label(self, node: Node) -> str:
        if node.tag not in _FIELDS | {"meter", "progress", "output"}:
            return ""
        label = self._labels.get(node.get("id")) or self._label_around.get(id(node))
        return "" if label is None else self.content(label)

    def _own(self, node: Node) -> str:
        match node.tag:
            case "img" | "area":
                return node.get("alt")
            case "input" if node.get("type").lower() in {"button", "submit", "reset"}:
                return node.get("value") or node.get("type").capitalize()
            case "input" if node.get("type").lower() == "image":
                return node.get("alt")
            case "input" | "textarea":
                return node.get("title") or node.get("placeholder")
            case "fieldset" | "table" | "figure" | "svg":
                naming = {"fieldset": "legend", "table": "caption", "figure": "figcaption"}
                tag = naming.get(node.tag, "title")
                named = next((each for each in node.elements() if each.tag == tag), None)
                return "" if named is None else " ".join(named.text(LONGEST_NAME).split())
            case "iframe" | "frame":
                return node.get("title")
            case _:
                return ""


def is_silent(node: Node) -> bool:
    """Whether it is not there for assistive technology."""
    return node.get("aria-hidden").lower() == "true" or is_hidden(node)
