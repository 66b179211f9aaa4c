"""Is a session whole? Read from the store, not from what was meant to be written."""

from __future__ import annotations

from typing import Any

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage.keys import session_prefix
from checkpoint_assets.storage.storage_manager import StorageManager


async def incomplete_steps(storage: StorageManager, manifest: SessionManifest) -> dict[str, str]:
    """What is missing of the manifest's steps: ``step_id -> reason``; empty for a whole session.

    Each step must have its commit record and the artifacts that its capture wanted, and each file
    that a record lists must be stored with the size that was committed. One listing and one small
    read a step; contents are compared when they are read.
    """
    prefix = session_prefix(parse_session_id(manifest.session_id))
    sizes: dict[str, int] = {}
    async for page in storage.store.list(prefix):
        sizes.update((info.key, info.size) for info in page.objects)
    missing: dict[str, str] = {}
    for step_id in manifest.steps:
        try:
            record = await storage.get_commit_record(manifest.session_id, step_id)
        except (NotFound, IntegrityError) as err:
            missing[step_id] = err.message
            continue
        if reasons := _reasons(record, prefix, sizes):
            missing[step_id] = "; ".join(reasons)
    return missing


def _reasons(record: CommitRecord, prefix: str, sizes: dict[str, int]) -> list[str]:
    reasons = [
        f"{artifact.name} has {sizes.get(prefix + artifact.name, 'no')} bytes, not {artifact.size}"
        for artifact in record.artifacts.values()
        if sizes.get(prefix + artifact.name) != artifact.size
    ]
    absent = [name for name in wanted_artifacts(record) if name not in record.artifacts]
    return reasons + [f"no {name}" for name in absent]


def wanted_artifacts(record: CommitRecord) -> list[str]:
    """The artifacts that the capture of this step wanted, as its metadata says."""
    page: dict[str, Any] = record.metadata or {}
    wanted: list[str] = page.get("artifacts", [])
    return [name for name in wanted if name != Artifact.METADATA]
