"""The page as assistive technology has it: roles, names, levels and states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from checkpoint_assets.processing.accessible_names import (
    LONGEST_NAME,
    AccessibleNames,
    is_silent,
)
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.dom import DOCUMENT, MASK, SHADOW_ROOT, Node
from checkpoint_assets.processing.rendered import Begin, Text, walk_rendered
from checkpoint_assets.processing.roles import (
    CONTROLS,
    LANDMARKS,
    NAMED_BY_CONTENT,
    SECTIONS,
    level_of,
    role_of,
)
from checkpoint_assets.processing.step_processor import StepProcessor

OUTLINE_FILE = "outline.txt"
MOST_LINES = 5000
_STATES = ("checked", "disabled", "expanded", "pressed", "required", "selected")
_DEEPEST_INDENT = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the outline; ``depth`` counts the entries around it."""

    depth: int
    role: str
    name: str
    level: int | None
    states: tuple[str, ...]

    def __str__(self) -> str:
        name = f" {json.dumps(self.name, ensure_ascii=False)}" if self.name else ""
        level = f" [level={self.level}]" if self.level else ""
        states = "".join(f" [{state}]" for state in self.states)
        return f"{'  ' * min(self.depth, _DEEPEST_INDENT)}- {self.role}{name}{level}{states}"


class AccessibilityOutline(StepProcessor):
    """``outline.txt``: a line for each element with a role, as ``- heading "Cart" [level=2]``.

    It is made of the stored HTML alone: what a style sheet hides is in it, what one generates is
    not, and of the rules for names those are kept that pages commonly rely on.
    ``unnamed_controls`` counts links, buttons and fields that nobody can tell what they are for.
    """

    name = "accessibility_outline"
    columns: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("headings", "landmarks", "controls", "unnamed_controls"), "Int64"
    )

    def can_use(self, step: CapturedStep) -> bool:
        return step.html is not None

    def derive(self, step: CapturedStep) -> Derived:
        counts: Counter[str] = Counter(dict.fromkeys(self.columns, 0))
        lines: list[str] = []
        for entry in outline(step.document):
            counts["headings"] += entry.role == "heading"
            counts["landmarks"] += entry.role in LANDMARKS
            counts["controls"] += entry.role in CONTROLS
            counts["unnamed_controls"] += entry.role in CONTROLS and not entry.name
            if len(lines) < MOST_LINES:
                lines.append(str(entry))
        data = "".join(f"{line}\n" for line in lines).encode()
        return Derived(counts, {OUTLINE_FILE: (data, "text/plain; charset=utf-8")})


def outline(document: Node) -> Iterator[Entry]:
    """The entries of the page, frames and shadow roots included, in the order they are shown."""
    names = AccessibleNames(document)
    depth = sections = 0
    hidden: Node | None = None
    shown: set[int] = set()
    for item in walk_rendered(document):
        if isinstance(item, Text):
            continue
        node = item.node
        if hidden is not None:
            hidden = None if hidden is node else hidden
            continue
        step = 1 if isinstance(item, Begin) else -1
        if node.tag in SECTIONS:
            sections += step
        if step < 0:
            depth -= id(node) in shown
            shown.discard(id(node))
            continue
        if is_silent(node):
            hidden = node
            sections -= node.tag in SECTIONS
            continue
        entry = _entry(node, names, depth, in_section=sections > 0)
        if entry is not None:
            shown.add(id(node))
            depth += 1
            yield entry


def _entry(node: Node, names: AccessibleNames, depth: int, *, in_section: bool) -> Entry | None:
    if node.tag in (DOCUMENT, SHADOW_ROOT):
        return None
    given = names.given(node)
    role = role_of(node, named=bool(given), in_section=in_section)
    if role is None:
        return None
    name = given or (names.content(node) if role in NAMED_BY_CONTENT else "") or node.get("title")
    level = level_of(node) if role == "heading" else None
    return Entry(depth, role, _plain(name), level, _states(node))


def _states(node: Node) -> tuple[str, ...]:
    found = [
        state
        for state in _STATES
        if node.has(state) or node.get(f"aria-{state}").lower() in {"true", "mixed"}
    ]
    if node.tag in {"details", "dialog"} and node.has("open"):
        found.append("open")
    return tuple(found)


def _plain(name: str) -> str:
    return " ".join(name.replace(MASK, "").split())[:LONGEST_NAME]
