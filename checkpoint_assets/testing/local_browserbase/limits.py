"""How many sessions an account may have at once, and create in a minute."""

from __future__ import annotations

import math
from collections import deque

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.testing.local_browserbase.answers import ApiError

WINDOW = 60.0


class Limits:
    """The limits of a plan. A refused creation counts for neither.

    Their two errors are both 429: too fast has ``retry-after``, too many at once has not.
    """

    def __init__(self, clock: Clock, concurrent: int, creations: int) -> None:
        self._clock = clock
        self.concurrent = concurrent
        self._creations = creations
        self._made: deque[float] = deque()

    def headers(self) -> dict[str, str]:
        """What every answer to a creation says of the rate."""
        now = self._clock.monotonic()
        while self._made and self._made[0] <= now - WINDOW:
            self._made.popleft()
        reset = math.ceil(self._made[0] + WINDOW - now) if self._made else 0
        return {
            "x-ratelimit-limit": str(self._creations),
            "x-ratelimit-remaining": str(max(self._creations - len(self._made), 0)),
            "x-ratelimit-reset": str(reset),
        }

    def take(self, live: int) -> None:
        """Count a creation. Raises ``ApiError`` 429."""
        headers = self.headers()
        if len(self._made) >= self._creations:
            wait = {"retry-after": headers["x-ratelimit-reset"]}
            raise ApiError(429, "Rate limit exceeded", {**headers, **wait})
        if live >= self.concurrent:
            raise ApiError(
                429,
                f"You've exceeded your max concurrent sessions limit (limit {self.concurrent}, "
                f"currently {live}). Please contact support to increase your limit.",
                headers,
            )
        self._made.append(self._clock.monotonic())

    def give_back(self) -> None:
        """The creation came to nothing."""
        if self._made:
            self._made.pop()
