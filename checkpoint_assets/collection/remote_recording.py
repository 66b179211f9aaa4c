"""The part of the collector that records sessions somebody else drives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from checkpoint_assets.collection.adoptions import ON, Adoptions
from checkpoint_assets.collection.browser.browserbase_sessions import IsClosed
from checkpoint_assets.collection.browser.watched_page import Change
from checkpoint_assets.collection.remote_browsers import RemoteBrowsers
from checkpoint_assets.collection.stagehand_recorder import StagehandRecorder
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import SessionManifest, StepData


class RemoteRecording:
    """Attaches to sessions in Browserbase, and lets go of them; they go on."""

    _remote: RemoteBrowsers
    _adoptions: Adoptions

    async def configure_session(
        self,
        browserbase_session: Any,
        *,
        on: Collection[Change] = ON,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Record a session that somebody else drives, from now on; returns our id of it.

        Given is what the ``browserbase`` SDK returned, or the session's id. Navigations and
        changes that can be seen become steps by themselves (``on`` says which of the two), and so
        does what ``collect_step_data`` is told. The session is never touched. Raises
        ``DataCollectionError`` if it cannot be attached to.
        """
        return await self._adoptions.configure(browserbase_session, on=on, tags=tags)

    async def collect_step_data(
        self,
        browserbase_session_id: str,
        stagehand_task_id: str | None = None,
        url: str | None = None,
        action_data: Any = None,
        *,
        kind: str | None = None,
        page_id: str | None = None,
    ) -> StepData:
        """Capture a step of a configured session now; durable when this returns.

        ``action_data`` is whatever the agent's framework returned (Stagehand, Playwright, a dict),
        ``kind`` what it was if that does not say so. ``page_id`` (CDP's target id) or ``url``
        picks the page; without them it is the one that changed last. Raises ``NotRegistered``,
        ``DataCollectionError``, ``StorageError``.
        """
        return await self._adoptions.collect(
            browserbase_session_id,
            stagehand_task_id,
            url=url,
            action_data=action_data,
            kind=kind,
            page_id=page_id,
        )

    async def record_stagehand(
        self, stagehand: Any, browserbase_session: Any = None
    ) -> StagehandRecorder:
        """The Stagehand (4), wrapped so that each of its acts becomes a step of the session.

        The session is that of its browser in Browserbase, unless another one is given; it is
        configured if it is not yet, and then nothing but its acts is recorded by itself.
        """
        session = browserbase_session or stagehand.browser.session_id
        session_id = await self.configure_session(session, on=())
        return StagehandRecorder(
            stagehand,
            session_id,
            self.collect_step_data,
            lambda values: self._adoptions.hide(session_id, values),
        )

    async def close_session(
        self,
        session_id: str | None = None,
        *,
        state: SessionState = SessionState.COMPLETE,
    ) -> SessionManifest:
        """End the recording of a configured session and return its manifest; theirs goes on.

        The id is ours or Browserbase's; with one session it may be left out. What could not be
        recorded makes it incomplete. Raises ``NotRegistered``, ``StorageError``.
        """
        return await self._adoptions.close_session(session_id, state)

    async def record_session(
        self, browserbase_session: Any, *, tags: Mapping[str, str] | None = None
    ) -> SessionManifest:
        """Record a session that somebody else drives until it ends; returns its manifest.

        One that has ended already has a manifest only, ``incomplete``, with what Browserbase
        keeps of it. A cancellation leaves an ``aborted`` one and is raised again.
        """
        return await self._adoptions.record(browserbase_session, tags)

    async def release_orphans(
        self, older_than: timedelta | None = None, *, is_closed: IsClosed | None = None
    ) -> list[str]:
        """Release remote sessions of ours that nobody captures in any more; their ids.

        Those of processes of this machine that have ended, those that were made for a session of
        ours that ``is_closed`` says is closed, and those that are older than one of ours can be,
        or than ``older_than``. Raises ``DataCollectionError``.
        """
        return await self._remote.release_orphans(older_than, is_closed)
