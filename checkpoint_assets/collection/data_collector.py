"""The collector: runs scenarios, commits each step as it happens, and closes every session."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

from checkpoint_assets.collection.adoptions import Adoptions
from checkpoint_assets.collection.browser.browser_pool import BrowserPool
from checkpoint_assets.collection.browser.local_source import ALWAYS, LocalBrowserSource
from checkpoint_assets.collection.browser.remote_source import RemoteSource
from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.plugged_source import PluggedSource, SourceRequest
from checkpoint_assets.collection.prerequisites import check_supported, secret_values, served_site
from checkpoint_assets.collection.remote_browsers import RemoteBrowsers
from checkpoint_assets.collection.remote_recording import RemoteRecording
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.session_record import SessionRecord
from checkpoint_assets.collection.session_runner import SessionRunner
from checkpoint_assets.collection.sites import OpenSite, ServedSite
from checkpoint_assets.collection.storage_config import open_storage
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IEventEmitter, IStorageManager
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact, EventType, SessionState, TaskStatus
from checkpoint_assets.model.ids import SessionId, SessionIds
from checkpoint_assets.model.records import SessionManifest, StorageConfig
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.tasks import TaskTracker

# What the collection manager says of a session; of begin and end the collector says more itself.
_TOLD = (EventType.COLLECTION_PAUSED, EventType.COLLECTION_RESUMED)


async def _nowhere(source_id: str, step: CollectedData) -> None:
    """The sink of no source: each session brings its own."""


class DataCollector(RemoteRecording):
    """Captures sessions into a storage manager. An async context manager, for one event loop.

    Scenarios may be captured at once: as many run as the pool of browsers has places, the others
    wait. ``browsers`` is a pool to share with other collectors; without it there is one that ends
    with the collector. ``open_site`` serves the sites that scenarios name with ``site:`` (the
    project's own are in ``checkpoint_assets.testing.sites``); ``events`` hears of every step.

    ``collection`` pauses, resumes and stops a running session by its id; one that is stopped ends
    ``aborted``. ``tasks`` says what is running: a task for each scenario, and below it one for each
    of its sessions; cancelling the upper one cancels the capture, also while it waits for a place.
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
        self._ids = SessionIds(clock)
        self._browsers = browsers or BrowserPool(self._settings)
        self._owns_browsers = browsers is None
        self._remote = RemoteBrowsers(self._settings, browserbase, clock, stagehand)
        self.tasks = TaskTracker(self._events, clock=clock)
        self.collection = CollectionManager(
            _nowhere, events=self._events, told=_TOLD, tasks=self.tasks, clock=clock
        )
        self._adoptions = Adoptions(
            self._storage,
            self.collection,
            self._settings,
            self._remote,
            self._events,
            self._ids,
            clock,
        )
        self._runner = SessionRunner(
            self._storage, self.collection, self._events, self._settings, clock
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
        secret, a site or a plugged-in source is missing. Storage errors are raised.

        ``artifacts`` narrows what is captured; action and metadata always are.
        """
        check_supported(scenario)
        wanted = frozenset(scenario.collect.artifacts)
        if artifacts is not None:
            wanted &= frozenset(artifacts)
        wanted |= ALWAYS
        with served_site(scenario, self._open_site) as site:
            secrets = secret_values(scenario, self._environment, site)

            def session(retry_of: SessionId | None = None) -> SessionRecord:
                return SessionRecord(
                    self._ids.new(), scenario, wanted, dict(tags or {}), secrets, retry_of=retry_of
                )

            plugged = self._plugged(session(), site) if scenario.plugin is not None else None
            await self._storage.connect()
            async with self.tasks.tracked(f"capture {scenario.name}") as task_id:
                if plugged is not None:
                    manifest = await self._runner.run(*plugged, task_id=task_id)
                elif scenario.source == "local":
                    manifest = await self._capture_here(session, site, task_id)
                else:
                    manifest = await self._capture_elsewhere(session(), site, task_id)
                if manifest.state is not SessionState.COMPLETE:
                    await self.tasks.update_task(
                        task_id, status=TaskStatus.FAILED, error=manifest.reason
                    )
                return manifest

    async def _capture_here(
        self,
        session: Callable[[SessionId | None], SessionRecord],
        site: ServedSite | None,
        task_id: str,
    ) -> SessionManifest:
        async with self._browsers.lease() as lease:
            first = session(None)
            source = LocalBrowserSource(first.scenario, lease, **self._options(first, site))
            manifest = await self._runner.run(first, source, lease, task_id=task_id)
            harmed = first.crashed and lease.lost and lease.had_company
        if not harmed:
            return manifest
        async with self._browsers.lease(alone=True) as lease:
            again = session(first.id)
            source = LocalBrowserSource(again.scenario, lease, **self._options(again, site))
            return await self._runner.run(again, source, lease, task_id=task_id)

    async def _capture_elsewhere(
        self, session: SessionRecord, site: ServedSite | None, task_id: str
    ) -> SessionManifest:
        async with self._remote.browser(
            session.id, session.scenario, session.secrets, session.redactor
        ) as browser:
            source = RemoteSource(session.scenario, browser, **self._options(session, site))
            return await self._runner.run(session, source, browser, task_id=task_id)

    def _plugged(
        self, session: SessionRecord, site: ServedSite | None
    ) -> tuple[SessionRecord, PluggedSource]:
        """The session with its source. Raises ``InvalidScenario``, ``InvalidConfiguration``."""
        request = SourceRequest(session.scenario, site.url if site else None, session.secrets)
        return session, PluggedSource(
            request,
            self._settings,
            redactor=session.redactor,
            artifacts=session.artifacts,
            clock=self._clock,
        )

    def _options(self, session: SessionRecord, site: ServedSite | None) -> dict[str, Any]:
        """What a source over a browser takes beside the scenario and the browser."""
        return {
            "settings": self._settings,
            "site_url": site.url if site else None,
            "secrets": session.secrets,
            "redactor": session.redactor,
            "artifacts": session.artifacts,
            "clock": self._clock,
        }

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
