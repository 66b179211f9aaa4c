"""What assets and jobs need from outside: storage, a browser, and the scenarios to capture."""

import hashlib
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from browserbase import Browserbase
from dagster_aws.s3 import S3Resource
from pydantic import Field, PrivateAttr

from checkpoint_assets.catalogue.query_index import CatalogueIndex
from checkpoint_assets.collection.blocking import SyncBrowserPool, SyncDataCollector
from checkpoint_assets.collection.browser.stagehand_browser import StagehandModel
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_file import ScenarioFolder
from checkpoint_assets.collection.scenario_mirror import mirror_scenarios
from checkpoint_assets.collection.scenario_watch import ScenarioWatch
from checkpoint_assets.collection.sites import OpenSite
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidScenario
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.plugins import load_named
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.storage_manager import StorageManager


class StorageResource(dg.ConfigurableResource["StorageResource"]):
    """The store. Without a URL the ``SM_...`` variables decide; without those it is local."""

    url: str | None = None
    backends: list[str] = Field(
        default=[], description="package.module:Name of other backends that steps are kept in"
    )
    s3: dg.ResourceDependency[S3Resource]

    _manager: SyncStorageManager | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(
        self, context: dg.InitResourceContext
    ) -> Generator["StorageResource", None, None]:
        """Open for the time of a run."""
        with SyncStorageManager(self.url, s3_client_factory=self.s3.get_client) as manager:
            for reference in self.backends:
                manager.register_backend(load_named("backends", reference)())
            manager.answer_queries_by(CatalogueIndex(manager.asynchronous))
            self._manager = manager
            yield self

    @property
    def manager(self) -> SyncStorageManager:
        """The storage manager, inside a run."""
        if self._manager is None:
            raise dg.DagsterInvariantViolationError("the storage resource is open only in a run")
        return self._manager


@dataclass(frozen=True)
class CaptureSetup:
    """What a capture needs that is no configuration: settings, sites, and who listens."""

    settings: Settings
    open_site: OpenSite | None = None
    events: IEventEmitter = field(default_factory=EventEmitter)
    watch: ScenarioWatch = field(default_factory=ScenarioWatch)
    # Shared by the runs of one process; without it each run has browsers of its own.
    browsers: SyncBrowserPool | None = None

    def look(self) -> ScenarioFolder:
        """All scenarios: of the inbox in the bucket if one is set, else of the scenarios folder.

        Files that did not change since the last look are not read again. Raises
        ``InvalidScenario`` for a folder that cannot be read, ``StorageError`` for an inbox.
        """
        if self.settings.inbox is None:
            return self.watch.look(self.settings.scenarios)
        with SyncStorageManager(self.settings.inbox) as inbox:
            folder = _mirror_folder(inbox.asynchronous.url)
            inbox.call(_mirror, folder)
        return self.watch.look(folder)

    def scenario(self, name: str, folder: ScenarioFolder | None = None) -> Scenario:
        """The scenario of that name, from ``folder`` if somebody has looked already.

        Raises ``InvalidScenario``, with what is wrong with the files that cannot be used: one of
        them may be the one that is meant.
        """
        folder = folder or self.look()
        try:
            return folder.named(name)
        except InvalidScenario as err:
            problems = "".join(f"\n{problem}" for problem in folder.problems)
            raise InvalidScenario(f"{err}{problems}") from err


def _mirror_folder(url: str) -> Path:
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"checkpoint-inbox-{os.getuid()}" / name


async def _mirror(manager: StorageManager, folder: Path) -> int:
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    if folder.parent.stat().st_uid != os.getuid():
        raise InvalidConfiguration(f"{folder.parent} belongs to somebody else")
    return await mirror_scenarios(manager.store, folder)


class BrowserbaseResource(dg.ConfigurableResource["BrowserbaseResource"]):
    """An account of Browserbase. Give the key as ``EnvVar``; without one there are no sessions."""

    api_key: str | None = Field(default=None, description="of the account or the project")
    base_url: str | None = Field(default=None, description="another server than Browserbase's")

    def client(self) -> Browserbase | None:
        """The SDK's client, which each request of ours gives a deadline; ``None`` without a key."""
        if not self.api_key:
            return None
        return Browserbase(api_key=self.api_key, base_url=self.base_url, timeout=20, max_retries=1)

    def list_sessions(self, query: str | None) -> list[Any]:
        """Sessions that the query finds, or all. Raises ``BrowserbaseError``."""
        client = self.client()
        if client is None:
            return []
        with client:
            return list(client.sessions.list(q=query) if query else client.sessions.list())


class StagehandResource(dg.ConfigurableResource["StagehandResource"]):
    """The model that ``act:`` asks. Give its key as ``EnvVar``."""

    model: str | None = Field(default=None, description="such as openai/gpt-5")
    model_api_key: str | None = Field(default=None, description="of who serves the model")

    def asked(self) -> StagehandModel | None:
        """The model; ``None`` if there is none."""
        return StagehandModel(self.model, self.model_api_key) if self.model else None


class BrowserResource(dg.ConfigurableResource["BrowserResource"]):
    """The browser of a run. What is not set here comes from the project's settings."""

    headless: bool | None = Field(default=None, description="run without a window")
    chromium: str | None = Field(default=None, description="path of the Chromium to use")
    browserbase: dg.ResourceDependency[BrowserbaseResource]
    stagehand: dg.ResourceDependency[StagehandResource]

    def collector(self, storage: SyncStorageManager, setup: CaptureSetup) -> SyncDataCollector:
        """A collector whose browser ends with it."""
        given = {"headless": self.headless, "chromium": self.chromium}
        changes = {name: value for name, value in given.items() if value is not None}
        return SyncDataCollector(
            storage.asynchronous,
            browserbase=self.browserbase.client(),
            stagehand=self.stagehand.asked(),
            settings=setup.settings.model_copy(update=changes),
            browsers=None if changes else setup.browsers,
            open_site=setup.open_site,
            events=setup.events,
        )
