"""What a report says of a session before any page or picture is read: its steps, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.reading import read_step
from checkpoint_assets.storage.session_filter import time_of_id
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all
from checkpoint_assets.viewer.captured_values import LONG, items, mapping, number, text

_AT_ONCE = 16
_LABEL = 80

# Reports are read by script: what a row's `flags` consist of.
REDACTED, UNSTEADY, NOISY, LACKING, DAMAGED = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step in the timeline. ``picture`` and ``page`` name the step whose file is the same.

    ``ordinal`` counts from 0 what is stored. ``flags`` are those of this module.
    """

    ordinal: int
    step_id: str
    kind: str
    label: str
    failed: bool
    milliseconds: float
    flags: int
    picture: int | None
    page: int | None
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as it is shown. ``state`` is ``open`` where there is no manifest yet."""

    session_id: str
    scenario: str
    state: str
    reason: str
    source: str
    started_at: str
    seconds: float | None
    size: int
    browser: str
    tags: Mapping[str, str]
    expires: datetime | None
    pinned: str | None
    steps: Sequence[StepRow]
    missing: Sequence[str]
    location: str
    redactions: int = 0
    problems: Sequence[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


async def read_session(storage: StorageManager, session_id: str) -> SessionView:
    """The session's rows. Raises ``NotFound`` for one of which nothing is stored."""
    manifest = await read_manifest(storage, session_id)
    steps = await storage.list_steps_for_session(session_id)
    if manifest is None and not steps:
        raise NotFound(f"there is no session {session_id}", session_id=session_id)

    async def read(step_id: str) -> _Read:
        return await _read(storage, session_id, step_id)

    read_steps = await run_all(read, steps, _AT_ONCE)
    rows, redactions, size = _rows(read_steps)
    problems = [(each.step_id, each.problem) for each in read_steps if each.problem]
    began = time_of_id(session_id)
    pin = await storage.get_pin(session_id)
    listed = manifest.steps if manifest else []
    return SessionView(
        session_id=session_id,
        scenario=text(manifest.scenario) if manifest else "",
        state=str(manifest.state) if manifest else "open",
        reason=text(manifest.reason, LONG) if manifest else "",
        source=text(manifest.source) if manifest else "",
        started_at=text(manifest.started_at)
        if manifest and manifest.started_at
        else (began.isoformat(timespec="seconds") if began else ""),
        seconds=number(manifest.seconds) if manifest else None,
        size=size,
        browser=text(manifest.metadata.get("browser")) if manifest else "",
        tags={
            text(name): text(value) for name, value in (manifest.tags if manifest else {}).items()
        },
        expires=await storage.get_expiration(session_id),
        pinned=None if pin is None else text(pin.reason),
        steps=rows,
        missing=[text(step) for step in sorted(set(listed) - set(steps))[:20]],
        location=storage.session_url(session_id),
        redactions=redactions,
        problems=problems[:20],
    )


async def read_manifest(storage: StorageManager, session_id: str) -> SessionManifest | None:
    """The manifest, or ``None`` while there is none or where it cannot be read."""
    try:
        return await storage.get_manifest(session_id)
    except (NotFound, IntegrityError):
        return None


@dataclass(frozen=True, slots=True)
class _Read:
    step_id: str
    record: CommitRecord | None = None
    action: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problem: str = ""


async def _read(storage: StorageManager, session_id: str, step_id: str) -> _Read:
    ids = parse_session_id(session_id), parse_step_id(step_id)
    record: CommitRecord | None = None
    try:
        record, files = await read_step(storage.store, *ids, [Artifact.ACTION])
        data = files.get(Artifact.ACTION)
        action = decode_object(data, f"the action of {step_id}") if data else {}
    except (NotFound, IntegrityError) as err:
        if record is None:
            with suppress(NotFound, IntegrityError):
                record = await storage.get_commit_record(session_id, step_id)
        return _Read(step_id, record, problem=text(err.message, LONG))
    return _Read(step_id, record, action)


def _rows(steps: Sequence[_Read]) -> tuple[list[StepRow], int, int]:
    """The rows, how much was masked, and the bytes of all artifacts."""
    rows: list[StepRow] = []
    seen: dict[tuple[str, str], int] = {}
    redactions = size = 0
    for ordinal, step in enumerate(steps):
        record, action = step.record, step.action
        page = mapping(record.metadata) if record else {}
        files = record.artifacts if record else {}
        size += record.size if record else 0
        masked = redacted(page)
        redactions += masked
        same = {
            name: seen.setdefault((name, files[name].sha256), ordinal) if name in files else None
            for name in (Artifact.SCREENSHOT, Artifact.HTML)
        }
        rows.append(
            StepRow(
                ordinal=ordinal,
                step_id=step.step_id,
                kind=text(action.get("kind"), 24) or step.step_id.partition("-")[2] or "step",
                label=action_label(action),
                failed=text(action.get("outcome")) == "failed",
                milliseconds=took(action),
                flags=_flags(page, masked, step.problem),
                picture=same[Artifact.SCREENSHOT],
                page=same[Artifact.HTML],
                url=text(action.get("url_after") or page.get("url"), 200),
                title=text(page.get("title"), 120),
            )
        )
    return rows, redactions, size


def action_label(action: Mapping[str, Any]) -> str:
    """What the action was about, in a few words: the target, and what was typed or chosen."""
    selector = text(
        action.get("selector") or next(iter(items(action.get("selectors"))), ""), _LABEL
    )
    value = action.get("value")
    if not isinstance(value, str):
        value = "" if value is None else text(str(value), _LABEL)
    parts = (text(action.get("label"), _LABEL) or selector, text(value, _LABEL))
    return text(" · ".join(part for part in parts if part), _LABEL)


def took(action: Mapping[str, Any]) -> float:
    """Milliseconds of all phases of the action."""
    phases = (number(value) for value in mapping(action.get("milliseconds")).values())
    return round(sum(phase for phase in phases if phase is not None), 1)


def redacted(page: Mapping[str, Any]) -> int:
    """How many places were masked."""
    counts = (number(mapping(each).get("count")) for each in items(page.get("redactions")))
    return int(sum(count for count in counts if count is not None and count > 0))


def unsteady(page: Mapping[str, Any]) -> bool:
    """Whether the page may have changed while it was captured, or had not come to rest."""
    consistency = page.get("consistency")
    if consistency is not None and number(mapping(consistency).get("mutations")) != 0:
        return True
    return text(mapping(page.get("settle")).get("reason")) not in ("", "quiet")


def _flags(page: Mapping[str, Any], masked: int, problem: str) -> int:
    noisy = any(page.get(name) for name in ("console_errors", "page_errors", "failed_requests"))
    lacking = any(
        page.get(name) for name in ("incomplete", "truncated", "no_screenshot", "clipped")
    )
    return (
        REDACTED * bool(masked)
        | UNSTEADY * unsteady(page)
        | NOISY * (noisy or bool(page.get("blocked_requests")))
        | LACKING * lacking
        | DAMAGED * bool(problem)
    )
