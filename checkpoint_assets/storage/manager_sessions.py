"""The part of the StorageManager that is about sessions: closing, listing, derived files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage import derived, idle, listing, sessions
from checkpoint_assets.storage.keys import derived_key, session_prefix
from checkpoint_assets.storage.manager_base import ManagerBase
from checkpoint_assets.storage.session_filter import SessionFilter, check_filter, matches
from checkpoint_assets.storage.whole_writes import close_session

# Manifests that a filter looks at ahead of the session that the caller has.
_AHEAD = 16


class SessionMethods(ManagerBase):
    """Closes, lists and describes sessions."""

    def session_url(self, session_id: str) -> str:
        """Where the session is: an ``s3://`` URL, or the path of its folder."""
        return self._locate(session_prefix(parse_session_id(session_id))).rstrip("/")

    async def get_manifest(self, session_id: str) -> SessionManifest:
        """How the session ended. Raises ``NotFound`` while it has not been closed."""
        return await sessions.read_manifest(self._store, parse_session_id(session_id))

    async def close_session(
        self,
        session_id: str,
        state: SessionState = SessionState.COMPLETE,
        *,
        manifest: Mapping[str, Any] | None = None,
    ) -> SessionManifest:
        """Write the manifest: the state, the steps and bytes that are stored, and ``manifest``.

        Closing again with the same content is a success, with another raises ``Conflict``, and so
        does closing a session that was deleted.
        """
        session = parse_session_id(session_id)
        await self._buried.refuse_if_buried(session)
        return await close_session(
            self._store,
            session,
            SessionState(state),
            manifest,
            closed_at=isoformat(self._clock.now()),
            layout=self._layout,
            concurrency=self._concurrency,
        )

    async def close_idle_sessions(self, idle_for: timedelta = idle.IDLE_FOR) -> list[str]:
        """Close sessions without a manifest, to which nothing was added for so long, as incomplete.

        Returns their ids. Raises ``DeleteRefused`` where the clocks disagree on what is long ago.
        """
        found = [
            session async for session in idle.idle_sessions(self._store, self._clock, idle_for)
        ]
        for session in found:
            reason = {"reason": f"idle for more than {idle_for}"}
            await self.close_session(session, SessionState.INCOMPLETE, manifest=reason)
        return list(found)

    def iter_sessions(
        self,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        where: SessionFilter | None = None,
    ) -> AsyncIterator[str]:
        """Ids of the stored sessions, in the order of their keys, one page in memory.

        ``where`` takes those in a ``state``, of a ``scenario``, begun ``since`` and ``until``.
        """
        if after is not None:
            parse_session_id(after)
        found = listing.session_ids(self._store, prefix=prefix, after=after)
        if where:
            wanted = check_filter(where)
            found = listing.matching(
                found, lambda session: matches(self._store, session, wanted), _AHEAD
            )
        return _first(found, limit)

    async def list_sessions(
        self,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
        where: SessionFilter | None = None,
    ) -> list[str]:
        """``iter_sessions`` as a list."""
        return [session async for session in self.iter_sessions(prefix, after, limit, where)]

    def iter_steps(
        self,
        session_id: str,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[str]:
        """Ids of the session's committed steps, in the order of their keys."""
        session = parse_session_id(session_id)
        if after is not None:
            parse_step_id(after)
        return _first(listing.step_ids(self._store, session, prefix=prefix, after=after), limit)

    async def list_steps_for_session(
        self,
        session_id: str,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """``iter_steps`` as a list; empty for a session that does not exist."""
        return [step async for step in self.iter_steps(session_id, prefix, after, limit)]

    async def store_derived(
        self,
        session_id: str,
        name: str,
        data: bytes,
        media_type: str = "application/octet-stream",
        step_id: str | None = None,
    ) -> str:
        """Store or replace a file that was computed from the session, or from a step of it."""
        session = parse_session_id(session_id)
        step = None if step_id is None else parse_step_id(step_id)
        await derived.write_derived(self._store, session, name, data, media_type, step)
        return self._locate(derived_key(session, name, step))

    async def retrieve_derived(
        self, session_id: str, name: str, step_id: str | None = None
    ) -> bytes:
        """The bytes of a derived file. Raises ``NotFound``."""
        step = None if step_id is None else parse_step_id(step_id)
        return await derived.read_derived(self._store, parse_session_id(session_id), name, step)


async def _first(items: AsyncIterator[str], limit: int | None) -> AsyncIterator[str]:
    left = -1 if limit is None else limit
    if left == 0:
        return
    async for item in items:
        yield item
        left -= 1
        if left == 0:
            return
