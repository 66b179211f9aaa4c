"""What the programs of a test began, and what they were told: the other side of the guarantees."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

# HTML, screenshot, action, metadata: as retrieve_step_data returns them.
Content = tuple[str | None, bytes | None, dict[str, Any] | None, dict[str, Any] | None]
Step = tuple[str, str]
NEVER = float("inf")


@dataclass
class Entry:
    """One call: when it began, when it ended (if ever), and whether it was acknowledged.

    A ``soft`` removal can be taken back: its grace period lasts for the whole test. A store that
    ``replaces`` takes the place of what was stored before.
    """

    kind: Literal["store", "remove", "read"]
    step: Step
    began: float
    content: Content | None = None
    ended: float = NEVER
    acknowledged: bool = False
    refused: bool = False
    soft: bool = False
    replaces: bool = False

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
        replaces: bool = False,
    ) -> Entry:
        entry = Entry(kind, step, self._tick(), content, soft=soft, replaces=replaces)
        self.entries.append(entry)
        return entry

    def end(self, entry: Entry) -> None:
        """The call has returned."""
        entry.ended = self._tick()
        entry.acknowledged = True

    def refuse(self, entry: Entry) -> None:
        """The call was refused for good: it has changed nothing that a reader sees."""
        entry.ended = self._tick()
        entry.refused = True
        if entry.kind == "remove":
            self.entries.remove(entry)

    def state(self) -> Hashable:
        """All that ``assert_invariants`` looks at."""
        return tuple(
            (e.kind, e.step, e.began, e.ended, e.acknowledged, e.soft, str(e.content))
            for e in self.entries
        )

    def stored(self, step: Step, content: Content) -> None:
        """A step that was there before anything else."""
        self.end(self.begin("store", step, content))

    def forget(self, step: Step) -> None:
        """From now on nothing is said about the step."""
        self.entries = [entry for entry in self.entries if entry.step != step]

    def copy(self) -> Ledger:
        """A ledger that says the same, to go on with."""
        other = Ledger()
        other.entries = [replace(entry) for entry in self.entries]
        other.untouched = dict(self.untouched)
        other._time = self._time
        return other

    def steps(self) -> list[Step]:
        return list(dict.fromkeys(entry.step for entry in self.entries))

    def of(self, step: Step, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries if entry.step == step and entry.kind == kind)

    def must_be(self, step: Step) -> list[Content | None]:
        """What the step has to be, one of these; empty if it need not be there.

        It has to be what was acknowledged, if nobody has begun to remove it since.
        """
        return self._due(step, list(self.of(step, "remove")))

    def must_be_kept(self, step: Step) -> bool:
        """Whether the step was acknowledged, and nobody has begun to remove it for good."""
        return bool(self._due(step, [e for e in self.of(step, "remove") if not e.soft]))

    def _due(self, step: Step, removals: list[Entry]) -> list[Content | None]:
        stores = list(self.of(step, "store"))
        acknowledged = [store for store in stores if store.acknowledged]
        if not any(all(gone.precedes(store) for gone in removals) for store in acknowledged):
            return []
        replaced = [store for store in acknowledged if store.replaces]
        current = [s for s in acknowledged if not any(s.precedes(newer) for newer in replaced)]
        unknown = [s for s in stores if s.replaces and not s.acknowledged and not s.refused]
        return [store.content for store in (*current, *unknown)]

    def must_be_gone(self, step: Step) -> bool:
        """Whether a removal was acknowledged, and every store had ended before it began."""
        stores = list(self.of(step, "store"))
        return any(
            removal.acknowledged and all(store.precedes(removal) for store in stores)
            for removal in self.of(step, "remove")
        )

    def may_be(self, step: Step) -> list[Content | None]:
        """The contents that somebody has begun to store, and was not refused."""
        return [store.content for store in self.of(step, "store") if not store.refused]
