"""What is written down of an action: ``action.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from checkpoint_assets.model.records import SCHEMA_VERSION


@dataclass(slots=True)
class ActionRecord:
    """One action, filled in while it is done, so that a failed one says how far it came.

    Times are UTC in ISO 8601, ``milliseconds`` maps phases to durations. ``selectors`` are those
    of the scenario, ``selector`` is the one that found the target. ``value`` is what was typed,
    chosen or expected; of a secret only its name is kept, in ``secret``.
    """

    kind: str
    ordinal: int
    started_at: str
    label: str | None = None
    selectors: list[str] = field(default_factory=list[str])
    selector: str | None = None
    matches: int | None = None
    frames: list[str] = field(default_factory=list[str])
    target: dict[str, Any] | None = None
    value: Any = None
    secret: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    url_before: str | None = None
    url_after: str | None = None
    milliseconds: dict[str, float] = field(default_factory=dict[str, float])
    outcome: str = "ok"
    error: dict[str, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON; what is not known is left out."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        kept = {name: value for name, value in fields.items() if value not in (None, [], {})}
        return {"schema_version": SCHEMA_VERSION, **kept}
