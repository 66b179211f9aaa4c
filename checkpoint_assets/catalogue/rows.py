"""One row per step, read from the commit records of a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pandas as pd

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage.storage_manager import StorageManager

# Column -> pandas type. Order is the order in the table.
STEP_COLUMNS = {
    "session_id": "string",
    "step_id": "string",
    "ordinal": "Int64",
    "scenario": "string",
    "state": "string",
    "committed_at": "datetime64[us, UTC]",
    "url": "string",
    "title": "string",
    "settle": "string",
    "settle_ms": "Float64",
    "mutations": "Int64",
    "redactions": "Int64",
    "html_bytes": "Int64",
    "html_sha256": "string",
    "screenshot_bytes": "Int64",
    "screenshot_sha256": "string",
    "action_bytes": "Int64",
    "action_sha256": "string",
}


async def step_rows(storage: StorageManager) -> AsyncIterator[dict[str, Any]]:
    """A row for every committed step of the store, by session and step."""
    async for session_id in storage.iter_sessions():
        try:
            manifest = await storage.get_manifest(session_id)
        except NotFound:
            manifest = None
        async for step_id in storage.iter_steps(session_id):
            try:
                record = await storage.get_commit_record(session_id, step_id)
            except NotFound:
                continue  # deleted since it was listed
            yield step_row(record, manifest)


def step_row(record: CommitRecord, manifest: SessionManifest | None) -> dict[str, Any]:
    """The row of one step; what the record does not say is ``None``."""
    page = record.metadata or {}
    row: dict[str, Any] = {
        "session_id": record.session_id,
        "step_id": record.step_id,
        "ordinal": _ordinal(record.step_id),
        "scenario": manifest.scenario if manifest else None,
        "state": str(manifest.state) if manifest else "incomplete",
        "committed_at": record.committed_at,
        "url": _text(page.get("url")),
        "title": _text(page.get("title")),
        "settle": _text(_part(page, "settle", "reason")),
        "settle_ms": _number(_part(page, "settle", "ms")),
        "mutations": _integer(_part(page, "consistency", "mutations")),
        "redactions": _redactions(page.get("redactions")),
    }
    for artifact in (Artifact.HTML, Artifact.SCREENSHOT, Artifact.ACTION):
        stored = record.artifacts.get(artifact)
        row[f"{artifact}_bytes"] = stored.size if stored else None
        row[f"{artifact}_sha256"] = stored.sha256 if stored else None
    return row


def to_frame(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    """The rows as a frame with exactly these columns and types, also where there is none."""
    frame = pd.DataFrame(rows, columns=list(columns))
    frame["committed_at"] = pd.to_datetime(frame["committed_at"], utc=True, format="ISO8601")
    return frame.astype(columns)


async def step_catalog(storage: StorageManager) -> pd.DataFrame:
    """All steps of the store as one frame with the columns ``STEP_COLUMNS``."""
    return to_frame([row async for row in step_rows(storage)], STEP_COLUMNS)


def _ordinal(step_id: str) -> int | None:
    number = step_id.partition("-")[0]
    return _integer(int(number)) if number.isdigit() else None


def _part(page: dict[str, Any], group: str, name: str) -> object:
    value = page.get(group)
    return value.get(name) if isinstance(value, dict) else None


# Metadata is the writer's own: what is of another kind than its column is left out of the table.
def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else _integer(value)


def _integer(value: object) -> int | None:
    # 64 bits are what a column takes.
    return value if isinstance(value, int) and -(1 << 63) <= value < 1 << 63 else None


def _redactions(value: object) -> int | None:
    if not isinstance(value, list):
        return None
    counts = (_integer(item.get("count")) for item in value if isinstance(item, dict))
    return _integer(sum(count for count in counts if count is not None))
