"""What is written down of an action: ``action.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from checkpoint_assets.model.records import SCHEMA_VERSION


@dataclass(slots=True)
class ActionRecord:
    """One action, filled in while it is done, so that a failed one says how far it came.

    Times are UTC in ISO 8601, ``milliseconds`` maps phases to durations. ``selectors`` are those
    of the scenario, ``selector`` is the one that found the target, ``alternatives`` are others
    that lead to it: by role, text, CSS and XPath. ``frames`` is the way into nested iframes, and
    ``frame`` is the one the target is in. ``value`` is what was typed, chosen or expected; of a
    secret only its name is kept, in ``secret``. ``status`` is that of the main document, if one
    was loaded since the last step; errors and failed requests are of the same time. ``agent`` is
    what the framework of an agent says of it.
    """

    kind: str
    ordinal: int
    started_at: str
    label: str | None = None
    selectors: list[str] = field(default_factory=list[str])
    selector: str | None = None
    matches: int | None = None
    alternatives: dict[str, str] = field(default_factory=dict[str, str])
    frames: list[str] = field(default_factory=list[str])
    frame: dict[str, str] | None = None
    target: dict[str, Any] | None = None
    value: Any = None
    secret: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    url_before: str | None = None
    url_after: str | None = None
    milliseconds: dict[str, float] = field(default_factory=dict[str, float])
    status: int | None = None
    console_errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    page_errors: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failed_requests: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    agent: dict[str, Any] = field(default_factory=dict[str, Any])
    outcome: str = "ok"
    error: dict[str, str] | None = None

    @property
    def is_private(self) -> bool:
        """Whether the target is a field whose value is nobody's business."""
        return bool(self.target and self.target.get("private"))

    def describe(self, described: Mapping[str, Any]) -> None:
        """Take over what ``targets.describe`` says of the target."""
        own = ("alternatives", "frame")
        self.target = {key: value for key, value in described.items() if key not in own}
        self.alternatives = described.get("alternatives", {})
        self.frame = described.get("frame")

    def hear(self, log: Mapping[str, Any]) -> None:
        """Take over what a page log has to say of the time since the last step."""
        self.status = log.get("status")
        self.console_errors = log.get("console_errors", [])
        self.page_errors = log.get("page_errors", [])
        self.failed_requests = log.get("failed_requests", [])

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON; what is not known is left out."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        kept = {name: value for name, value in fields.items() if value not in (None, [], {})}
        return {"schema_version": SCHEMA_VERSION, **kept}
