"""The part of the StorageManager that removes things, and that keeps things from being removed."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.errors import NotFound, NotSupported
from checkpoint_assets.model.ids import SessionId, StepId, parse_session_id, parse_step_id
from checkpoint_assets.storage import expiry, pins, sweeping, tombstones
from checkpoint_assets.storage.deletion import delete_for_good
from checkpoint_assets.storage.expiry import ExpirationReport
from checkpoint_assets.storage.manager_base import ManagerBase
from checkpoint_assets.storage.pins import Pin
from checkpoint_assets.storage.spooling import refuse_if_cut_short, refuse_if_spooled
from checkpoint_assets.storage.step_versions import undelete_session
from checkpoint_assets.storage.sweeping import SweepReport

logger = logging.getLogger(__name__)


class RetentionMethods(ManagerBase):
    """Deletes, restores, expires and pins."""

    async def delete_step(self, session_id: str, step_id: str, *, permanent: bool = False) -> None:
        """Delete the step; nobody sees it any more. An absent one is fine, and logged.

        It can be restored for the grace period, then the sweep removes it; ``permanent`` removes
        it now, with all its versions. Raises ``DeleteRefused`` for a pinned session.
        """
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        await self._delete(session, step, permanent)

    async def delete_session(self, session_id: str, *, permanent: bool = False) -> None:
        """Delete the session with all its steps. An absent one is fine, and logged.

        It can be restored for the grace period, then the sweep removes it; ``permanent`` removes
        it now, with all its versions. Raises ``DeleteRefused`` for a pinned session.
        """
        await self._delete(parse_session_id(session_id), None, permanent)

    async def _delete(self, session: SessionId, step: StepId | None, permanent: bool) -> None:
        try:
            await self._delete_now(session, step, permanent)
        finally:
            # Also what was found out while it went on.
            self._buried.forget(session)

    async def _delete_now(self, session: SessionId, step: StepId | None, permanent: bool) -> None:
        await refuse_if_cut_short(self._store, session)
        deleted_at = isoformat(self._clock.now())
        if permanent:
            await tombstones.claim_for_good(
                self._store, session, step, deleted_at=deleted_at, grace=self._grace
            )
            found = await delete_for_good(self._store, session, step, erased_at=deleted_at)
            await sweeping.remove_tombstones(self._store, session, step)
            await expiry.remove_expirations(self._store, session, step)
        else:
            found = await tombstones.bury(
                self._store, session, step, deleted_at=deleted_at, grace=self._grace
            )
        if not found:
            what = f"step {session}/{step}" if step else f"session {session}"
            logger.info("there is no %s to delete", what)

    async def restore_step(self, session_id: str, step_id: str) -> None:
        """A step that was deleted is there again. Raises ``NotFound`` once it was swept.

        Raises ``Conflict`` while it is still being deleted; a delete that was cut short is repeated
        first, or waited out for an hour.
        """
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        self._buried.forget(session)
        await self._require("if_match", "restoring a step")
        if await tombstones.restore(self._store, session, step) is None:
            raise NotFound(f"step {session}/{step} was not deleted", session_id=session)

    async def restore_session(self, session_id: str) -> list[str]:
        """A session that was deleted is there again; the keys that were brought back.

        From its tombstone; else, where versions are kept, from those, and then with all its steps,
        also those that were deleted one by one. Raises ``NotFound`` if there is nothing to bring
        back, and ``Conflict`` while it is still being deleted.
        """
        session = parse_session_id(session_id)
        self._buried.forget(session)
        await self._require("if_match", "restoring a session")
        restored = await tombstones.restore(self._store, session, None)
        if restored is None and await self._store.keeps_versions():
            restored = await tombstones.restore_steps(self._store, session)
            restored += await undelete_session(self._store, session)
        if not restored:
            raise NotFound(
                f"there is nothing of session {session} to restore",
                session_id=session,
                hint="it was not deleted, or is gone for good",
            )
        return restored

    async def sweep(self, *, dry_run: bool = False) -> SweepReport:
        """Remove for good what was deleted longer ago than its grace period, and leftovers.

        Pinned sessions stay. Raises ``DeleteRefused`` where the store's clock is more than five
        minutes off ours. What failed is in the report, and goes with the next sweep.
        """
        if not dry_run:
            await self._require("if_match", "the sweep")
        return await sweeping.sweep(self._store, self._clock, dry_run=dry_run)

    async def set_expiration(
        self,
        session_id: str,
        step_id: str | None = None,
        *,
        expires_at: datetime | None = None,
        ttl: timedelta | None = None,
    ) -> datetime:
        """From then on ``apply_expirations`` deletes the session, or the step.

        Give one of the two: a moment (one that has passed is due at once) or a positive time from
        now. A new one replaces the old one. Raises ``NotFound`` for what is not there.
        """
        session = parse_session_id(session_id)
        step = None if step_id is None else parse_step_id(step_id)
        moment = expiry.expiry_time(self._clock.now(), expires_at, ttl)
        await expiry.require_subject(self._store, session, step, self._layout)
        await expiry.write_expiration(self._store, session, step, moment)
        return moment

    async def get_expiration(self, session_id: str, step_id: str | None = None) -> datetime | None:
        """When the session, or the step, expires; ``None``: never."""
        step = None if step_id is None else parse_step_id(step_id)
        return await expiry.read_expiration(self._store, parse_session_id(session_id), step)

    async def clear_expiration(self, session_id: str, step_id: str | None = None) -> None:
        """The session, or the step, does not expire any more."""
        step = None if step_id is None else parse_step_id(step_id)
        await expiry.clear_expiration(self._store, parse_session_id(session_id), step)

    async def apply_expirations(self, *, dry_run: bool = False) -> ExpirationReport:
        """Delete what has expired, as ``delete_session`` and ``delete_step`` do.

        Pinned sessions stay, and are in the report; so do those that still wait in the spool.
        Raises ``DeleteRefused`` where the store's clock is more than five minutes off ours.
        """

        async def delete(session: SessionId, step: StepId | None) -> None:
            await refuse_if_spooled(self._store, session)
            await self._delete(session, step, permanent=False)

        return await expiry.apply_expirations(self._store, self._clock, delete, dry_run=dry_run)

    async def pin(self, session_id: str, reason: str) -> Pin:
        """Hold the session: nothing removes it or a step of it. A new reason replaces the old.

        Raises ``Conflict`` if something of it is being deleted at this moment: that may go on, but
        the session is pinned from then on, and what was deleted can be restored.
        """
        session = parse_session_id(session_id)
        pin = await pins.write_pin(self._store, session, reason, isoformat(self._clock.now()))
        await tombstones.refuse_if_under_way(self._store, session)
        return pin

    async def unpin(self, session_id: str, reason: str = "") -> None:
        """Let the session go. One that was not pinned is fine."""
        await pins.remove_pin(self._store, parse_session_id(session_id), reason)

    async def get_pin(self, session_id: str) -> Pin | None:
        """Why the session is pinned, and since when; ``None``: it is not."""
        return await pins.read_pin(self._store, parse_session_id(session_id))

    async def enable_versions(self) -> None:
        """From now on the store keeps what is replaced or deleted. Raises ``NotSupported``."""
        await self._store.enable_versions()
        self._capabilities = None
        if not (await self.get_capabilities()).versions:
            raise NotSupported(f"{self.url} does not keep versions")
