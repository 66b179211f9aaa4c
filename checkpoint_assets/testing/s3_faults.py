"""What can go wrong between a client and S3, said once and injected where a test wants it.

The kinds, and what the server does to a request that matches:

Errors, nothing is done:
    ``internal_error``      500 InternalError
    ``slow_down``           503 SlowDown
    ``too_many_requests``   429 TooManyRequests
    ``forbidden``           403 AccessDenied
    ``no_such_bucket``      404 NoSuchBucket
    ``request_conflict``    409 ConditionalRequestConflict
    ``error_in_ok``         200 with an ``<Error>`` document (InternalError) as its body
Connection:
    ``reset``               the request is read, nothing is done, the connection is reset
    ``reset_upload``        reset after half of the request's body
    ``hang``                the request is read, nothing is done, nothing is ever answered
    ``latency``             ``seconds`` of waiting, then the request is served as usual
Answers to a request that was done:
    ``lost_ack``            done, then the connection is reset
    ``stall``               head and half of the body, then silence on an open connection
    ``truncate``            head and half of the body, then the connection is closed
    ``short``               half of the body, with a Content-Length that agrees
    ``corrupt``             one byte of the body is another
    ``wrong_clock``         the server's clock is off by ``seconds`` (Date, and times it stores)
Requests that are changed on their way:
    ``corrupt_upload``      one byte of the request's body is another (checksums notice)
    ``ignore_conditions``   If-Match and If-None-Match are not looked at
Deletes:
    ``partial_delete``      keys that match fail (``code``, AccessDenied), the others are deleted
    ``lying_delete``        keys that match are reported as deleted, and stay

``code`` replaces the S3 error code of an error: ``Fault("forbidden", code="ExpiredToken")``.
``hang`` and ``stall`` last until the client gives up, ``seconds`` passed, or the server stops.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

from checkpoint_assets.testing.fault_plan import FaultPlan

FaultKind = Literal[
    "internal_error",
    "slow_down",
    "too_many_requests",
    "forbidden",
    "no_such_bucket",
    "request_conflict",
    "error_in_ok",
    "reset",
    "reset_upload",
    "hang",
    "latency",
    "lost_ack",
    "stall",
    "truncate",
    "short",
    "corrupt",
    "wrong_clock",
    "corrupt_upload",
    "ignore_conditions",
    "partial_delete",
    "lying_delete",
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

# These change how a request is served and may come together; of the others, one decides.
MODIFIERS: frozenset[FaultKind] = frozenset(
    {
        "latency",
        "wrong_clock",
        "corrupt_upload",
        "ignore_conditions",
        "partial_delete",
        "lying_delete",
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with the requests that match.

    ``operation`` is S3's own name of it (``PutObject``); ``None`` matches all. ``key`` is a shell
    pattern in which ``*`` also matches ``/``; a DeleteObjects matches if one of its keys does.
    ``times`` requests are hit, after ``after`` matching ones were let pass; ``None`` is for ever.
    """

    kind: FaultKind
    operation: str | None = None
    key: str = "*"
    times: int | None = 1
    after: int = 0
    seconds: float | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no such fault {self.kind!r}; one of {', '.join(KINDS)}")
        if self.kind in {"latency", "wrong_clock"} and self.seconds is None:
            raise ValueError(f"a fault {self.kind!r} needs seconds")

    def matches_key(self, key: str) -> bool:
        return fnmatchcase(key, self.key)

    def matches(self, operation: str, keys: Collection[str]) -> bool:
        if self.operation not in {None, operation}:
            return False
        return any(self.matches_key(key) for key in keys)


class S3FaultPlan(FaultPlan[Fault]):
    """The faults that are injected into an S3 server."""

    def take(
        self, operation: str, keys: Collection[str], *, uploading: bool = False
    ) -> tuple[Fault, ...]:
        """The faults that hit this request: modifiers, and at most one that decides it.

        A request with a body is asked about twice: ``uploading`` while its body is still on the
        way (only ``reset_upload`` counts then), and once it is all here.
        """
        hits: list[Fault] = []
        decided = False

        def matches(fault: Fault) -> bool:
            return fault.matches(operation, keys)

        with self.asked() as plan:
            for injected in plan:
                kind = injected.fault.kind
                if (kind == "reset_upload") is not uploading:
                    continue
                if kind in MODIFIERS:
                    if injected.hits(matches):
                        hits.append(injected.fault)
                elif not decided and injected.hits(matches):
                    decided = True
                    hits.append(injected.fault)
        return tuple(hits)
