"""What is stored, and what a collector is given. Stored records carry ``schema_version``.

JSON is written with sorted keys and no spaces, so equal records are equal bytes.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NotRequired, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from checkpoint_assets.model.enums import SessionState

SCHEMA_VERSION = 1


def encode_json(value: Any) -> bytes:
    """Canonical JSON in UTF-8. Raises ``ValueError`` for NaN, infinities and lone surrogates."""
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return text.encode()


class StepData(TypedDict):
    """What ``DataCollector.collect_step_data`` returns: ids, time, and where each artifact is."""

    session_id: str
    step_id: str
    timestamp: str
    url: str
    html_path: str | None
    screenshot_path: str | None
    action_data_path: str | None
    metadata_path: str | None


class StorageConfig(TypedDict):
    """Where a collector stores: ``{"type": "s3", "bucket": "checkpoints"}``, for example."""

    type: Literal["s3", "local", "memory"]
    bucket: NotRequired[str]
    prefix: NotRequired[str]
    region: NotRequired[str]
    endpoint_url: NotRequired[str]
    path: NotRequired[str]


class _Stored(BaseModel):
    # Unknown fields are kept: a newer version of the package may have written the record.
    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """The record as canonical JSON."""
        return encode_json(self.model_dump(mode="json"))


class ArtifactRecord(BaseModel):
    """One stored file of a step: its name beside the commit record, size in bytes, and digest."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    size: int = Field(ge=0)
    sha256: str
    media_type: str
    version: str | None = None


class CommitRecord(_Stored):
    """A step's ``metadata.json``: written last, deleted first. The step exists iff this does.

    ``metadata`` is the caller's own dict, unchanged. ``artifacts`` maps ``html``, ``screenshot``
    and ``action`` to their records; what was not given is not there.
    """

    session_id: str
    step_id: str
    committed_at: str
    artifacts: dict[str, ArtifactRecord]
    timings: dict[str, float] = Field(default_factory=dict)
    metadata: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Bytes of all artifacts, without the record itself."""
        return sum(artifact.size for artifact in self.artifacts.values())


class SessionManifest(_Stored):
    """A session's ``session.json``, written when the session closes.

    Times are UTC in ISO 8601, ``bytes`` counts the artifacts of all steps, ``seconds`` is wall
    time. ``reason`` says why a session is not complete. ``remote`` holds ids of other systems.
    """

    session_id: str
    state: SessionState
    scenario: str | None = None
    source: str | None = None
    started_at: str | None = None
    closed_at: str
    steps: list[str] = Field(default_factory=list)
    bytes: int = 0
    seconds: float | None = None
    reason: str | None = None
    artifacts: list[str] = Field(default_factory=list)
    tags: dict[str, str] = Field(default_factory=dict)
    remote: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
