"""Ends the draining of a session: its manifest, and what dead writers left of it."""

from __future__ import annotations

from datetime import timedelta

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    NotFound,
    S3ConfigError,
    StorageError,
    StoreUnavailable,
)
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.deletion import delete_keys
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import artifact_key
from checkpoint_assets.storage.sessions import close_session, read_manifest
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_dead import list_dead
from checkpoint_assets.storage.spool_deleted import Deleted
from checkpoint_assets.storage.spool_plan import WaitingStep, waiting_in
from checkpoint_assets.storage.spool_report import DrainLedger
from checkpoint_assets.storage.spool_verification import Sent, problem
from checkpoint_assets.storage.store import Store

# A step without a commit record is being written, or its writer is dead: after a day it is.
GRACE = timedelta(days=1)


class SpoolClosing:
    """Called for a session when everything before its manifest was tried."""

    def __init__(
        self, store: Store, spool: Spool, ledger: DrainLedger, *, concurrency: int, clock: Clock
    ) -> None:
        self._store = store
        self._spool = spool
        self._ledger = ledger
        self._concurrency = concurrency
        self._clock = clock

    async def end(self, name: str) -> None:
        """The manifest is drained, unless something else of the session still waits."""
        folder = await waiting_in(self._spool.pending, name)
        session_id = folder.session_id
        if session_id is None or not (folder.torn or folder.manifest):
            return
        deleted = await Deleted.of(self._store, session_id)
        for step in folder.torn:
            if not deleted.names(step.step_id):
                await self._end_torn(step)
        if folder.manifest and not (folder.steps or folder.objects):
            await self._try_manifest(session_id, folder.manifest.key, deleted)
        if not await self._spool.holds_some(session_id):
            await self._spool.forget_notes(session_id)

    async def _try_manifest(self, session_id: SessionId, key: str, deleted: Deleted) -> None:
        data = await self._spool.pending.get(key)
        if deleted.holds(None, key, data):
            return
        try:
            if deleted.names(None):
                raise Conflict(f"session {session_id} was deleted since", key=key)
            await self._drain_manifest(session_id, key, data)
        except (StoreUnavailable, S3ConfigError):
            raise
        except (Conflict, IntegrityError) as error:
            await self._ledger.bury([key], session_id, None, error)
        except StorageError as error:
            self._ledger.failed(key, error)

    async def _drain_manifest(self, session_id: SessionId, key: str, data: bytes) -> None:
        if dead := await list_dead(self._spool, session_id):
            what = ", ".join(one.step_id or one.keys[-1] for one in dead)
            raise Conflict(f"session {session_id} is not whole: {what} could not be drained")
        try:
            waiting = SessionManifest.model_validate_json(data)
        except ValueError as error:
            raise IntegrityError(f"{key} is no manifest: {error}", key=key) from error
        # It may have been written without a look at the store: its steps are counted anew.
        manifest = await close_session(
            self._store,
            session_id,
            waiting.state,
            waiting.model_dump(mode="json"),
            closed_at=waiting.closed_at,
            layout="flat",
            concurrency=self._concurrency,
        )
        found = await read_manifest(self._store, session_id)
        if found.model_dump(mode="json") != manifest.model_dump(mode="json"):
            raise StorageError(f"{key} in the store is not what was sent", key=key)
        await delete_keys(self._spool.pending, [key])
        await self._spool.forget_media_types([key])
        self._ledger.report.manifests += 1
        self._ledger.drained(key, len(data))

    async def _end_torn(self, step: WaitingStep) -> None:
        """What the store has committed goes; what nobody has is set aside after a day."""
        old = step.modified is not None and step.modified <= self._clock.now() - GRACE
        if not old and not await self._is_committed(step):
            return
        stored = [key for key in step.files if await self._has_same(key)]
        await delete_keys(self._spool.pending, stored)
        if old and (rest := [key for key in step.files if key not in stored]):
            error = NotFound(f"{step.session_id}/{step.step_id} was never committed")
            await self._ledger.bury(rest, step.session_id, step.step_id, error)

    async def _is_committed(self, step: WaitingStep) -> bool:
        """Whether the store has the step: then an earlier drain was cut short."""
        record = artifact_key(step.session_id, step.step_id, Artifact.METADATA, step.layout)
        try:
            await self._store.stat(record)
        except NotFound:
            return False
        return True

    async def _has_same(self, key: str) -> bool:
        try:
            data = await self._spool.pending.get(key)
            return await problem(self._store, Sent(key, len(data), await digest(data))) is None
        except NotFound:
            return False
