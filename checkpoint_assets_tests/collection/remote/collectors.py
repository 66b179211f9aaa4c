"""Collectors whose sessions run elsewhere, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.collection.captures import Captures, capture_settings
from checkpoint_assets_tests.pages import Pages

QUICK = {"launch": 10, "navigation": 10, "action": 5, "capture": 5, "close": 3}


class RemoteCaptures(Captures):
    """Captures into a folder, in sessions of the local Browserbase."""

    def __init__(
        self,
        folder: Path,
        pages: Pages,
        server: LocalBrowserbase,
        *,
        stagehand: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(folder, pages)
        settings.setdefault("timeouts", QUICK)
        self.collector = DataCollector(
            self.manager,
            browserbase=server.client(),
            stagehand=stagehand,
            settings=capture_settings(pages, **settings),
            open_site=open_site,
            events=self.events,
            environment={},
        )
