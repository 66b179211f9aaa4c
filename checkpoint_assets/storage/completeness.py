"""Is a session whole? Read from the store, not from what was meant to be written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage.keys import session_prefix
from checkpoint_assets.storage.storage_manager import StorageManager

# Commit records are small; this many at once hide the way to a distant store.
_AT_ONCE = 32
_FILES = (Artifact.HTML, Artifact.SCREENSHOT, Artifact.ACTION)


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

    async def reason(step_id: str) -> str:
        try:
            record = await storage.get_commit_record(manifest.session_id, step_id)
        except (NotFound, IntegrityError) as err:
            return err.message
        return "; ".join(_reasons(record, prefix, sizes))

    missing: dict[str, str] = {}
    for begin in range(0, len(manifest.steps), _AT_ONCE):
        steps = manifest.steps[begin : begin + _AT_ONCE]
        reasons = await asyncio.gather(*map(reason, steps))
        missing.update((step, why) for step, why in zip(steps, reasons, strict=True) if why)
    return missing


async def step_records(
    storage: StorageManager, session_id: str, steps: Sequence[str]
) -> list[CommitRecord]:
    """The commit records of the steps, in their order. Raises ``NotFound``, ``IntegrityError``."""
    records: list[CommitRecord] = []
    for begin in range(0, len(steps), _AT_ONCE):
        some = steps[begin : begin + _AT_ONCE]
        reads = [storage.get_commit_record(session_id, step_id) for step_id in some]
        records += await asyncio.gather(*reads)
    return records


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
    wanted: object = (record.metadata or {}).get("artifacts")
    # A step that was stored by other means has metadata of its writer's choice.
    return [name for name in _FILES if name in wanted] if isinstance(wanted, list) else []
