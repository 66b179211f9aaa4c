"""Is the store away? Found out once, told once, and asked again every few seconds."""

from __future__ import annotations

import threading
from datetime import datetime

from checkpoint_assets.model.clock import Clock, system_clock

PROBE_EVERY = 5.0


class Outage:
    """A circuit: open while the store is known to be away. May be used from many threads.

    While it is open nobody waits for the store. Every ``probe_every`` seconds one caller is told
    by ``probe_due`` to ask whether it is back, and says with ``probed`` that it has asked.
    """

    def __init__(self, *, probe_every: float = PROBE_EVERY, clock: Clock = system_clock) -> None:
        self._probe_every = probe_every
        self._clock = clock
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._reason: str | None = None
        self._next_probe = 0.0
        self._probing = False

    @property
    def since(self) -> datetime | None:
        """When the store was found to be away; ``None`` while it answers."""
        return self._since

    @property
    def reason(self) -> str | None:
        """What the store said, or did not say, when it was last asked."""
        return self._reason

    def begin(self, error: Exception) -> bool:
        """The store is away. ``True`` for the one caller that is the first to say so."""
        with self._lock:
            first = self._since is None
            self._reason = str(error)
            if first:
                self._since = self._clock.now()
                self._next_probe = self._clock.monotonic() + self._probe_every
            return first

    def end(self) -> float | None:
        """The store answers. How many seconds it was away, for the one caller that ends this."""
        with self._lock:
            since, self._since, self._reason = self._since, None, None
        return None if since is None else (self._clock.now() - since).total_seconds()

    def probe_due(self) -> bool:
        """Whether it is the caller's turn to ask the store: one caller at a time."""
        with self._lock:
            due = self._since is not None and self._clock.monotonic() >= self._next_probe
            if not due or self._probing:
                return False
            self._probing = True
            return True

    def probed(self) -> None:
        """The caller whose turn it was has asked, or was stopped before it could."""
        with self._lock:
            self._probing = False
            self._next_probe = self._clock.monotonic() + self._probe_every
