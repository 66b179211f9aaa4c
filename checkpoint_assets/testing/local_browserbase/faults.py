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

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

from checkpoint_assets.testing.fault_plan import FaultPlan

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


class BrowserbaseFaultPlan(FaultPlan[Fault]):
    """The faults that are injected into a local Browserbase."""

    def take(self, operation: str, method: str = "") -> Fault | None:
        """The first fault that hits this, if one does."""
        with self.asked() as plan:
            found = (each for each in plan if each.hits(lambda it: it.matches(operation, method)))
            return next((each.fault for each in found), None)
