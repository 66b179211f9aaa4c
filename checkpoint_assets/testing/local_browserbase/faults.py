"""What can go wrong between a client and Browserbase, said once, injected where a test wants it.

Of API requests (``operation`` is ``sessions.create``, ``sessions.list``, ... as the SDK calls it)
and of the web-socket handshake (``connect``):

    ``status``      answered with ``status``, and nothing is done
    ``hang``        read, and nothing is ever answered or done
    ``reset``       read, nothing is done, the connection is reset
    ``lost_answer`` done, then the connection is reset (not of ``connect``)
    ``latency``     ``seconds`` of waiting, then served as usual

Of what is said over an open web socket (``cdp``; ``method`` picks the CDP command):

    ``hang``        the command and everything after it is swallowed
    ``reset``       the command is swallowed, the socket is reset
    ``truncate``    half of a frame is sent to the client, then the socket is reset
    ``latency``     the command waits for ``seconds``
    ``release``     the session ends, as if somebody else had released it
    ``crash``       the session's browser is killed
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

FaultKind = Literal[
    "status", "hang", "reset", "lost_answer", "latency", "truncate", "release", "crash"
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
ONLY_CDP = frozenset[FaultKind]({"truncate", "release", "crash"})
ONLY_HTTP = frozenset[FaultKind]({"status", "lost_answer"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with what matches.

    ``operation`` and ``method`` are shell patterns. ``times`` are hit, after ``after`` matching
    ones were let pass; ``None`` is for ever. ``headers`` go with a ``status``.
    """

    kind: FaultKind
    operation: str = "*"
    method: str = "*"
    times: int | None = 1
    after: int = 0
    seconds: float = 0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault {self.kind!r}; one of {', '.join(KINDS)}")
        if self.kind == "latency" and not self.seconds:
            raise ValueError("a fault 'latency' needs seconds")

    def matches(self, operation: str, method: str) -> bool:
        wrong = ONLY_HTTP if operation == "cdp" else ONLY_CDP
        return (
            self.kind not in wrong
            and fnmatchcase(operation, self.operation)
            and fnmatchcase(method, self.method)
        )


class _Injected:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.passes = fault.after
        self.left = fault.times

    def hits(self, operation: str, method: str) -> bool:
        if self.left == 0 or not self.fault.matches(operation, method):
            return False
        if self.passes:
            self.passes -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class FaultPlan:
    """The faults that are injected now. Safe to change while requests are served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._injected: list[_Injected] = []

    def inject(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._injected.extend(_Injected(fault) for fault in faults)

    def clear(self) -> None:
        with self._lock:
            self._injected.clear()

    def pending(self) -> list[Fault]:
        with self._lock:
            return [each.fault for each in self._injected if each.left != 0]

    def take(self, operation: str, method: str = "") -> Fault | None:
        """The first fault that hits this, if one does."""
        with self._lock:
            found = (each for each in self._injected if each.hits(operation, method))
            return next((each.fault for each in found), None)
