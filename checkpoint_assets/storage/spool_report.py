"""What a drain did, collected while it works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.storage.keys import parse_session_folder
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_backlog import Backlog
from checkpoint_assets.storage.spool_dead import Dead, bury
from checkpoint_assets.storage.spool_events import SpoolEventKind, SpoolEvents


@dataclass(slots=True)
class DrainReport:
    """What a drain did. ``stopped`` says why it ended early; ``busy`` that another one is at work.

    Of ``sessions`` something was drained. ``failed`` names what could not be drained this time and
    still waits; ``dead`` what never can be as it is, and was set aside. ``remaining`` is the
    backlog afterwards.
    """

    steps: int = 0
    objects: int = 0
    manifests: int = 0
    bytes: int = 0
    sessions: list[str] = field(default_factory=list[str])
    revived: int = 0
    dead: list[Dead] = field(default_factory=list[Dead])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])
    remaining: Backlog = field(default_factory=Backlog)
    stopped: str | None = None
    busy: bool = False


class DrainLedger:
    """Writes the report, tells the events, and sets aside what cannot be drained."""

    def __init__(self, spool: Spool, events: SpoolEvents, clock: Clock) -> None:
        self.report = DrainReport()
        self._spool = spool
        self._events = events
        self._clock = clock

    def drained(self, key: str, size: int) -> None:
        """The object, or the step with this record, has left the spool for the store."""
        self.report.bytes += size
        session_id = parse_session_folder(key.partition("/")[0])
        if session_id and session_id not in self.report.sessions:
            self.report.sessions.append(session_id)
        self._events.tell(SpoolEventKind.DRAINED, key, size=size)

    def failed(self, key: str, error: Exception) -> None:
        """It still waits."""
        self.report.failed[key] = error

    async def bury(
        self, keys: Sequence[str], session_id: str, step_id: str | None, error: Exception
    ) -> None:
        """Move the files to the dead area; a commit record is the last of ``keys``."""
        dead = await bury(
            self._spool,
            keys,
            session_id=session_id,
            step_id=step_id,
            error=error,
            clock=self._clock,
        )
        self.report.dead.append(dead)
        self._events.tell(SpoolEventKind.DEAD, keys[-1], reason=str(error))
