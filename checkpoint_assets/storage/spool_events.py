"""What happens to the spool, counted, and told to whoever listens."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

logger = logging.getLogger(__name__)


class SpoolEventKind(StrEnum):
    """What an event says has happened."""

    OUTAGE = "outage"
    RECOVERED = "recovered"
    SPOOLED = "spooled"
    DRAINED = "drained"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class SpoolEvent:
    """One thing that happened. ``key`` is a step's commit record, or the object itself."""

    kind: SpoolEventKind
    url: str
    key: str | None = None
    size: int = 0
    reason: str | None = None


SpoolListener = Callable[[SpoolEvent], None]


class SpoolEvents:
    """Counts events by kind and hands each to the listener, from whichever thread it comes."""

    def __init__(self, url: str, listener: SpoolListener | None = None) -> None:
        self._url = url
        self._listener = listener
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def tell(
        self,
        kind: SpoolEventKind,
        key: str | None = None,
        *,
        size: int = 0,
        reason: str | None = None,
    ) -> None:
        """Count the event, and hand it on."""
        with self._lock:
            self._counts[kind] += 1
            if size:
                self._counts[f"{kind}_bytes"] += size
        if self._listener is None:
            return
        try:
            self._listener(SpoolEvent(kind, self._url, key, size, reason))
        except Exception:  # a listener's fault must never lose the step that it is told of
            logger.exception("a listener to the spool failed")

    def counts(self) -> dict[str, int]:
        """How often each kind happened in this process, and the bytes that were moved."""
        with self._lock:
            return dict(self._counts)
