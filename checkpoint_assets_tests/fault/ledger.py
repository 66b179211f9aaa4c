"""What the programs of a test began, and what they were told: the other side of the guarantees."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

# HTML, screenshot, action, metadata: as retrieve_step_data returns them.
Content = tuple[str | None, bytes | None, dict[str, Any] | None, dict[str, Any] | None]
Step = tuple[str, str]
NEVER = float("inf")


@dataclass
class Entry:
    """One call: when it began, when it ended (if ever), and whether it was acknowledged.

    A ``soft`` removal can be taken back: its grace period lasts for the whole test.
    """

    kind: Literal["store", "remove", "read"]
    step: Step
    began: float
    content: Content | None = None
    ended: float = NEVER
    acknowledged: bool = False
    soft: bool = False

    def precedes(self, other: Entry) -> bool:
        return self.ended < other.began


class Ledger:
    """Entries in the order in which the calls began."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.untouched: dict[str, bytes] = {}
        self._time = 0

    def _tick(self) -> int:
        self._time += 1
        return self._time

    def begin(
        self,
        kind: Literal["store", "remove", "read"],
        step: Step,
        content: Content | None = None,
        *,
        soft: bool = False,
    ) -> Entry:
        self.entries.append(Entry(kind, step, self._tick(), content, soft=soft))
        return self.entries[-1]

    def end(self, entry: Entry, *, acknowledged: bool = True) -> None:
        """The call has returned, or it was refused for good."""
        entry.ended = self._tick()
        entry.acknowledged = acknowledged

    def state(self) -> Hashable:
        """All that ``assert_invariants`` looks at."""
        return tuple(
            (entry.step, entry.began, entry.ended, entry.acknowledged, str(entry.content))
            for entry in self.entries
        )

    def stored(self, step: Step, content: Content) -> None:
        """A step that was there before anything else."""
        self.end(self.begin("store", step, content))

    def forget(self, step: Step) -> None:
        """From now on nothing is said about the step."""
        self.entries = [entry for entry in self.entries if entry.step != step]

    def steps(self) -> list[Step]:
        return list(dict.fromkeys(entry.step for entry in self.entries))

    def of(self, step: Step, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.step == step and entry.kind == kind)

    def must_be(self, step: Step) -> Content | None:
        """What was acknowledged, and nobody has begun to remove since it was begun."""
        return self._due(step, list(self.of(step, "remove")))

    def must_be_kept(self, step: Step) -> Content | None:
        """What was acknowledged, and nobody has begun to remove for good."""
        return self._due(step, [entry for entry in self.of(step, "remove") if not entry.soft])

    def _due(self, step: Step, removals: list[Entry]) -> Content | None:
        for store in self.of(step, "store"):
            if store.acknowledged and all(removal.precedes(store) for removal in removals):
                return store.content
        return None

    def must_be_gone(self, step: Step) -> bool:
        """Whether a removal was acknowledged, and every store had ended before it began."""
        stores = list(self.of(step, "store"))
        return any(
            removal.acknowledged and all(store.precedes(removal) for store in stores)
            for removal in self.of(step, "remove")
        )

    def may_be(self, step: Step) -> list[Content | None]:
        """The contents that somebody has begun to store."""
        return [store.content for store in self.of(step, "store")]
