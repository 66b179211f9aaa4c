"""What is known of a session while it is captured, and what its manifest says of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from checkpoint_assets.collection.redaction import MASK, Redactor
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.model.ids import SessionId

# What of a step's words may go into a field, or be in one.
_TYPED = {
    "fill": ("text",),
    "select": ("values", "label"),
    "press": ("key",),
    "expect": ("text", "matches", "value"),
}


class SessionRecord:
    """One session while it is captured."""

    def __init__(
        self,
        session_id: SessionId,
        scenario: Scenario,
        artifacts: Collection[str],
        tags: Mapping[str, str],
        secrets: Mapping[str, str],
        *,
        retry_of: SessionId | None = None,
    ) -> None:
        self.id = session_id
        self.scenario = scenario
        self.artifacts = artifacts
        self.tags = tags
        self.secrets = secrets
        self.redactor = Redactor([*secrets.values(), *scenario.literal_secrets()])
        self.retry_of = retry_of
        # Steps that are stored without something they should have, and why.
        self.incomplete: list[str] = []
        # Numbers of the steps that acted on something private.
        self.private_steps: set[int] = set()
        self.started_at: str | None = None
        # The version of the browser, once it runs.
        self.browser: str | None = None
        # What a session elsewhere is called there.
        self.remote: dict[str, Any] = {}
        # Whether it ended because the browser or its page was gone.
        self.crashed = False

    @property
    def _steps_added(self) -> int:
        return 0 if self.scenario.steps[0].kind == "goto" else 1

    @property
    def expected_steps(self) -> int | None:
        """How many steps it has if all goes well; ``None`` where a plugged-in source decides."""
        if self.scenario.plugin is not None:
            return None
        return len(self.scenario.steps) + self._steps_added

    def words(self) -> dict[str, Any]:
        """The scenario as plain JSON, without what it put into private fields."""
        words = self.scenario.to_dict()
        if self.scenario.plugin is not None:
            return words
        for number in self.private_steps:
            ((kind, step),) = words["steps"][number - 1 - self._steps_added].items()
            step.update({key: MASK for key in _TYPED.get(kind, ()) if step.get(key) is not None})
        return words

    def manifest(self, reason: str | None, seconds: float) -> dict[str, Any]:
        """What the manifest says beside the state and the steps, without secrets."""
        return {
            "scenario": self.scenario.name,
            "source": self.scenario.source,
            "started_at": self.started_at,
            "seconds": round(seconds, 3),
            "reason": reason and self.redactor.text(reason),
            "artifacts": sorted(self.artifacts),
            "tags": {**self.scenario.tags, **self.tags},
            "remote": self.redactor.json(self.remote),
            "metadata": {
                "scenario": self.redactor.json(self.words()),
                "scenario_digest": self.scenario.digest,
                "expected_steps": self.expected_steps,
                "browser": self.browser,
                **({"retry_of": self.retry_of} if self.retry_of else {}),
            },
        }
