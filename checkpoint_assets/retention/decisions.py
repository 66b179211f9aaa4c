"""What is to become of each session, and why. Reads the catalogue's rows alone, and no clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TypeAlias, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from checkpoint_assets.retention.policy import Policies, Policy

# What is read of the catalogue.
COLUMNS = [
    "session_id",
    "scenario",
    "state",
    "tags",
    "started_at",
    "closed_at",
    "bytes",
    "expires_at",
    "pinned",
]
KEEP, DELETE = "keep", "delete"
_Rows: TypeAlias = NDArray[np.intp]


def decide(
    sessions: pd.DataFrame, policies: Policies, now: datetime, floor: timedelta
) -> pd.DataFrame:
    """``sessions`` with a ``decision`` and a ``why`` for every row.

    Pinned sessions, those in flight (without a manifest) and those closed less than ``floor`` ago
    are always kept, and so are those that a policy holds.
    """
    made = _Decisions(sessions, now)
    made.hold(made.where(sessions["pinned"].fillna(value=False)), "pinned")
    made.hold(made.where(sessions["closed_at"].isna()), "in flight: it was not closed yet")
    made.hold(np.nonzero(made.age < floor.total_seconds())[0], f"closed less than {floor} ago")
    everything = np.arange(len(sessions))
    by_scenario = cast("dict[str, _Rows]", sessions.groupby("scenario").indices)
    own = {
        name: (policy, by_scenario[name])
        for name, policy in policies.scenarios.items()
        if name in by_scenario
    }
    for policy, rows in (*own.values(), *((p, everything) for p in policies.everywhere)):
        if policy.hold:
            made.hold(made.about(policy, rows), f"held by policy {policy.name}")
    made.decide(made.where(sessions["expires_at"] <= now), DELETE, "expired")
    made.decide(made.where(sessions["expires_at"] > now), KEEP, "has an expiry of its own")
    for policy, rows in own.values():
        made.apply(policy, rows)
        made.decide(made.about(policy, rows), KEEP, f"kept by policy {policy.name}")
    for policy in policies.everywhere:
        made.apply(policy, everything)
    made.decide(everything, KEEP, "no policy removes it")
    for policy in policies.everywhere:
        if policy.most_bytes is not None:
            made.shrink(policy, policy.most_bytes)
    return made.frame()


class _Decisions:
    """Decisions while they are made. The first one about a row counts, but for the total size."""

    def __init__(self, sessions: pd.DataFrame, now: datetime) -> None:
        count = len(sessions)
        self._sessions = sessions
        self.age: NDArray[np.float64] = (
            (pd.Timestamp(now) - sessions["closed_at"]).dt.total_seconds().to_numpy(dtype=float)
        )
        self._sizes: NDArray[np.int64] = sessions["bytes"].fillna(0).to_numpy(dtype=np.int64)
        self._open = np.ones(count, dtype=bool)
        self._held = np.zeros(count, dtype=bool)
        self._doomed = np.zeros(count, dtype=bool)
        self._reason = np.zeros(count, dtype=np.int32)
        self._reasons: dict[str, int] = {}
        self._tags = sessions["tags"].astype("category")

    @staticmethod
    def where(mask: pd.Series[bool]) -> _Rows:
        """The rows at which it is true, and not missing."""
        return np.nonzero(mask.to_numpy(dtype=bool, na_value=False))[0]

    def decide(self, rows: _Rows, decision: str, reason: str) -> None:
        """About those rows of which nothing was decided yet."""
        rows = rows[self._open[rows]]
        self._settle(rows, decision, reason)

    def _settle(self, rows: _Rows, decision: str, reason: str) -> None:
        self._doomed[rows] = decision == DELETE
        self._reason[rows] = self._reasons.setdefault(reason, len(self._reasons))
        self._open[rows] = False

    def hold(self, rows: _Rows, reason: str) -> None:
        """Nothing removes these rows."""
        self.decide(rows, KEEP, reason)
        self._held[rows] = True

    def about(self, policy: Policy, rows: _Rows) -> _Rows:
        """Those of the rows that the policy is about."""
        if policy.states:
            states = self._sessions["state"].iloc[rows].isin([str(s) for s in policy.states])
            rows = rows[self.where(states)]
        if policy.tags:
            wanted = policy.tags.items()
            fitting = [
                text for text in self._tags.cat.categories if wanted <= json.loads(text).items()
            ]
            rows = rows[self.where(self._tags.iloc[rows].isin(fitting))]
        return rows

    def apply(self, policy: Policy, rows: _Rows) -> None:
        """Age and number. What is kept for whatever reason counts among the last."""
        rows = self.about(policy, rows)
        if policy.keep_for is not None:
            old = rows[self.age[rows] > policy.keep_for.total_seconds()]
            self.decide(old, DELETE, f"policy {policy.name}: older than {policy.keep_for}")
        if policy.keep_last is not None:
            kept = rows[~self._doomed[rows]]
            columns = self._sessions[["scenario", "started_at"]].iloc[kept]
            newest_first = columns.assign(row=kept).sort_values(
                ["started_at", "row"], ascending=False
            )
            rank = newest_first.groupby("scenario", dropna=False).cumcount()
            beyond = newest_first["row"].to_numpy()[rank.to_numpy() >= policy.keep_last]
            what = f"not among the last {policy.keep_last} of its scenario"
            self.decide(beyond, DELETE, f"policy {policy.name}: {what}")

    def shrink(self, policy: Policy, most: int) -> None:
        """The oldest go until what is kept is not more than that."""
        rows = self.about(policy, np.nonzero(~self._doomed)[0])
        over = int(self._sizes[rows].sum()) - most
        if over <= 0:
            return
        rows = rows[~self._held[rows]]
        oldest_first = rows[np.argsort(-self.age[rows], kind="stable")]
        count = int(np.searchsorted(self._sizes[oldest_first].cumsum(), over)) + 1
        reason = f"policy {policy.name}: all together are more than {most} bytes"
        self._settle(oldest_first[:count], DELETE, reason)

    def frame(self) -> pd.DataFrame:
        """The sessions with what was decided."""
        return self._sessions.assign(
            decision=_named(self._doomed.astype(np.int32), [KEEP, DELETE]),
            why=_named(self._reason, list(self._reasons)),
        )


def _named(codes: NDArray[np.int32], names: list[str]) -> pd.Categorical[int]:
    return pd.Categorical.from_codes(codes.tolist(), dtype=pd.CategoricalDtype(names))


def summary(decided: pd.DataFrame) -> dict[str, int]:
    """How many sessions there are for each decision and reason."""
    pairs = decided["decision"].astype(str) + ": " + decided["why"].astype(str)
    return {str(pair): int(count) for pair, count in pairs.value_counts().items()}
