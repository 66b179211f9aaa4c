"""What of a page's elements and texts differs from the page of the step before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from typing import ClassVar

from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.dom import DOCUMENT, SHADOW_ROOT, Node
from checkpoint_assets.processing.line_difference import line_changes, unified
from checkpoint_assets.processing.step_processor import StepProcessor

DIFFERENCE_FILE = "dom.diff"
MOST_BYTES = 256 * 1024
MOST_LINES = 30_000
_LONGEST = 200
_LONGEST_LINE = 2000
# The capture's own: numbers it gave, where something is scrolled to, what the pointer is over.
_OURS = "data-checkpoint-"
_RAW = frozenset(["script", "style"])


class DomDifference(StepProcessor):
    """Lines added and removed, a line for each element's start tag and for each text.

    ``dom.diff`` is a unified diff without context, cut off at 256 KiB; a line that has changed is
    one removed and one added. There is none if nothing changed. Long values are cut, with a digest
    of the whole, so that no change is missed. Of each page the first 30,000 lines are compared.
    """

    name = "dom_difference"
    columns: ClassVar[Mapping[str, str]] = {
        "dom_lines_added": "Int64",
        "dom_lines_removed": "Int64",
    }

    def can_use(self, step: CapturedStep) -> bool:
        before = step.previous
        return step.html is not None and before is not None and before.html is not None

    def derive(self, step: CapturedStep) -> Derived:
        if step.previous is None or step.html == step.previous.html:
            return Derived({"dom_lines_added": 0, "dom_lines_removed": 0})
        old, new = _first_lines(step.previous.document), _first_lines(step.document)
        changes = line_changes(old, new)
        columns = {
            "dom_lines_added": sum(change.new_end - change.new_begin for change in changes),
            "dom_lines_removed": sum(change.end - change.begin for change in changes),
        }
        if not changes:
            return Derived(columns)
        head = [f"--- {step.previous.step_id}", f"+++ {step.step_id}"]
        data = _joined([*head, *unified(old, new, changes)])
        return Derived(columns, {DIFFERENCE_FILE: (data, "text/plain; charset=utf-8")})


def _first_lines(document: Node) -> list[str]:
    return [*islice(page_lines(document), MOST_LINES)]


def page_lines(document: Node) -> Iterator[str]:
    """A line for each element and each text, in document order."""
    left: list[Node | str] = [document]
    while left:
        item = left.pop()
        if isinstance(item, str):
            if text := " ".join(item.split()):
                yield _cut(text)
            continue
        if item.tag != DOCUMENT:
            yield _start_tag(item)
        if item.tag in _RAW:
            if code := item.text():
                yield _cut(code, longest=0)
        else:
            left.extend(reversed(item.children))


def _start_tag(node: Node) -> str:
    tag = "template" if node.tag == SHADOW_ROOT else node.tag
    attributes = "".join(
        f' {name}="{_cut(value)}"'
        for name, value in node.attributes.items()
        if not name.startswith(_OURS)
    )
    return _cut(f"<{tag}{attributes}>", _LONGEST_LINE)


def _cut(text: str, longest: int = _LONGEST) -> str:
    if len(text) <= longest:
        return text.replace("\n", " ").replace("\r", " ")
    digest = sha256(text.encode(errors="replace")).hexdigest()[:12]
    return f"{_cut(text[:longest])}…#{digest}"


def _joined(lines: list[str]) -> bytes:
    found: list[bytes] = []
    room = MOST_BYTES
    for line in lines:
        data = line.encode(errors="replace") + b"\n"
        room -= len(data)
        if room < 0:
            found.append(b"# cut off here\n")
            break
        found.append(data)
    return b"".join(found)
