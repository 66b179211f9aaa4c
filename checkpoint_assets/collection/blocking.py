"""The collector for blocking code: notebooks, scripts, Dagster ops, also inside a running loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Self

from checkpoint_assets.collection.data_collector import DataCollector, open_storage
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.sites import OpenSite
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IEventEmitter, IStorageManager
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import SessionManifest, StorageConfig
from checkpoint_assets.runtime.portal import Portal


class SyncDataCollector:
    """``DataCollector`` with blocking methods. A context manager; ``close`` ends its browser."""

    def __init__(
        self,
        storage_config: StorageConfig | IStorageManager,
        *,
        settings: Settings | None = None,
        open_site: OpenSite | None = None,
        events: IEventEmitter | None = None,
    ) -> None:
        storage = (
            storage_config
            if isinstance(storage_config, IStorageManager)
            else open_storage(storage_config)
        )
        self._portal = Portal("checkpoint-collector")

        async def make() -> DataCollector:
            return DataCollector(storage, settings=settings, open_site=open_site, events=events)

        try:
            self._collector = self._portal.call(make)
        except BaseException:
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

        async def run() -> SessionManifest:
            return await self._collector.capture_scenario(scenario, artifacts=artifacts, tags=tags)

        return self._portal.call(run)

    def close(self) -> None:
        """End the browser and the loop. Safe to call twice."""
        if not self._portal.closed:
            self._portal.call(self._collector.close)
        self._portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
