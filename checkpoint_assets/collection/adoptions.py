"""The sessions of others that a collector records, by their ids there and here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from browserbase import BrowserbaseError
from playwright.async_api import Browser

from checkpoint_assets.collection.adopted_session import AdoptedSession
from checkpoint_assets.collection.agent_actions import read_action
from checkpoint_assets.collection.browser.browserbase_browser import MOST_RECONNECTIONS
from checkpoint_assets.collection.browser.browserbase_client import translated
from checkpoint_assets.collection.browser.browserbase_links import described, links_afterwards
from checkpoint_assets.collection.browser.browserbase_sessions import LIVE
from checkpoint_assets.collection.browser.watched_page import Change
from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.remote_browsers import RemoteBrowsers
from checkpoint_assets.collection.step_copies import copy_step
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IEventEmitter, IStorageManager
from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.contract_records import CollectedData, SystemEvent
from checkpoint_assets.model.enums import Artifact, CollectionStatus, EventType, SessionState
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    CheckpointError,
    DataCollectionError,
    InvalidInput,
    NotRegistered,
)
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.model.records import SessionManifest, StepData

ON: tuple[Change, ...] = ("navigate", "change")

_UNKNOWN = "the connection ended, and whether the session had is not known"
_LOST = "the connection was lost before the session ended"


class Adoptions:
    """Attaches to sessions, stores their steps, and closes ours of them; theirs go on.

    Each is a source of ``collection`` under our id: there it is paused, resumed and stopped.
    """

    def __init__(
        self,
        storage: IStorageManager,
        collection: CollectionManager,
        settings: Settings,
        remote: RemoteBrowsers,
        events: IEventEmitter,
        ids: SessionIds,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._collection = collection
        self._settings = settings
        self._remote = remote
        self._events = events
        self._ids = ids
        self._clock = clock
        # By our id and by the remote one.
        self._sessions: dict[str, AdoptedSession] = {}

    async def configure(
        self, session: Any, *, on: Collection[Change] = ON, tags: Mapping[str, str] | None = None
    ) -> str:
        """Attach to the session, or to that of the id, and record it; returns our id of it.

        A session that is attached to already keeps its id. Raises ``DataCollectionError``.
        """
        if session in self._sessions if isinstance(session, str) else False:
            return self._sessions[session].id
        found = await self._found(session)
        if found.id in self._sessions:
            return self._sessions[found.id].id
        url = getattr(found, "connect_url", None)
        if not url:
            raise BrowserUnavailable(
                f"the session {found.id} cannot be connected to", hint="does it still run?"
            )
        key = getattr(found, "signing_key", None)
        redactor = Redactor([each for each in (url, key, self._remote.api_key) if each])
        await self._storage.connect()
        adopted = AdoptedSession(
            self._ids.new(),
            partial(self._remote.driver.connect, url, watch_only=True),
            self._settings,
            redactor=redactor,
            remote={**described(found), "adopted": True, "not_filtered": ["everything"]},
            on=on,
            clock=self._clock,
        )
        adopted.tags = dict(tags or {})
        # Now, and not in the task that collects: who asks for it hears why it cannot be.
        await adopted.connect()
        self._sessions[found.id] = self._sessions[adopted.id] = adopted
        await self._tell(EventType.COLLECTION_START, adopted, remote=found.id)

        async def sink(_: str, step: CollectedData) -> None:
            await self._take(adopted, step)

        await self._collection.register_source(adopted, sink, source_id=adopted.id)
        await self._collection.start(adopted.id)
        return adopted.id

    async def _found(self, session: Any) -> Any:
        if not isinstance(session, str):
            if getattr(session, "id", None) and getattr(session, "connect_url", None):
                return session
            session = getattr(session, "session_id", None) or getattr(session, "id", None)
            if not isinstance(session, str):
                raise InvalidInput(
                    "a session of the browserbase SDK is needed, or its id",
                    hint="pass what sessions.create() returned",
                )
        try:
            return await self._remote.sessions.client.sessions.retrieve(session)
        except BrowserbaseError as err:
            raise translated(err, f"asking for the session {session}") from None

    def _adopted(self, session_id: str | None) -> AdoptedSession:
        if session_id is None:
            different = {id(each): each for each in self._sessions.values()}
            if len(different) == 1:
                return next(iter(different.values()))
        elif session_id in self._sessions:
            return self._sessions[session_id]
        raise NotRegistered(
            f"no such session is recorded: {session_id}", hint="call configure_session() first"
        )

    async def collect(
        self,
        session_id: str,
        task_id: str | None,
        *,
        url: str | None,
        action_data: Any,
        kind: str | None,
        page_id: str | None,
    ) -> StepData:
        """One step of the session, now; one that is paused stores it when it goes on.

        Raises ``NotRegistered``, ``DataCollectionError``, ``StorageError``.
        """
        adopted = self._adopted(session_id)
        action = read_action(action_data, kind=kind)
        if self._collection.get_status(adopted.id) is CollectionStatus.ERROR:
            await self._collection.wait(adopted.id)
        return await (await adopted.tell(action, url=url, page_id=page_id, task_id=task_id))

    def hide(self, session_id: str, values: list[str]) -> None:
        """Mask these values in what is stored of the session from now on."""
        self._adopted(session_id).redactor.add(values)

    async def _take(self, session: AdoptedSession, step: CollectedData) -> None:
        told = session.told.get(step.metadata["step_id"])
        try:
            data = await self._store(session, step)
        except Exception as err:  # whoever told the step hears of it, whatever it is
            if told is None:
                raise
            if not told.done():
                told.set_exception(err)
        else:
            if told is not None and not told.done():
                told.set_result(data)
        session.told.pop(step.metadata["step_id"], None)

    async def _store(self, session: AdoptedSession, step: CollectedData) -> StepData:
        step_id: str = step.metadata["step_id"]
        action: dict[str, Any] = step.metadata["action"]
        page: dict[str, Any] = step.metadata["page"]
        paths = await self._storage.store_step_data(
            session.id,
            step_id,
            html_content=step.artifacts.get(Artifact.HTML),
            screenshot_bytes=step.artifacts.get(Artifact.SCREENSHOT),
            action_data=action,
            metadata=page,
        )
        if problem := await copy_step(self._storage, step):
            session.problems.append(problem)
        if problem := page.get("incomplete"):
            session.problems.append(f"{step_id}: {problem}")
        await self._tell(
            EventType.STEP_STORED,
            session,
            step_id=step_id,
            selector=None,
            outcome=action["outcome"],
            milliseconds=round(sum(action["milliseconds"].values())),
            bytes=sum(len(content) for content in step.artifacts.values()),
            paths=paths,
        )
        return StepData(
            session_id=session.id,
            step_id=step_id,
            timestamp=isoformat(step.timestamp),
            url=page.get("url", ""),
            html_path=paths["html_path"],
            screenshot_path=paths["screenshot_path"],
            action_data_path=paths["action_data_path"],
            metadata_path=paths["metadata_path"],
        )

    async def close_session(
        self, session_id: str | None, state: SessionState, reason: str | None = None
    ) -> SessionManifest:
        """Detach, and write the manifest. Raises ``NotRegistered``, ``StorageError``."""
        adopted = self._adopted(session_id)
        # First of all, so that nobody closes it twice.
        for key in [key for key, each in self._sessions.items() if each is adopted]:
            del self._sessions[key]
        if await self._stopped(adopted):
            state, reason = SessionState.ABORTED, reason or "stopped before its end"
        if state is SessionState.COMPLETE and adopted.problems:
            state, reason = SessionState.INCOMPLETE, "; ".join(adopted.problems)
        manifest = await self._storage.close_session(
            adopted.id,
            state,
            manifest={
                "source": "browserbase",
                "started_at": adopted.started_at,
                "seconds": round(self._clock.monotonic() - adopted.started, 3),
                "reason": reason and adopted.redactor.text(reason),
                "artifacts": sorted(Artifact),
                "tags": adopted.tags,
                "remote": adopted.redactor.json(adopted.remote),
                "metadata": {"browser": adopted.version},
            },
        )
        kind = (
            EventType.COLLECTION_COMPLETE
            if state is SessionState.COMPLETE
            else EventType.COLLECTION_ERROR
        )
        await self._tell(kind, adopted, state=str(state), steps=len(manifest.steps))
        return manifest

    async def _stopped(self, adopted: AdoptedSession) -> bool:
        """Collect what is captured to its end, and detach; whether somebody has stopped it."""
        if adopted.id not in self._collection.list_sources():
            await adopted.disconnect()
            return False
        try:
            await self._collection.resume(adopted.id)
            await adopted.end()
            await self._collection.wait(adopted.id)
        except CheckpointError as err:
            adopted.problems.append(str(err))
        finally:
            stopped = self._collection.was_stopped(adopted.id)
            await self._collection.unregister_source(adopted.id)
            await adopted.disconnect()
        return stopped

    async def record(self, session: Any, tags: Mapping[str, str] | None = None) -> SessionManifest:
        """Record the session until it ends.

        A connection that is lost before is made anew; ours is incomplete then.
        Of one that has ended already there are no steps to be had: its manifest is incomplete,
        and says where Browserbase keeps what it has. Raises what ``configure`` raises. A
        cancellation closes ours as aborted.
        """
        remote_id = session if isinstance(session, str) else getattr(session, "id", None)
        known = remote_id in self._sessions or self._remote.api_key is None
        if isinstance(remote_id, str) and not known:
            # What was given may be old: asked is what it is now.
            session = await self._found(remote_id)
            if session.status not in LIVE:
                return await self._note(session, tags)
        session_id = await self.configure(session, tags=tags)
        adopted = self._sessions[session_id]
        adopted.again = partial(self._again, adopted)
        reason: str | None = None
        try:
            lost = self._collection.get_status(session_id) is CollectionStatus.STOPPED
            if lost and await self._live(adopted):
                reason = _LOST
            await self._collection.wait(session_id)
        except DataCollectionError as err:
            reason = err.message
        except CheckpointError as err:
            await self.close_session(session_id, SessionState.INCOMPLETE, str(err))
            raise
        except BaseException:
            await self.close_session(session_id, SessionState.ABORTED, "stopped before its end")
            raise
        state = SessionState.COMPLETE if reason is None else SessionState.INCOMPLETE
        return await self.close_session(session_id, state, reason)

    async def _note(self, found: Any, tags: Mapping[str, str] | None) -> SessionManifest:
        """The manifest of a session that had ended before anybody recorded it."""
        await self._storage.connect()
        remote = {**described(found), "adopted": False, **await self._links(found.id)}
        redactor = Redactor([key for key in (self._remote.api_key,) if key])
        return await self._storage.close_session(
            self._ids.new(),
            SessionState.INCOMPLETE,
            manifest={
                "source": "browserbase",
                "started_at": isoformat(self._clock.now()),
                "reason": "the session had ended before it was recorded: it has no steps",
                "tags": dict(tags or {}),
                "remote": redactor.json(remote),
            },
        )

    async def _links(self, remote_id: str) -> dict[str, Any]:
        """What Browserbase keeps of a session that has ended; nothing is asked to be made."""
        if self._remote.api_key is None:
            return {}
        seconds = self._settings.timeouts.close
        client = self._remote.sessions.client
        return await links_afterwards(
            client, remote_id, seconds, log=True, record=True, make_videos=False
        )

    async def _live(self, adopted: AdoptedSession) -> Any:
        """The session as it is now, ``None`` if it has ended. Raises ``DataCollectionError``."""
        if self._remote.api_key is None:
            raise DataCollectionError(_UNKNOWN)
        remote_id = adopted.remote["session_id"]
        try:
            found = await self._remote.sessions.client.sessions.retrieve(remote_id)
        except BrowserbaseError as err:
            raise DataCollectionError(_UNKNOWN) from err
        if found.status not in LIVE:
            adopted.remote |= await self._links(remote_id)
            return None
        return found

    async def _again(self, adopted: AdoptedSession) -> Browser | None:
        """A new connection to the session, unless it has ended. Raises ``DataCollectionError``."""
        found = await self._live(adopted)
        if found is None:
            return None
        url = found.connect_url
        if url is None or adopted.remote.get("reconnected", 0) >= MOST_RECONNECTIONS:
            raise DataCollectionError(_LOST)
        adopted.redactor.add([url])
        try:
            return await self._remote.driver.connect(url, watch_only=True)
        except DataCollectionError as err:
            raise DataCollectionError(_LOST) from err

    async def _tell(self, kind: EventType, session: AdoptedSession, **data: Any) -> None:
        words = {"session_id": session.id, "scenario": None, **data}
        await self._events.emit(SystemEvent(kind, self._clock.now(), "collector", words))

    async def close(self) -> None:
        """Close every session that was not closed, as incomplete."""
        while self._sessions:
            session_id = next(iter(self._sessions))
            reason = "the collector was closed before the session was"
            await self.close_session(session_id, SessionState.INCOMPLETE, reason)
