"""The words of all pages of a session: each line once, with the steps that show it."""

from __future__ import annotations

from collections.abc import Iterable

# Characters of all lines. Pages of a session have most of theirs in common.
_MOST = 2_000_000


class SearchIndex:
    """Takes the lines of one step after the other. What is beyond its bounds is left out."""

    def __init__(self) -> None:
        self._steps: dict[str, list[int]] = {}
        self._size = 0
        self._whole = True

    def add(self, ordinal: int, lines: Iterable[str]) -> None:
        """These lines are on the page of that step; steps come in order."""
        for line in lines:
            ranges = self._steps.get(line)
            if ranges is None:
                if self._size + len(line) > _MOST:
                    self._whole = False
                    continue
                self._size += len(line)
                self._steps[line] = [ordinal, ordinal]
            elif ranges[-1] >= ordinal - 1:
                ranges[-1] = ordinal
            else:
                ranges += [ordinal, ordinal]

    def to_data(self) -> dict[str, object]:
        """``lines``: (text, first and last step of each run of steps that have it)."""
        return {"whole": self._whole, "lines": [[line, *at] for line, at in self._steps.items()]}
