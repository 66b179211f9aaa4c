"""What a capture says in a terminal: a line per step, a sign of life when nothing else is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TextIO

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.portal import Portal

QUIET_SECONDS = 4.0


class Terminal:
    """Prints lines, and after four quiet seconds what is being waited for."""

    def __init__(self, stream: TextIO, *, quiet: float = QUIET_SECONDS) -> None:
        self._stream = stream
        self._quiet = quiet
        self.ended: list[SystemEvent] = []
        self._lock = threading.Lock()
        self._doing = "starting"
        self._since = self._last = time.monotonic()
        self._end = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def say(self, line: str = "") -> None:
        """Print the line now. What could command the terminal is shown as an escape, as in code."""
        shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
        with self._lock:
            self._last = time.monotonic()
            print(shown, file=self._stream, flush=True)

    def doing(self, what: str) -> None:
        """What to name if nothing else is said for a while."""
        self._doing, self._since = what, time.monotonic()

    async def step_stored(self, event: SystemEvent) -> None:
        """A line for the step."""
        data = event.data
        mark = "" if data["outcome"] == "ok" else "  failed"
        selector = data.get("selector") or ""
        self.say(
            f"  {data['scenario']:28.28} {data['step_id']:16.16} {selector:32.32} "
            f"{data['milliseconds']:6} ms {data['bytes'] / 1000:7.0f} kB{mark}"
        )
        self.doing(f"{data['scenario']}: after step {data['step_id']}")

    async def session_ended(self, event: SystemEvent) -> None:
        """Remember a session that is not complete."""
        self.ended.append(event)

    @contextmanager
    def attached(self, events: IEventEmitter) -> Generator[None, None, None]:
        """Print a line for each step that these events tell of."""
        with Portal() as portal:
            subscriptions = [
                portal.call(events.subscribe, EventType.STEP_STORED, self.step_stored),
                portal.call(events.subscribe, EventType.COLLECTION_ERROR, self.session_ended),
            ]
            try:
                yield
            finally:
                for subscription in subscriptions:
                    portal.call(events.unsubscribe, subscription)

    def _beat(self) -> None:
        while not self._end.wait(min(0.5, self._quiet)):
            if time.monotonic() - self._last >= self._quiet:
                self.say(f"  ... {self._doing} ({time.monotonic() - self._since:.0f} s)")

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._heart.join()
