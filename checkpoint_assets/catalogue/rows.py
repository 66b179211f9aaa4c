"""The rows of steps and sessions, from commit records, action records and manifests alone.

Metadata is the writer's own: what is of another kind than its column is left out of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.records import CommitRecord, SessionManifest, encode_json
from checkpoint_assets.storage.session_filter import time_of_id


def step_row(
    record: CommitRecord, manifest: SessionManifest | None, action: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The row of one step; what the records do not say is ``None``.

    ``action`` is the step's action record, where the commit record has no summary of it.
    """
    page = record.metadata or {}
    done = action_summary(record) or action or {}
    url = _text(page.get("url"))
    row: dict[str, Any] = {
        "session_id": record.session_id,
        "step_id": record.step_id,
        "ordinal": _ordinal(record.step_id),
        "scenario": manifest.scenario if manifest else None,
        "state": str(manifest.state) if manifest else str(SessionState.INCOMPLETE),
        "tags": _tags(manifest),
        "committed_at": _time(record.committed_at),
        "url": url,
        "site": _site(url),
        "title": _text(page.get("title")),
        "action": _text(done.get("kind")) or _text(done.get("type")),
        "selector": _text(done.get("selector")),
        "settle": _text(_part(page, "settle", "reason")),
        "settle_ms": _number(_part(page, "settle", "ms")),
        "mutations": _integer(_part(page, "consistency", "mutations")),
        "redactions": _redactions(page.get("redactions")),
        "screenshot_phash": _text(_part(page, "screenshot", "phash")),
    }
    for artifact in (Artifact.HTML, Artifact.SCREENSHOT, Artifact.ACTION):
        stored = record.artifacts.get(artifact)
        row[f"{artifact}_bytes"] = stored.size if stored else None
        row[f"{artifact}_sha256"] = stored.sha256 if stored else None
    return row


def session_row(
    session_id: str, records: Sequence[CommitRecord], manifest: SessionManifest | None
) -> dict[str, Any]:
    """The row of one session: of what is stored of it now, whatever it once had."""
    committed = [time for record in records if (time := _time(record.committed_at))]
    started = _time(manifest.started_at) if manifest and manifest.started_at else None
    return {
        "session_id": session_id,
        "scenario": manifest.scenario if manifest else None,
        "source": manifest.source if manifest else None,
        "state": str(manifest.state) if manifest else str(SessionState.INCOMPLETE),
        "reason": manifest.reason if manifest else None,
        "tags": _tags(manifest),
        "started_at": started or time_of_id(session_id) or min(committed, default=None),
        "closed_at": _time(manifest.closed_at) if manifest else None,
        "committed_at": max(committed, default=None),
        "seconds": manifest.seconds if manifest else None,
        "steps": len(records),
        "bytes": sum(record.size for record in records),
    }


def action_summary(record: CommitRecord) -> dict[str, Any] | None:
    """What the commit record itself says of the action, so that its file need not be read."""
    found = (record.metadata or {}).get("action")
    return found if isinstance(found, dict) and _text(found.get("kind")) else None


def _ordinal(step_id: str) -> int | None:
    number = step_id.partition("-")[0]
    return _integer(int(number)) if number.isdigit() else None


def _tags(manifest: SessionManifest | None) -> str | None:
    return encode_json(manifest.tags).decode() if manifest and manifest.tags else None


def _time(text: str) -> datetime | None:
    try:
        return parse_isoformat(text)
    except ValueError:
        return None


def _site(url: str | None) -> str | None:
    try:
        return urlsplit(url).hostname if url else None
    except ValueError:
        return None


def _part(page: Mapping[str, Any], group: str, name: str) -> object:
    value = page.get(group)
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    integer = _integer(value)
    return value if isinstance(value, float) else None if integer is None else float(integer)


def _integer(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    # 64 bits are what a column takes.
    return value if -(1 << 63) <= value < 1 << 63 else None


def _redactions(value: object) -> int | None:
    if not isinstance(value, list):
        return None
    counts = (_integer(item.get("count")) for item in value if isinstance(item, dict))
    return _integer(sum(count for count in counts if count is not None))
