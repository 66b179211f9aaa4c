"""Plans: what would be deleted, written down before anything is. Only a plan is ever executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.clock import Clock, isoformat, parse_isoformat, system_clock
from checkpoint_assets.model.errors import IntegrityError, InvalidInput
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.retention.decisions import COLUMNS, DELETE, decide, summary
from checkpoint_assets.retention.policy import Policies
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.keys import plan_key
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.storage_manager import StorageManager

FLOOR = timedelta(days=1)
MOST_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Doomed:
    """A session that the plan deletes. The times are as the catalogue had them."""

    session_id: str
    reason: str
    bytes: int
    closed_at: str
    expires_at: str | None = None
    scenario: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan. ``sessions`` and ``total_bytes`` are of the whole store, ``counts`` by reason.

    ``refused`` says why it must not be executed unless somebody insists.
    """

    plan_id: str
    made_at: str
    floor_seconds: float
    sessions: int
    total_bytes: int
    doomed: Sequence[Doomed] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])
    policies: dict[str, Any] = field(default_factory=dict[str, Any])
    refused: str | None = None

    @property
    def bytes(self) -> int:
        """What the plan frees."""
        return sum(entry.bytes for entry in self.doomed)

    @property
    def made(self) -> datetime:
        """When it was made."""
        return parse_isoformat(self.made_at)

    @property
    def floor(self) -> timedelta:
        """How old a session has to be at least."""
        return timedelta(seconds=self.floor_seconds)

    def batches(self, size: int = 100) -> Iterator[Sequence[Doomed]]:
        """What is to be deleted, in parts that may be executed by different workers."""
        for begin in range(0, len(self.doomed), size):
            yield self.doomed[begin : begin + size]

    def to_json(self) -> bytes:
        """The bytes of the plan's file."""
        return encode_json({"schema_version": SCHEMA_VERSION, **asdict(self)})


@dataclass(frozen=True, slots=True)
class DryRun:
    """A plan, and what it says of every session: ``decision`` and ``why``."""

    plan: Plan
    decisions: pd.DataFrame


async def make_plan(
    storage: StorageManager,
    catalogue: Catalogue,
    policies: Policies,
    *,
    floor: timedelta = FLOOR,
    most_share: float = MOST_SHARE,
    clock: Clock = system_clock,
) -> DryRun:
    """What the policies would delete now, kept as ``_retention/plans/{plan_id}.json``.

    Nothing is deleted. Reads the catalogue alone, and no session: what is not in it stays.

    Raises ``InvalidInput`` for a policy that keeps for less than ``floor``: who means that lowers
    the floor. Raises ``DeleteRefused`` where the store's clock is more than five minutes off ours.
    """
    for policy in policies.all:
        if policy.keep_for is not None and policy.keep_for < floor:
            raise InvalidInput(
                f"policy {policy.name!r} keeps for {policy.keep_for}, less than {floor}",
                hint="lower the floor if you mean it",
            )
    now = await trusted_now(storage.store, clock)
    rows = await catalogue.sessions(columns=COLUMNS)
    decided = decide(rows, policies, now, floor)
    doomed = decided[decided["decision"] == DELETE]
    plan = Plan(
        plan_id=SessionIds(clock).new(),
        made_at=isoformat(now),
        floor_seconds=floor.total_seconds(),
        sessions=len(decided),
        total_bytes=int(decided["bytes"].sum()),
        doomed=_doomed(doomed),
        counts=summary(decided),
        policies={
            "everywhere": [policy.to_dict() for policy in policies.everywhere],
            "scenarios": {name: p.to_dict() for name, p in policies.scenarios.items()},
        },
        refused=_refusal(len(doomed), len(decided), most_share),
    )
    # The id is new: a create-only write whose answer is lost would only confuse.
    await storage.write_object(plan_key(plan.plan_id), plan.to_json(), JSON, create=False)
    return DryRun(plan, decided)


def _doomed(rows: pd.DataFrame) -> list[Doomed]:
    columns = ("session_id", "why", "bytes", "closed_at", "expires_at", "scenario")
    return [
        Doomed(
            session_id,
            reason,
            0 if pd.isna(size) else int(size),
            isoformat(closed),
            None if pd.isna(expires) else isoformat(expires),
            None if pd.isna(scenario) else scenario,
        )
        for session_id, reason, size, closed, expires, scenario in zip(
            *(rows[column] for column in columns), strict=True
        )
    ]


def _refusal(doomed: int, sessions: int, most_share: float) -> str | None:
    if doomed <= most_share * sessions:
        return None
    return f"it deletes {doomed} of {sessions} sessions, more than {most_share:.0%}"


async def read_plan(storage: StorageManager, plan_id: str) -> Plan:
    """A plan that was made. Raises ``NotFound``, ``IntegrityError``."""
    key = plan_key(plan_id)
    data = (await storage.read_object(key)).data
    try:
        fields = json.loads(data)
        if fields.pop("schema_version") != SCHEMA_VERSION:
            raise ValueError("another version")
        doomed = [Doomed(**entry) for entry in fields.pop("doomed")]
        return Plan(**fields, doomed=doomed)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{key} is no plan: {error}", key=key) from error
