"""The part of the StorageManager that looks after the store: checks, rules, reserved objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.storage import lifecycle
from checkpoint_assets.storage.deletion import delete_keys
from checkpoint_assets.storage.findings import VerifyReport, fraction
from checkpoint_assets.storage.fsck import Checker
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import parse_reserved_key, parse_reserved_prefix
from checkpoint_assets.storage.lifecycle import LifecycleChange
from checkpoint_assets.storage.manager_base import ManagerBase
from checkpoint_assets.storage.quarantine import quarantine
from checkpoint_assets.storage.spool_drain import drain_spool
from checkpoint_assets.storage.spool_report import DrainReport
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import ObjectInfo, StoredObject

# Files without a record that are younger may belong to a step that is being written.
ORPHAN_GRACE = timedelta(days=1)


class UpkeepMethods(ManagerBase):
    """Checks the store, drains the spool, reads and writes what is no session."""

    async def verify(
        self,
        session_id: str | None = None,
        read_data: bool | float | str = False,
        *,
        repair: bool = False,
        orphan_grace: timedelta = ORPHAN_GRACE,
        seed: int = 0,
        progress: Callable[[VerifyReport], None] | None = None,
    ) -> VerifyReport:
        """Compare the store, or one session, with the commit records; changes nothing.

        ``read_data`` is the share of files that is read and hashed, ``True``, ``0.05`` or
        ``"5%"``; ``seed`` picks them. Of the others only the size is compared. With ``repair``
        what is wrong is moved below ``_quarantine/``; what is foreign always stays. While it
        repairs, nobody should store a step again whose writer died more than ``orphan_grace`` ago:
        the files that were left are taken for orphans until the new commit record is there.
        ``progress`` is called with the report so far after each session.
        """
        share = fraction(read_data)
        session = None if session_id is None else parse_session_id(session_id)
        now = await self._store.now()
        checker = Checker(
            self._store, now, share=share, grace=orphan_grace, seed=seed, progress=progress
        )
        if session is None:
            await checker.check_all()
        else:
            await checker.check_session(session)
        report = checker.report
        if repair:
            report.quarantined = await quarantine(self._store, report.findings)
        return report

    async def sync_lifecycle_rules(
        self, *, expire_versions_after_days: int | None = None, dry_run: bool = False
    ) -> LifecycleChange:
        """The bucket's rules of ours are as they should be; ``difference`` shows what changes.

        Rules of others stay. Old versions expire only if a number of days is given, and not while
        a pinned session has some (``DeleteRefused``). Raises ``NotSupported`` without a bucket.
        """
        return await lifecycle.sync_rules(
            self._store, expire_versions_after_days=expire_versions_after_days, dry_run=dry_run
        )

    async def spooled_sessions(self) -> list[str]:
        """Sessions of which something waits in the spool; retention leaves them alone."""
        return await self._store.spool.sessions() if isinstance(self._store, SpoolingStore) else []

    async def drain_spool(
        self, *, limit: int | None = None, retry_dead: bool = False
    ) -> DrainReport:
        """Take what waits in the spool to S3, in order; ``limit`` steps at most.

        Safe to run again, to kill, and to run twice at once. Nothing leaves the spool before it
        was seen in S3. ``retry_dead`` tries once more what an earlier drain has set aside. An
        outage ends it early (``report.stopped``); raises ``S3ConfigError``.
        """
        if not isinstance(self._store, SpoolingStore):
            return DrainReport()
        if self._store.spool.may_hold(""):
            with suppress(StoreUnavailable):  # the drain will tell
                await self.get_capabilities()
            await self._require("create_only", "draining the spool")
        return await drain_spool(self._store, limit=limit, retry_dead=retry_dead, clock=self._clock)

    async def read_object(self, key: str) -> StoredObject:
        """An object of a reserved area (``_catalog/...``), with its etag. Raises ``NotFound``."""
        return await self._store.fetch(parse_reserved_key(key))

    async def write_object(
        self,
        key: str,
        data: bytes,
        media_type: str = "application/octet-stream",
        *,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Write an object of a reserved area: new, over a known etag, or over whatever is there.

        Raises ``Conflict`` where ``create`` or ``if_match`` does not hold. A caller that gets one
        compares what is there: the answer to its own write may have been lost.
        """
        return await self._store.put(
            parse_reserved_key(key),
            data,
            media_type=media_type,
            sha256=await digest(data),
            create=create,
            if_match=if_match,
        )

    async def iter_objects(
        self, prefix: str, after: str | None = None
    ) -> AsyncIterator[ObjectInfo]:
        """The objects of a reserved area, in the order of their keys."""
        async for page in self._store.list(parse_reserved_prefix(prefix), after=after):
            for info in page.objects:
                yield info

    async def delete_objects(self, keys: Sequence[str]) -> None:
        """Remove objects of a reserved area. Raises ``PartialFailure``."""
        await delete_keys(self._store, [parse_reserved_key(key) for key in keys])
