"""The states and kinds that records are made of. Values are what is stored."""

from __future__ import annotations

from enum import StrEnum


class Artifact(StrEnum):
    """The stored files of a step."""

    HTML = "html"
    SCREENSHOT = "screenshot"
    ACTION = "action"
    METADATA = "metadata"


class SessionState(StrEnum):
    """How a session ended. ``INCOMPLETE`` is also what a session without a manifest is."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    ABORTED = "aborted"


class CollectionStatus(StrEnum):
    """What a source that is registered with a collection manager is doing."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"


class TaskStatus(StrEnum):
    """How far a task is. The last three are for good."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing comes after it."""
        return self in {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED}


class ErrorType(StrEnum):
    """Kinds of errors, by what can be done about them."""

    CONFIGURATION = "configuration"
    CONNECTION = "connection"
    VALIDATION = "validation"
    PROCESSING = "processing"
    STORAGE = "storage"


class ErrorPolicy(StrEnum):
    """What to do after an error: try again, leave this one thing out, or end it all."""

    RETRY = "retry"
    SKIP = "skip"
    ABORT = "abort"


class EventType(StrEnum):
    """What an event says has happened."""

    COLLECTION_START = "collection_start"
    COLLECTION_PROGRESS = "collection_progress"
    COLLECTION_PAUSED = "collection_paused"
    COLLECTION_RESUMED = "collection_resumed"
    STEP_STORED = "step_stored"
    COLLECTION_COMPLETE = "collection_complete"
    COLLECTION_ERROR = "collection_error"
    PROCESSING_START = "processing_start"
    PROCESSING_COMPLETE = "processing_complete"
    PROCESSING_ERROR = "processing_error"
    STORAGE_ERROR = "storage_error"
    TASK_PROGRESS = "task_progress"
    TASK_COMPLETE = "task_complete"
