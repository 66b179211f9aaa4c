"""The difference of two lists of lines, in nearly linear time whatever is in them.

Lines that are alone in both lists are the anchors (patience diff); what is between two anchors is
compared in the same way. Where there is no anchor, few lines are compared exactly, and many are
taken as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_EXACT = 2500
_LEVELS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """Lines ``old[begin:end]`` have become ``new[new_begin:new_end]``; one of both may be empty."""

    begin: int
    end: int
    new_begin: int
    new_end: int


def line_changes(old: Sequence[str], new: Sequence[str]) -> list[Change]:
    """What has to be changed to make the new lines of the old ones, from top to bottom."""
    changes: list[Change] = []
    for change in _changes(old, new, Change(0, len(old), 0, len(new)), _LEVELS):
        last = changes[-1] if changes else None
        if last and (last.end, last.new_end) == (change.begin, change.new_begin):
            changes[-1] = Change(last.begin, change.end, last.new_begin, change.new_end)
        else:
            changes.append(change)
    return changes


def unified(old: Sequence[str], new: Sequence[str], changes: Sequence[Change]) -> Iterator[str]:
    """The changes as lines of a unified diff without context."""
    for change in changes:
        removed, added = change.end - change.begin, change.new_end - change.new_begin
        yield (
            f"@@ -{_place(change.begin, removed)},{removed} "
            f"+{_place(change.new_begin, added)},{added} @@"
        )
        yield from (f"-{line}" for line in old[change.begin : change.end])
        yield from (f"+{line}" for line in new[change.new_begin : change.new_end])


def _place(begin: int, count: int) -> int:
    """Lines count from 1; no lines are behind the one that is named."""
    return begin + 1 if count else begin


def _changes(
    old: Sequence[str], new: Sequence[str], within: Change, levels: int
) -> Iterator[Change]:
    part = _trim(old, new, within)
    removed, added = part.end - part.begin, part.new_end - part.new_begin
    if not removed and not added:
        return
    if not removed or not added or not levels:
        yield part
        return
    anchors = _anchors(old, new, part)
    if not anchors:
        yield from _without_anchors(old, new, part)
        return
    begin, new_begin = part.begin, part.new_begin
    for at, new_at in [*anchors, (part.end, part.new_end)]:
        yield from _changes(old, new, Change(begin, at, new_begin, new_at), levels - 1)
        begin, new_begin = at + 1, new_at + 1


def _trim(old: Sequence[str], new: Sequence[str], part: Change) -> Change:
    """The part without the lines that are the same at its begin and at its end."""
    begin, end, new_begin, new_end = part.begin, part.end, part.new_begin, part.new_end
    while begin < end and new_begin < new_end and old[begin] == new[new_begin]:
        begin, new_begin = begin + 1, new_begin + 1
    while begin < end and new_begin < new_end and old[end - 1] == new[new_end - 1]:
        end, new_end = end - 1, new_end - 1
    return Change(begin, end, new_begin, new_end)


def _anchors(old: Sequence[str], new: Sequence[str], part: Change) -> list[tuple[int, int]]:
    """Lines that are once in both, as many of them as are in the same order."""
    here = _alone(old, part.begin, part.end)
    there = _alone(new, part.new_begin, part.new_end)
    both = [(at, there[line]) for line, at in here.items() if line in there]
    # The longest increasing sequence of the places in the new lines.
    tops: list[int] = []
    top_index: list[int] = []
    before: list[int] = []
    for index, (_, new_at) in enumerate(both):
        pile = bisect_left(tops, new_at)
        before.append(top_index[pile - 1] if pile else -1)
        tops[pile : pile + 1] = [new_at]
        top_index[pile : pile + 1] = [index]
    found: list[tuple[int, int]] = []
    index = top_index[-1] if top_index else -1
    while index >= 0:
        found.append(both[index])
        index = before[index]
    return found[::-1]


def _alone(lines: Sequence[str], begin: int, end: int) -> dict[str, int]:
    counts = Counter(lines[begin:end])
    return {lines[at]: at for at in range(begin, end) if counts[lines[at]] == 1}


def _without_anchors(old: Sequence[str], new: Sequence[str], part: Change) -> Iterator[Change]:
    if (part.end - part.begin) * (part.new_end - part.new_begin) > _EXACT:
        yield part
        return
    matcher = SequenceMatcher(
        None, old[part.begin : part.end], new[part.new_begin : part.new_end], autojunk=False
    )
    for tag, begin, end, new_begin, new_end in matcher.get_opcodes():
        if tag != "equal":
            yield Change(
                part.begin + begin, part.begin + end,
                part.new_begin + new_begin, part.new_begin + new_end,
            )  # fmt: skip
