"""Which sessions of others in Browserbase are to be recorded, each once, look by look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checkpoint_assets.collection.browser.browserbase_tags import OURS, tag
from checkpoint_assets.model.clock import isoformat

# Younger sessions are remembered one by one: a list may tell of one later than of its followers.
MARGIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for before: all sessions created before ``until``, and those of ``ids``.

    It holds for one ``query``; another one begins anew.
    """

    query: str
    until: datetime | None = None
    ids: frozenset[str] = frozenset()

    @classmethod
    def from_cursor(cls, cursor: str | None, query: str) -> Asked:
        """What the cursor says, if it is one of ours and of the same query."""
        try:
            words = json.loads(cursor or "")
            until = words["until"]
            if words["query"] == query:
                moment = datetime.fromisoformat(until) if until else None
                return cls(query, moment, frozenset(map(str, words["ids"])))
        except (ValueError, TypeError, KeyError):
            pass
        return cls(query)

    def to_cursor(self) -> str:
        until = isoformat(self.until) if self.until else None
        return json.dumps({"query": self.query, "until": until, "ids": sorted(self.ids)})

    def has(self, session: Any) -> bool:
        before = self.until is not None and session.created_at < self.until
        return before or session.id in self.ids


def find_sessions(
    listed: Sequence[Any], asked: Asked, *, limit: int, now: datetime
) -> tuple[list[Any], Asked]:
    """The sessions to record now, at most ``limit``, and what was asked for then.

    Those that run come first: of them there is most to be had. Our own are captured already.
    """
    open_ones = [each for each in listed if tag(each, OURS) is None and not asked.has(each)]
    ready = [each for each in open_ones if each.status != "PENDING"]
    ready.sort(key=lambda each: (each.status != "RUNNING", each.created_at))
    chosen = ready[:limit]
    taken = {each.id for each in chosen}
    left = [each.created_at for each in open_ones if each.id not in taken]
    until = min([now - MARGIN, *left])
    if asked.until is not None:
        until = max(until, asked.until)
    known = asked.ids | taken
    ids = {each.id for each in listed if each.id in known and each.created_at >= until}
    return chosen, Asked(asked.query, until, frozenset(ids))
