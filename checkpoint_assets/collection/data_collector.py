"""The collector: runs scenarios, commits each step as it happens, and closes every session."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from checkpoint_assets.collection.adoptions import ON, Adoptions
from checkpoint_assets.collection.browser.browser_pool import BrowserPool, Lease
from checkpoint_assets.collection.browser.local_source import ALWAYS, LocalBrowserSource
from checkpoint_assets.collection.browser.remote_source import RemoteSource
from checkpoint_assets.collection.browser.session_browser import SessionBrowser
from checkpoint_assets.collection.browser.watched_page import Change
from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.redaction import MASK, Redactor
from checkpoint_assets.collection.remote_browsers import RemoteBrowsers
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.sites import OpenSite, ServedSite
from checkpoint_assets.collection.stagehand_recorder import StagehandRecorder
from checkpoint_assets.collection.steps import Fill
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IDataSource, IEventEmitter, IStorageManager
from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.enums import Artifact, EventType, SessionState
from checkpoint_assets.model.errors import (
    BrowserCrashed,
    CheckpointError,
    DataCollectionError,
    InvalidConfiguration,
    InvalidScenario,
    PartialFailure,
)
from checkpoint_assets.model.ids import SessionId, SessionIds
from checkpoint_assets.model.records import (
    CollectedData,
    SessionManifest,
    StepData,
    StorageConfig,
    SystemEvent,
)
from checkpoint_assets.runtime.cleanup import to_the_end
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.tasks import TaskTracker
from checkpoint_assets.storage.storage_manager import StorageManager

# What the collection manager says of a session; of begin and end the collector says more itself.
_TOLD = (EventType.COLLECTION_PAUSED, EventType.COLLECTION_RESUMED)


async def _nowhere(source_id: str, step: CollectedData) -> None:
    """The sink of no source: each session brings its own."""


class DataCollector:
    """Captures sessions into a storage manager. An async context manager, for one event loop.

    Scenarios may be captured at once: as many run as the pool of browsers has places, the others
    wait. ``browsers`` is a pool to share with other collectors; without it there is one that ends
    with the collector. ``open_site`` serves the sites that scenarios name with ``site:`` (the
    project's own are in ``checkpoint_assets.testing.sites``); ``events`` hears of every step.

    ``collection`` pauses, resumes and stops a running session by its id; one that is stopped ends
    ``aborted``. ``tasks`` says what is running.
    """

    def __init__(
        self,
        storage_config: StorageConfig | IStorageManager,
        *,
        browserbase: Any = None,
        stagehand: Any = None,
        settings: Settings | None = None,
        browsers: BrowserPool | None = None,
        open_site: OpenSite | None = None,
        events: IEventEmitter | None = None,
        clock: Clock = system_clock,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._storage: IStorageManager = (
            open_storage(storage_config) if isinstance(storage_config, dict) else storage_config
        )
        self._open_site = open_site
        self._events = events or EventEmitter()
        self._clock = clock
        self._environment = os.environ if environment is None else environment
        self._session_ids = SessionIds(clock)
        self._browsers = browsers or BrowserPool(self._settings)
        self._owns_browsers = browsers is None
        self._remote = RemoteBrowsers(self._settings, browserbase, clock, stagehand)
        self._adoptions = Adoptions(
            self._storage, self._settings, self._remote, self._events, self._session_ids, clock
        )
        self.tasks = TaskTracker(self._events, clock=clock)
        self.collection = CollectionManager(
            _nowhere, events=self._events, told=_TOLD, tasks=self.tasks, clock=clock
        )

    async def capture_scenario(
        self,
        scenario: Scenario,
        *,
        artifacts: Collection[Artifact] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> SessionManifest:
        """Run the scenario as a new session and return its manifest.

        Every step is durable before the next is handed to storage. A scenario that fails on the
        way leaves an ``incomplete`` session whose ``reason`` says what and where; a cancellation
        leaves an ``aborted`` one and is raised again. A session whose browser died while others
        were in it may have been harmed by one of them: its scenario is captured once more, as a
        new session in a browser of its own, whose manifest names the first one (``retry_of``).
        Nothing is started, and ``InvalidScenario`` or ``InvalidConfiguration`` raised, where a
        secret or a site is missing. Storage errors are raised.

        ``artifacts`` narrows what is captured; action and metadata always are.
        """
        _check_supported(scenario)
        wanted = frozenset(scenario.collect.artifacts)
        if artifacts is not None:
            wanted &= frozenset(artifacts)
        wanted |= ALWAYS
        with self._site(scenario) as site:
            secrets = self._secrets(scenario, site)
            await self._storage.connect()
            if scenario.source != "local":
                return await self._capture_elsewhere(
                    self._session(scenario, wanted, tags, secrets), site
                )
            async with self._browsers.lease() as lease:
                session = self._session(scenario, wanted, tags, secrets)
                manifest = await self._run(session, self._source(session, lease, site), lease)
                harmed = session.crashed and lease.lost and lease.had_company
            if not harmed:
                return manifest
            async with self._browsers.lease(alone=True) as lease:
                again = self._session(scenario, wanted, tags, secrets, retry_of=session.id)
                return await self._run(again, self._source(again, lease, site), lease)

    async def _capture_elsewhere(
        self, session: _Session, site: ServedSite | None
    ) -> SessionManifest:
        async with self._remote.browser(
            session.id, session.scenario, session.secrets, session.redactor
        ) as browser:
            source = RemoteSource(
                session.scenario,
                browser,
                self._settings,
                site_url=site.url if site else None,
                secrets=session.secrets,
                redactor=session.redactor,
                artifacts=session.artifacts,
                clock=self._clock,
            )
            return await self._run(session, source, browser)

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

        A cancellation leaves an ``aborted`` one and is raised again.
        """
        return await self._adoptions.record(browserbase_session, tags)

    async def release_orphans(self, older_than: timedelta | None = None) -> list[str]:
        """Release remote sessions of ours that nobody captures in any more; their ids.

        Those of processes of this machine that have ended, and those that are older than one of
        ours can be, or than ``older_than``. Raises ``DataCollectionError``.
        """
        return await self._remote.release_orphans(older_than)

    def _session(
        self,
        scenario: Scenario,
        artifacts: Collection[Artifact],
        tags: Mapping[str, str] | None,
        secrets: Mapping[str, str],
        *,
        retry_of: SessionId | None = None,
    ) -> _Session:
        return _Session(
            self._session_ids.new(),
            scenario,
            artifacts,
            dict(tags or {}),
            secrets,
            Redactor([*secrets.values(), *scenario.literal_secrets()]),
            retry_of,
        )

    def _source(self, session: _Session, lease: Lease, site: ServedSite | None) -> IDataSource:
        return LocalBrowserSource(
            session.scenario,
            lease,
            self._settings,
            site_url=site.url if site else None,
            secrets=session.secrets,
            redactor=session.redactor,
            artifacts=session.artifacts,
            clock=self._clock,
        )

    async def _run(
        self, session: _Session, source: IDataSource, browser: SessionBrowser
    ) -> SessionManifest:
        started = self._clock.monotonic()
        session.started_at = isoformat(self._clock.now())
        await self._tell(EventType.COLLECTION_START, session, scenario=session.scenario.name)
        state = SessionState.ABORTED
        reason: str | None = "stopped before its end"
        try:
            async with asyncio.timeout(self._settings.timeouts.session):
                whole = await self._collect(session, source)
            if whole:
                state, reason = SessionState.COMPLETE, None
            if whole and session.incomplete:
                state, reason = SessionState.INCOMPLETE, "; ".join(session.incomplete)
        except DataCollectionError as err:
            session.crashed = isinstance(err, BrowserCrashed)
            state, reason = SessionState.INCOMPLETE, str(err)
        except TimeoutError:
            limit = self._settings.timeouts.session
            state, reason = SessionState.INCOMPLETE, f"the session took longer than {limit:g} s"
        except CheckpointError as err:
            state, reason = SessionState.INCOMPLETE, str(err)
            raise
        finally:
            session.browser = browser.version
            session.remote = getattr(source, "remote", {})
            # The manifest is written also when the task is being cancelled.
            closing = asyncio.ensure_future(
                self._close(session, state, reason, self._clock.monotonic() - started)
            )
            manifest = await to_the_end(closing)
        return manifest

    async def _collect(self, session: _Session, source: IDataSource) -> bool:
        """Whether everything was collected, and nobody has stopped it."""

        async def sink(_: str, step: CollectedData) -> None:
            await self._store(session, step)

        source_id = await self.collection.register_source(source, sink, source_id=session.id)
        try:
            await self.collection.start(source_id)
            await self.collection.wait(source_id)
            return not self.collection.was_stopped(source_id)
        finally:
            # Nothing to cancel, unless this task is being cancelled.
            await to_the_end(asyncio.ensure_future(self.collection.cancel(source_id)))
            await self.collection.unregister_source(source_id)

    async def _store(self, session: _Session, step: CollectedData) -> None:
        step_id: str = step.metadata["step_id"]
        action: dict[str, Any] = step.metadata["action"]
        paths = await self._storage.store_step_data(
            session.id,
            step_id,
            html_content=step.artifacts.get(Artifact.HTML),
            screenshot_bytes=step.artifacts.get(Artifact.SCREENSHOT),
            action_data=action,
            metadata=step.metadata["page"],
        )
        await self._copy(session, step)
        if action.get("target", {}).get("private"):
            session.private_steps.add(action["ordinal"])
        if problem := step.metadata["page"].get("incomplete"):
            session.incomplete.append(f"{step_id}: {problem}")
        await self._tell(
            EventType.STEP_STORED,
            session,
            scenario=session.scenario.name,
            step_id=step_id,
            selector=action.get("selector"),
            outcome=action["outcome"],
            bytes=sum(len(content) for content in step.artifacts.values()),
            milliseconds=round(sum(action["milliseconds"].values())),
            paths=paths,
        )

    async def _copy(self, session: _Session, step: CollectedData) -> None:
        """Keep the step in the other backends; one that fails makes the session incomplete."""
        if len(self._storage.list_backends()) == 1:
            return
        known = {"session_id": session.id, "scenario": session.scenario.name, **step.metadata}
        try:
            await self._storage.copy_data(replace(step, metadata=known))
        except PartialFailure as err:
            session.incomplete.append(str(err))

    async def _close(
        self, session: _Session, state: SessionState, reason: str | None, seconds: float
    ) -> SessionManifest:
        reason = reason and session.redactor.text(reason)
        manifest = await self._storage.close_session(
            session.id,
            state,
            manifest={
                "scenario": session.scenario.name,
                "source": session.scenario.source,
                "started_at": session.started_at,
                "seconds": round(seconds, 3),
                "reason": reason,
                "artifacts": sorted(session.artifacts),
                "tags": {**session.scenario.tags, **session.tags},
                "remote": session.redactor.json(session.remote),
                "metadata": {
                    "scenario": session.redactor.json(session.words()),
                    "scenario_digest": session.scenario.digest,
                    "expected_steps": session.expected_steps,
                    "browser": session.browser,
                    **({"retry_of": session.retry_of} if session.retry_of else {}),
                },
            },
        )
        kind = (
            EventType.COLLECTION_COMPLETE
            if state is SessionState.COMPLETE
            else EventType.COLLECTION_ERROR
        )
        await self._tell(
            kind,
            session,
            scenario=session.scenario.name,
            state=str(state),
            reason=reason,
            steps=len(manifest.steps),
            bytes=manifest.bytes,
            seconds=manifest.seconds,
        )
        return manifest

    def _site(
        self, scenario: Scenario
    ) -> contextlib.AbstractContextManager[ServedSite] | contextlib.nullcontext[None]:
        if scenario.site is None:
            return contextlib.nullcontext()
        if self._open_site is None:
            raise InvalidConfiguration(
                f"scenario {scenario.name!r} wants site {scenario.site!r}, and none can be served",
                hint="pass open_site=checkpoint_assets.testing.sites.open_site",
            )
        return self._open_site(scenario.site, Path(scenario.path) if scenario.path else None)

    def _secrets(self, scenario: Scenario, site: ServedSite | None) -> dict[str, str]:
        """Each secret's value, from ``CHECKPOINT_SECRET_NAME`` or the site, and nowhere else."""
        found: dict[str, str] = {}
        for name in sorted(scenario.secret_names()):
            value = self._environment.get(f"CHECKPOINT_SECRET_{name}")
            if value is None and site is not None:
                value = site.secrets.get(name)
            if value is None:
                raise InvalidScenario(
                    f"scenario {scenario.name!r} needs the secret {name}",
                    path=str(scenario.path) if scenario.path else None,
                    line=_line_of(scenario, name),
                    hint=f"set the environment variable CHECKPOINT_SECRET_{name}",
                )
            found[name] = value
        return found

    async def _tell(self, kind: EventType, session: _Session, **data: Any) -> None:
        event = SystemEvent(
            kind, self._clock.now(), "collector", {"session_id": session.id, **data}
        )
        await self._events.emit(event)

    async def close(self) -> None:
        """End the browsers, if they are its own, and connections. Safe to call twice."""
        await self._adoptions.close()
        await self._remote.close()
        if self._owns_browsers:
            await self._browsers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


# What of a step's words may go into a field, or be in one.
_TYPED = {
    "fill": ("text",),
    "select": ("values", "label"),
    "press": ("key",),
    "expect": ("text", "matches", "value"),
}


class _Session:
    """One session while it is captured."""

    def __init__(
        self,
        session_id: SessionId,
        scenario: Scenario,
        artifacts: Collection[Artifact],
        tags: dict[str, str],
        secrets: Mapping[str, str],
        redactor: Redactor,
        retry_of: SessionId | None,
    ) -> None:
        self.secrets = secrets
        self.redactor = redactor
        self.retry_of = retry_of
        self.id = session_id
        self.scenario = scenario
        self.artifacts = artifacts
        self.tags = tags
        # Steps that are stored without something they should have, and why.
        self.incomplete: list[str] = []
        # Numbers of the steps that acted on something private.
        self.private_steps: set[int] = set()
        self.started_at: str | None = None
        # The version of the browser, once it runs.
        self.browser: str | None = None
        # What a session elsewhere is called there.
        self.remote: dict[str, Any] = {}
        # Whether it ended because the browser or its page was gone.
        self.crashed = False

    @property
    def _steps_added(self) -> int:
        return 0 if self.scenario.steps[0].kind == "goto" else 1

    @property
    def expected_steps(self) -> int:
        return len(self.scenario.steps) + self._steps_added

    def words(self) -> dict[str, Any]:
        """The scenario as plain JSON, without what it put into private fields."""
        words = self.scenario.to_dict()
        for number in self.private_steps:
            ((kind, step),) = words["steps"][number - 1 - self._steps_added].items()
            step.update({key: MASK for key in _TYPED.get(kind, ()) if step.get(key) is not None})
        return words


def _line_of(scenario: Scenario, secret: str) -> int | None:
    steps = (step for step in scenario.steps if isinstance(step, Fill) and step.secret == secret)
    return next((step.line for step in steps), None)


def _check_supported(scenario: Scenario) -> None:
    """Refuse what this version cannot do, before anything is started."""
    if scenario.engine != "chromium":
        raise InvalidScenario(
            f"engine: {scenario.engine} cannot be captured yet",
            path=str(scenario.path) if scenario.path else None,
            hint="use engine: chromium",
        )


def open_storage(config: StorageConfig) -> StorageManager:
    """The storage manager that a ``StorageConfig`` describes. Raises ``InvalidConfiguration``."""
    match config:
        case {"type": "s3", "bucket": str(bucket)}:
            prefix = config.get("prefix", "").strip("/")
            return StorageManager(
                f"s3://{bucket}/{prefix}".rstrip("/"),
                s3_region_name=config.get("region"),
                s3_endpoint_url=config.get("endpoint_url"),
            )
        case {"type": "local"}:
            return StorageManager(local_base_path=config.get("path"), prefer_s3=False)
        case {"type": "memory"}:
            return StorageManager("memory://")
        case _:
            raise InvalidConfiguration(
                f"storage_config {dict(config)!r} is not understood",
                hint='use {"type": "s3", "bucket": "..."} or {"type": "local", "path": "..."}',
            )
