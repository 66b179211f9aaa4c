"""Protocols with one mistake each. The explorer must find all of them out.

Each is a call like that of the manager, or a store that is used in the wrong way; the package's own
modules are left as they are.
"""

from __future__ import annotations

from datetime import timedelta

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.content import step_contents
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import artifact_key, artifact_name, parse_step_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import ObjectInfo, Store
from checkpoint_assets.storage.wrapper import WrappedStore
from checkpoint_assets_tests.fault.ledger import Content, Step

JSON = "application/json"


def _key(step: Step, artifact: Artifact) -> str:
    return artifact_key(SessionId(step[0]), StepId(step[1]), artifact)


async def record_first(manager: StorageManager, step: Step, content: Content) -> None:
    """Writes the commit record, and then what it promises."""
    *artifacts, metadata = content
    contents = step_contents(*artifacts)
    record = {
        "schema_version": 1,
        "session_id": step[0],
        "step_id": step[1],
        "committed_at": "2026-01-31T09:30:00.000000Z",
        "artifacts": {
            made.artifact: {
                "name": artifact_name(StepId(step[1]), made.artifact),
                "size": len(made.data),
                "sha256": sha256_hex(made.data),
                "media_type": made.media_type,
            }
            for made in contents
        },
        "metadata": metadata,
    }
    files = {_key(step, Artifact.METADATA): encode_json(record)}
    files |= {_key(step, made.artifact): made.data for made in contents}
    for key, data in files.items():
        await manager.store.put(key, data, media_type=JSON, sha256=sha256_hex(data))


async def artifacts_deleted_first(manager: StorageManager, step: Step) -> None:
    """Deletes the files, and then the record that promises them."""
    for artifact in Artifact:
        if artifact is not Artifact.METADATA:
            await manager.store.delete([_key(step, artifact)])
    await manager.store.delete([_key(step, Artifact.METADATA)])


async def deleted_at_once(manager: StorageManager, step: Step) -> None:
    """Deletes the record first, and the files right after it, with no tombstone to tell of it."""
    await manager.store.delete([_key(step, Artifact.METADATA)])
    await manager.store.delete(
        [_key(step, artifact) for artifact in Artifact if artifact is not Artifact.METADATA]
    )


async def sweep_orphans(manager: StorageManager, clock: Clock, grace: timedelta) -> None:
    """Deletes the files of steps that have no record, if they are older than ``grace``."""
    old = clock.now() - grace
    files: dict[Step, list[str]] = {}
    records: set[Step] = set()
    async for page in manager.store.list(""):
        for info in page.objects:
            step = parse_step_key(info.key)
            if step is None:
                continue
            if step.artifact is Artifact.METADATA:
                records.add((step.session_id, step.step_id))
            elif info.modified <= old:
                files.setdefault((step.session_id, step.step_id), []).append(info.key)
    for step, keys in files.items():
        if step not in records:
            await manager.store.delete(keys)


class Overwriting(WrappedStore):
    """A store on which create-only is not asked for."""

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        return await self.inner.put(key, data, media_type=media_type, sha256=sha256, create=False)


class Believing(WrappedStore):
    """A store on which each 412 is taken for our own write, whose answer was lost."""

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        try:
            return await self.inner.put(key, data, media_type=media_type, sha256=sha256)
        except Conflict:
            return await self.inner.stat(key)


class Forgetful(WrappedStore):
    """A store that says a write was done when nobody knows."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        try:
            return await self.inner.put(key, data, media_type=media_type, sha256=sha256)
        except ConnectionError:
            try:
                return await self.inner.stat(key)
            except NotFound:
                return ObjectInfo(key, len(data), await self.inner.now())
