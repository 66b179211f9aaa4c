"""What the parts hand each other across the contracts of ``interfaces.py``.

A naive datetime is taken as local time; what is kept is aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from checkpoint_assets.model.clock import to_utc
from checkpoint_assets.model.enums import ErrorType, EventType, SessionState, TaskStatus

# What a table's cell can hold.
Scalar = str | int | float | bool | datetime | None


def _set_utc(record: object, *names: str) -> None:
    for name in names:
        moment = getattr(record, name)
        if moment is not None:
            object.__setattr__(record, name, to_utc(moment))


@dataclass(frozen=True, slots=True)
class CollectedData:
    """One thing that a source collected.

    ``raw_data`` is the main content (for a browser step its HTML); ``artifacts`` holds the bytes
    of each artifact by name.
    """

    source_id: str
    timestamp: datetime
    data_format: str
    collection_method: str
    raw_data: bytes
    metadata: dict[str, Any]
    artifacts: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        _set_utc(self, "timestamp")


@dataclass(frozen=True, slots=True)
class ParsedMetadata:
    """Metadata that was read and checked.

    ``fields`` are plain values by name, ``problems`` says what is missing or malformed: the
    metadata is good if and only if there is none.
    """

    source_id: str
    timestamp: datetime
    metadata_format: str
    fields: Mapping[str, Any]
    problems: Sequence[str] = ()

    def __post_init__(self) -> None:
        _set_utc(self, "timestamp")

    @property
    def is_valid(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """What a processor or pipeline made of its input; ``processing_time`` is in seconds.

    Without ``success`` there is an ``error``, and ``processed_data`` is what was made before it.
    """

    success: bool
    processed_data: Any
    error: str | None = None
    processing_time: float = 0.0
    steps: Sequence[ProcessorTiming] = ()


@dataclass(frozen=True, slots=True)
class ProcessorTiming:
    """What one processor of a pipeline did; ``outcome`` is ``done``, ``skipped`` or ``failed``."""

    processor: str
    outcome: str
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StorageLocation:
    """Where one thing is stored. ``location_id`` is what ``IStorageBackend.delete`` takes.

    ``metadata`` are plain values about it, as a query answers them.
    """

    backend_id: str
    location_id: str
    path: str
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        _set_utc(self, "created_at")


@dataclass(frozen=True, slots=True)
class QueryCriteria:
    """What a query asks for. All that is given must hold; nothing given means everything.

    ``since`` is included, ``until`` is not; both are about the time a step was committed.
    ``after`` is a location id to go on from. Answers are in the order of their location ids.
    """

    session_id: str | None = None
    scenario: str | None = None
    state: SessionState | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        _set_utc(self, "since", "until")

    def among(self, locations: Iterable[StorageLocation]) -> list[StorageLocation]:
        """Those of the locations, which are in order, that are asked for, by what they say."""
        wanted = {
            name: value
            for name in ("session_id", "scenario", "state")
            if (value := getattr(self, name)) is not None
        }
        found = (
            each
            for each in locations
            if (self.after is None or each.location_id > self.after)
            and self.in_time(each.created_at)
            and all(each.metadata.get(name) == value for name, value in wanted.items())
        )
        return list(islice(found, self.limit))

    def in_time(self, moment: datetime) -> bool:
        """Whether what was committed then is asked for."""
        return (self.since is None or moment >= self.since) and (
            self.until is None or moment < self.until
        )


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as somebody has to decide about it: where it happened, and of which kind."""

    error_type: ErrorType
    timestamp: datetime
    layer_name: str
    operation: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_critical: bool = False

    def __post_init__(self) -> None:
        _set_utc(self, "timestamp")


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """Something happened, for whoever listens. ``data`` is plain JSON."""

    event_type: EventType
    timestamp: datetime
    source: str
    data: dict[str, Any]

    def __post_init__(self) -> None:
        _set_utc(self, "timestamp")


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A piece of work that takes time. ``progress`` is from 0 to 1, ``None`` if nobody can say."""

    task_id: str
    name: str
    status: TaskStatus
    created_at: datetime
    progress: float | None = None
    message: str | None = None
    error: str | None = None
    parent_id: str | None = None
    ended_at: datetime | None = None

    def __post_init__(self) -> None:
        _set_utc(self, "created_at", "ended_at")
