"""How much of what there is in a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.dom import DOCUMENT, SHADOW_ROOT, Node
from checkpoint_assets.processing.step_processor import StepProcessor

_INERT = frozenset(["script", "style", "template"])
_COUNTED = {
    "forms": ("form",),
    "fields": ("input", "textarea", "select"),
    "buttons": ("button",),
    "images": ("img", "svg", "canvas", "picture"),
    "scripts": ("script",),
    "frames": ("iframe", "frame"),
    "shadow_roots": (SHADOW_ROOT,),
}


class DomStatistics(StepProcessor):
    """Counts of elements, frames' and shadow roots' included; inert templates are not entered.

    ``dom_chars`` are the characters of all texts but those of scripts and styles, shown or not.
    """

    name = "dom_statistics"
    columns: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("elements", "dom_depth", "dom_chars", "links", *_COUNTED), "Int64"
    )

    def can_use(self, step: CapturedStep) -> bool:
        return step.html is not None

    def derive(self, step: CapturedStep) -> Derived:
        return Derived(_statistics(step.document))


def _statistics(document: Node) -> dict[str, int]:
    tags: Counter[str] = Counter()
    deepest = characters = links = 0
    left = [(document, 1)]
    while left:
        node, depth = left.pop()
        tags[node.tag] += 1
        deepest = max(deepest, depth)
        links += node.tag == "a" and node.has("href")
        if node.tag not in _INERT:
            characters += sum(len(text) for text in node.children if isinstance(text, str))
            inner = depth if node.tag in (DOCUMENT, SHADOW_ROOT) else depth + 1
            left.extend((child, inner) for child in node.elements())
    counts = {name: sum(tags[tag] for tag in names) for name, names in _COUNTED.items()}
    elements = tags.total() - tags[DOCUMENT] - tags[SHADOW_ROOT]
    return {
        "elements": elements,
        "dom_depth": deepest,
        "dom_chars": characters,
        "links": links,
        **counts,
    }
