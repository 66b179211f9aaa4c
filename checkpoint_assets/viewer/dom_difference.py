"""What changed between two pages, as lines that a person reads. Bounded in time and in length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

_CONTEXT = 2
_MOST_ROWS = 400
# Pairs of equal lines that the comparison looks at. Beyond it lines are only counted.
_MOST_PAIRS = 400_000


@dataclass(slots=True)
class DomDifference:
    """``rows`` are (sign, line): ``+``, ``-``, a space for context, ``@`` where lines are left out.

    ``exact`` is false where the pages are too large to be put side by side, ``whole`` where there
    are more rows than are given.
    """

    added: int = 0
    removed: int = 0
    rows: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    exact: bool = True
    whole: bool = True


def compare_lines(before: Sequence[str], after: Sequence[str]) -> DomDifference:
    """The difference. How far a line is indented is no difference."""
    old = [line.strip() for line in before]
    new = [line.strip() for line in after]
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old_part, new_part = old[head : len(old) - tail], new[head : len(new) - tail]
    counts, others = Counter(old_part), Counter(new_part)
    found = DomDifference()
    if sum(count * others[line] for line, count in counts.items()) > _MOST_PAIRS:
        found.exact = False
        for sign, more, less in (("-", counts, others), ("+", others, counts)):
            lines = list((more - less).elements())
            _count(found, sign, len(lines))
            found.rows += [(sign, line) for line in lines[: _MOST_ROWS // 2]]
        found.whole = len(found.rows) == found.added + found.removed
        return found
    # Lines with what is the same around them.
    start, end = max(0, head - _CONTEXT), max(0, tail - _CONTEXT)
    old_shown, new_shown = before[start : len(old) - end], after[start : len(new) - end]
    matcher = SequenceMatcher(
        None, old[start : len(old) - end], new[start : len(new) - end], autojunk=False
    )
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        if found.rows:
            found.rows.append(("@", ""))
        for what, old_from, old_to, new_from, new_to in group:
            if what == "equal":
                found.rows += [(" ", line) for line in new_shown[new_from:new_to]]
                continue
            found.rows += [("-", line) for line in old_shown[old_from:old_to]]
            found.rows += [("+", line) for line in new_shown[new_from:new_to]]
            _count(found, "-", old_to - old_from)
            _count(found, "+", new_to - new_from)
    found.whole = len(found.rows) <= _MOST_ROWS
    del found.rows[_MOST_ROWS:]
    return found


def _count(found: DomDifference, sign: str, number: int) -> None:
    if sign == "+":
        found.added += number
    else:
        found.removed += number


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
