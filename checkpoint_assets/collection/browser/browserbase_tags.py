"""How a session in Browserbase says that it is ours, and whose: by its user metadata."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import Any, Self

# Texts only: nothing else can be asked for. All together they stay below 512 characters.
OURS = "checkpoint_assets"
SESSION = "checkpoint_session"
OWNER = "checkpoint_owner"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that a session was created by."""

    host: str
    pid: int

    @classmethod
    def this_process(cls) -> Self:
        return cls(socket.gethostname()[:100].replace("/", "_"), os.getpid())

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """The owner that a session names, if it names one."""
        host, slash, pid = str(text).rpartition("/")
        return cls(host, int(pid)) if slash and pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}"

    def gone_from(self, here: Owner) -> bool:
        """Whether it was on this machine and has ended. Of other machines nothing is known."""
        if self.host != here.host:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False  # it runs, and is another user's
        return False


def tags(session_id: str, owner: Owner) -> dict[str, object]:
    """The user metadata of a session that is created for ``session_id``."""
    return {OURS: "1", SESSION: session_id, OWNER: str(owner)}


def query(key: str, value: str) -> str:
    """The query that finds sessions with that tag."""
    return f"user_metadata['{key}']:'{value}'"


def tag(session: Any, key: str) -> str | None:
    """What the session says, if it says it."""
    value = (getattr(session, "user_metadata", None) or {}).get(key)
    return value if isinstance(value, str) else None
