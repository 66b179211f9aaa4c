"""A collector that stores in a folder, and what a test asks of what it stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IStorageManager
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.pages import HERMETIC, Pages

# Nothing listens there, and Chromium does not refuse to ask.
DEAD = "127.0.0.1:2"


def capture_settings(pages: Pages, **more: Any) -> Settings:
    """Settings for captures of the pages, of the built-in sites, and of the dead address."""
    allowed = (urlsplit(pages.url).netloc, DEAD)
    return Settings(chromium_arguments=(HERMETIC,), allow_private=allowed, **more)


def scenario_on(pages: Pages, *steps: Mapping[str, Any] | str, **keys: Any) -> Scenario:
    """A scenario that begins on the site of the pages; the first step is in line 1."""
    allowed = [urlsplit(pages.url).netloc, DEAD]
    head = {"name": "test", "start_url": pages.url + "/", "allow_private": allowed, **keys}
    head = {key: value for key, value in head.items() if value is not None}
    lines = [json.dumps(step) for step in steps]
    text = "steps: [" + ",\n".join(lines) + "]\n" + yaml.safe_dump(head, allow_unicode=True)
    return parse_scenario(text)


class Captures:
    """Captures into a folder, and remembers every event. An async context manager."""

    def __init__(
        self,
        folder: Path,
        pages: Pages,
        *,
        storage: Callable[[StorageManager], IStorageManager] = lambda storage: storage,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.pages = pages
        self.told: list[SystemEvent] = []
        self.events = EventEmitter()
        self.manager = StorageManager(folder.as_uri())
        self.collector = DataCollector(
            storage(self.manager),
            settings=capture_settings(pages, **settings),
            open_site=open_site,
            events=self.events,
            environment=environment or {},
        )

    async def __aenter__(self) -> Captures:
        for kind in EventType:
            await self.events.subscribe(kind, self._tell)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.collector.close()

    async def _tell(self, event: SystemEvent) -> None:
        self.told.append(event)

    async def run(self, *steps: Mapping[str, Any] | str, **keys: Any) -> SessionManifest:
        """Capture a scenario of these steps on the site of the pages."""
        return await self.collector.capture_scenario(scenario_on(self.pages, *steps, **keys))

    def tree(self, session_id: str = "") -> dict[str, bytes]:
        """Every file of the session (or of the whole store) by its path."""
        root = self.folder / session_id
        files = (path for path in sorted(root.rglob("*")) if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    def read(self, session_id: str, name: str) -> dict[str, Any]:
        """A JSON file of the session."""
        return json.loads((self.folder / session_id / name).read_bytes())

    def action(self, manifest: SessionManifest, number: int = -1) -> dict[str, Any]:
        """What is written down of an action; the last one's, unless said otherwise."""
        return self.read(manifest.session_id, f"{manifest.steps[number]}.action.json")

    def facts(self, manifest: SessionManifest, number: int = -1) -> dict[str, Any]:
        """What is written down of a step's page."""
        record = self.read(manifest.session_id, f"{manifest.steps[number]}.metadata.json")
        return record["metadata"]

    def html(self, manifest: SessionManifest, number: int = -1) -> str:
        """A step's page."""
        path = self.folder / manifest.session_id / f"{manifest.steps[number]}.html"
        return path.read_text(encoding="utf-8")


def check_incomplete(manifest: SessionManifest, *words: str) -> None:
    assert manifest.state is SessionState.INCOMPLETE, manifest.reason
    assert manifest.reason is not None
    for word in words:
        assert word in manifest.reason


async def check_readable(captures: Captures, manifest: SessionManifest) -> None:
    """Every step of the manifest can be read whole, and no other is there."""
    manager = captures.manager
    assert await manager.list_steps_for_session(manifest.session_id) == manifest.steps
    for step in manifest.steps:
        await manager.retrieve_step_data(manifest.session_id, step)
    assert await manager.get_manifest(manifest.session_id) == manifest
