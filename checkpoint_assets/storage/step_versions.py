"""Versions of a step: each commit record that was there, with the files that it lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.keys import (
    LAYOUTS,
    artifact_key,
    manifest_key,
    parse_derived_key,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.store import ObjectVersion, Store


@dataclass(frozen=True, slots=True)
class StepVersion:
    """One version of a step. ``deleted``: from then on there was no step."""

    version: str
    modified: datetime
    latest: bool
    deleted: bool


async def step_versions(store: Store, session_id: SessionId, step_id: StepId) -> list[StepVersion]:
    """The versions of the step, the newest first."""
    found: list[ObjectVersion] = []
    for layout in LAYOUTS:
        key = artifact_key(session_id, step_id, Artifact.METADATA, layout)
        async for page in store.list_versions(key):
            found += [version for version in page if version.key == key]
    found.sort(key=lambda version: version.modified, reverse=True)
    return [StepVersion(v.version, v.modified, v.latest, v.deleted) for v in found]


async def undelete_session(store: Store, session_id: SessionId) -> list[str]:
    """What a delete marker hides is there again; the keys of what was brought back.

    Files come back before the commit records that list them.
    """
    restored: dict[str, None] = {}
    # Whoever deleted twice left two markers, one above the other.
    while markers := await _markers(store, session_id):
        for group in markers:
            if group:
                report = await store.delete_versions(group)
                for error in report.failed.values():
                    raise error
                restored.update(dict.fromkeys(key for key, _ in group))
    return list(restored)


async def _markers(
    store: Store, session_id: SessionId
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]] | None:
    """Delete markers that hide files, and those that hide commit records."""
    files: list[tuple[str, str]] = []
    records: list[tuple[str, str]] = []
    async for page in store.list_versions(session_prefix(session_id)):
        for version in page:
            if version.latest and version.deleted and _is_ours(version.key, session_id):
                step = parse_step_key(version.key)
                last = step is not None and step.artifact is Artifact.METADATA
                (records if last else files).append((version.key, version.version))
    return (files, records) if files or records else None


def _is_ours(key: str, session_id: SessionId) -> bool:
    ours = parse_step_key(key) or parse_derived_key(key)
    return ours is not None or key == manifest_key(session_id)
