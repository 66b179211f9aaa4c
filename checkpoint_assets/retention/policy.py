"""Policies: which sessions a rule is about, and how long or how many of them are kept.

The nearest rule decides about a session: its own expiry, else the policy of its scenario, else
the global ones, of which any one is enough. Pins and holds stand over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from checkpoint_assets.collection.durations import format_duration, parse_duration
from checkpoint_assets.collection.scenario import Retention, Scenario
from checkpoint_assets.config import RetentionRule
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A rule about sessions in one of ``states`` that have all ``tags``; empty means any.

    ``keep_for`` counts from when the session was closed. ``keep_last`` is how many of each
    scenario are kept, the newest. ``most_bytes`` is how much may be stored of all that the policy
    is about; the oldest go. ``hold``: nothing removes them. What is ``None`` removes nothing.
    """

    name: str
    keep_for: timedelta | None = None
    keep_last: int | None = None
    most_bytes: int | None = None
    hold: bool = False
    states: frozenset[SessionState] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for word, value in (("keep_last", self.keep_last), ("most_bytes", self.most_bytes)):
            if value is not None and value < 0:
                raise InvalidInput(f"{word} of policy {self.name!r} is {value}, and not 0 or more")
        if self.keep_for is not None and self.keep_for <= timedelta():
            raise InvalidInput(f"keep_for of policy {self.name!r} is not more than 0")

    def to_dict(self) -> dict[str, Any]:
        """The policy in words, as the plan keeps it."""
        return {
            "name": self.name,
            "keep_for": None if self.keep_for is None else format_duration(self.keep_for),
            "keep_last": self.keep_last,
            "most_bytes": self.most_bytes,
            "hold": self.hold,
            "states": sorted(self.states),
            "tags": dict(self.tags),
        }


@dataclass(frozen=True, slots=True)
class Policies:
    """All rules: the global ones, and those of scenarios by name, in their place."""

    everywhere: Sequence[Policy] = ()
    scenarios: Mapping[str, Policy] = field(default_factory=dict[str, Policy])

    def __post_init__(self) -> None:
        for name, policy in self.scenarios.items():
            if policy.most_bytes is not None:
                raise InvalidInput(f"most_bytes is no rule of one scenario, as of {name!r}")

    @property
    def all(self) -> list[Policy]:
        """Each of them."""
        return [*self.everywhere, *self.scenarios.values()]


def scenario_policy(scenario: str, retention: Retention) -> Policy:
    """The policy that a scenario's file states."""
    return Policy(
        name=f"scenario {scenario}",
        keep_for=retention.keep_for,
        keep_last=retention.keep_last,
        hold=retention.pin,
    )


def configured_policies(
    rules: Iterable[RetentionRule], scenarios: Iterable[Scenario] = ()
) -> Policies:
    """The rules of the settings, and those of the scenario files."""
    own = {
        str(each.name): scenario_policy(each.name, each.retention)
        for each in scenarios
        if each.retention is not None
    }
    return Policies([_policy(rule) for rule in rules], own)


def _policy(rule: RetentionRule) -> Policy:
    return Policy(
        name=rule.name,
        keep_for=None if rule.keep_for is None else parse_duration(rule.keep_for),
        keep_last=rule.keep_last,
        most_bytes=rule.most_bytes,
        hold=rule.hold,
        states=frozenset(rule.states),
        tags=rule.tags,
    )
