"""The collector for blocking code: notebooks, scripts, Dagster ops, also inside a running loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ParamSpec, Self, TypeVar

from checkpoint_assets.collection.adoptions import ON
from checkpoint_assets.collection.batch import Captured, capture_each
from checkpoint_assets.collection.browser.browser_pool import BrowserPool
from checkpoint_assets.collection.browser.browserbase_sessions import IsClosed
from checkpoint_assets.collection.browser.watched_page import Change
from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.sites import OpenSite
from checkpoint_assets.collection.storage_config import open_storage
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IEventEmitter, IStorageManager
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.records import SessionManifest, StepData, StorageConfig
from checkpoint_assets.runtime.portal import Portal

P = ParamSpec("P")
T = TypeVar("T")


class SyncBrowserPool:
    """A ``BrowserPool`` for blocking collectors to share. A context manager.

    Its settings say which browsers are started, whatever those of a collector say.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.pool = BrowserPool(settings or Settings())
        self.portal = Portal("checkpoint-browsers")

    def close(self) -> None:
        """End the browsers and the loop they run in. Safe to call twice."""
        if not self.portal.closed:
            self.portal.call(self.pool.close)
        self.portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class SyncDataCollector:
    """``DataCollector`` with blocking methods, also for many threads at once. A context manager.

    ``close`` ends its browsers, but not those of the pool that it was given.
    """

    def __init__(
        self,
        storage_config: StorageConfig | IStorageManager,
        *,
        browserbase: Any = None,
        stagehand: Any = None,
        settings: Settings | None = None,
        browsers: SyncBrowserPool | None = None,
        open_site: OpenSite | None = None,
        events: IEventEmitter | None = None,
    ) -> None:
        storage = (
            open_storage(storage_config) if isinstance(storage_config, dict) else storage_config
        )
        self._portal = browsers.portal if browsers else Portal("checkpoint-collector")
        self._owns_portal = browsers is None
        self._closed = False

        async def make() -> DataCollector:
            return DataCollector(
                storage,
                browserbase=browserbase,
                stagehand=stagehand,
                settings=settings,
                browsers=browsers.pool if browsers else None,
                open_site=open_site,
                events=events,
            )

        try:
            self._collector = self._portal.call(make)
        except BaseException:
            if self._owns_portal:
                self._portal.close()
            raise

    def capture_scenario(
        self,
        scenario: Scenario,
        *,
        artifacts: Collection[Artifact] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> SessionManifest:
        """See ``DataCollector.capture_scenario``. An interrupt closes the session as aborted."""
        return self._call(
            self._collector.capture_scenario, scenario, artifacts=artifacts, tags=tags
        )

    def capture_each(
        self,
        scenarios: Iterable[Scenario],
        *,
        at_once: int,
        artifacts: Collection[Artifact] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator[Captured]:
        """See ``capture_each`` in ``batch.py``. The others go on while the caller is at work."""
        each = capture_each(
            self._collector, scenarios, at_once=at_once, artifacts=artifacts, tags=tags
        )

        async def following() -> Captured | None:
            return await anext(each, None)

        async def end() -> None:
            await each.aclose()

        try:
            while (captured := self._call(following)) is not None:
                yield captured
        finally:
            if not self._portal.closed:
                self._portal.call(end)

    def configure_session(
        self,
        browserbase_session: Any,
        *,
        on: Collection[Change] = ON,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """See ``DataCollector.configure_session``."""
        return self._call(self._collector.configure_session, browserbase_session, on=on, tags=tags)

    def collect_step_data(
        self,
        browserbase_session_id: str,
        stagehand_task_id: str | None = None,
        url: str | None = None,
        action_data: Any = None,
        *,
        kind: str | None = None,
        page_id: str | None = None,
    ) -> StepData:
        """See ``DataCollector.collect_step_data``."""
        return self._call(
            self._collector.collect_step_data,
            browserbase_session_id,
            stagehand_task_id,
            url,
            action_data,
            kind=kind,
            page_id=page_id,
        )

    def close_session(
        self, session_id: str | None = None, *, state: SessionState = SessionState.COMPLETE
    ) -> SessionManifest:
        """See ``DataCollector.close_session``."""
        return self._call(self._collector.close_session, session_id, state=state)

    def record_session(
        self, browserbase_session: Any, *, tags: Mapping[str, str] | None = None
    ) -> SessionManifest:
        """See ``DataCollector.record_session``. An interrupt closes the session as aborted."""
        return self._call(self._collector.record_session, browserbase_session, tags=tags)

    def release_orphans(
        self, older_than: timedelta | None = None, *, is_closed: IsClosed | None = None
    ) -> list[str]:
        """See ``DataCollector.release_orphans``."""
        return self._call(self._collector.release_orphans, older_than, is_closed=is_closed)

    def _call(
        self, method: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._closed:
            raise RuntimeError("the collector is closed")
        return self._portal.call(method, *args, **kwargs)

    def close(self) -> None:
        """End what is its own. Safe to call twice."""
        self._closed = True
        if not self._portal.closed:
            self._portal.call(self._collector.close)
        if self._owns_portal:
            self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
