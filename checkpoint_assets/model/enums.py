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


class EventType(StrEnum):
    """What an event says has happened."""

    COLLECTION_START = "collection_start"
    COLLECTION_PROGRESS = "collection_progress"
    STEP_STORED = "step_stored"
    COLLECTION_COMPLETE = "collection_complete"
    COLLECTION_ERROR = "collection_error"
