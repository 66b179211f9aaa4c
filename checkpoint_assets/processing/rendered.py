"""A page in the order and the parts in which it is shown, as far as HTML alone says.

Shadow roots take the place of what their hosts hold, slots show what is assigned to them, frames
show their documents. Left out is what is never shown (scripts, styles, templates), what an
attribute hides, closed dialogs, popovers and details. What a style sheet hides is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from checkpoint_assets.processing.dom import SHADOW_ROOT, Node

_NEVER_SHOWN = frozenset([
    "head", "title", "script", "style", "template", "noscript", "noembed", "noframes", "datalist",
    "canvas", "audio", "video", "meta", "link", "base", "param", "area",
])  # fmt: skip
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Begin:
    """An element begins, shown as ``Text``, ``Begin`` and ``End`` of what is in it follow."""

    node: Node


@dataclass(frozen=True, slots=True)
class End:
    """The element has ended."""

    node: Node


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it stands in the page, white space and all."""

    text: str
    parent: Node


@dataclass(slots=True)
class _Scope:
    """The inside of a shadow root: what its host holds, by slot, and the scope of the host."""

    assigned: dict[str, list[Node | str]]
    outer: _Scope | None


def is_hidden(node: Node) -> bool:
    """Whether the element is not shown, whatever is around it."""
    if node.tag in _NEVER_SHOWN or node.has("hidden"):
        return True
    if node.tag == "dialog" and not node.has("open"):
        return True
    if node.has("popover") and not node.has("data-checkpoint-popover-open"):
        return True
    return bool(_HIDING_STYLE.search(node.get("style")))


def walk_rendered(root: Node) -> Iterator[Begin | End | Text]:
    """Everything that is shown below the node, in order, each element with its begin and end."""
    left: list[tuple[Begin | End | Node | str, Node, _Scope | None]] = [(root, root, None)]
    while left:
        item, parent, scope = left.pop()
        if isinstance(item, str):
            yield Text(item, parent)
        elif isinstance(item, End):
            yield item
        elif isinstance(item, Node) and not is_hidden(item):
            yield Begin(item)
            left.append((End(item), parent, scope))
            children, inner = _shown_children(item, scope)
            left.extend((child, item, inner) for child in reversed(children))


def _shown_children(node: Node, scope: _Scope | None) -> tuple[list[Node | str], _Scope | None]:
    shadow = node.shadow_root
    if shadow is not None:
        return shadow.children, _Scope(_assign(node), scope)
    if node.tag == "slot" and scope is not None:
        # Of two slots of one name the first shows what there is.
        assigned = scope.assigned.pop(node.get("name"), None)
        if assigned is not None:
            return assigned, scope.outer
    if node.tag == "details" and not node.has("open"):
        summary = next((child for child in node.elements() if child.tag == "summary"), None)
        return ([] if summary is None else [summary]), scope
    return node.children, scope


def _assign(host: Node) -> dict[str, list[Node | str]]:
    assigned: dict[str, list[Node | str]] = {}
    for child in host.children:
        if isinstance(child, str):
            assigned.setdefault("", []).append(child)
        elif child.tag != SHADOW_ROOT:
            assigned.setdefault(child.get("slot"), []).append(child)
    return assigned
