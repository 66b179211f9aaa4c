"""The browsers elsewhere that a collector's scenarios name, each for one session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from checkpoint_assets.collection.browser.browserbase_browser import BrowserbaseBrowser
from checkpoint_assets.collection.browser.browserbase_sessions import BrowserbaseSessions, IsClosed
from checkpoint_assets.collection.browser.cdp_browser import CdpBrowser
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.browser.remote_source import RemoteBrowser
from checkpoint_assets.collection.browser.stagehand_browser import StagehandBrowser, StagehandModel
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.scenario import Scenario, SecretRef
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import InvalidConfiguration


class RemoteBrowsers:
    """Makes what is needed when it is first needed. For one event loop; ``close`` at its end."""

    def __init__(
        self, settings: Settings, browserbase: Any, clock: Clock, stagehand: Any = None
    ) -> None:
        model = stagehand or settings.stagehand_model
        if model is not None and not isinstance(model, StagehandModel):
            model = StagehandModel(model)
        self._stagehand: StagehandModel | None = model
        self._settings = settings
        self._browserbase = browserbase
        self._clock = clock
        self._sessions: BrowserbaseSessions | None = None
        self.driver = CdpDriver(settings)

    @property
    def sessions(self) -> BrowserbaseSessions:
        """Sessions in Browserbase. Raises ``InvalidConfiguration`` without a key."""
        if self._sessions is None:
            self._sessions = BrowserbaseSessions(
                self._settings, self._browserbase, clock=self._clock
            )
        return self._sessions

    @property
    def api_key(self) -> str | None:
        """The key for Browserbase, if there is one."""
        try:
            return self.sessions.api_key
        except InvalidConfiguration:
            return None

    @asynccontextmanager
    async def browser(
        self, session_id: str, scenario: Scenario, secrets: Mapping[str, str], redactor: Redactor
    ) -> AsyncGenerator[RemoteBrowser, None]:
        """The browser for a session of the scenario, as soon as there is a free one."""
        if scenario.source == "cdp":
            url = scenario.cdp_url
            address = secrets[url.name] if isinstance(url, SecretRef) else url or ""
            yield CdpBrowser(address, self.driver, self._settings)
            return
        if scenario.source == "stagehand" and self._stagehand is None:
            raise InvalidConfiguration(
                "`source: stagehand` needs a model", hint="set CHECKPOINT_STAGEHAND_MODEL"
            )
        sessions = self.sessions
        async with sessions.place():
            await self.driver.start()
            common = (session_id, sessions, self.driver, self._settings, redactor)
            if scenario.source == "stagehand" and self._stagehand is not None:
                browser = StagehandBrowser(*common, self._stagehand)
            else:
                browser = BrowserbaseBrowser(*common)
            try:
                await browser.reserve()
                yield browser
            finally:
                await browser.close()

    async def release_orphans(
        self, older_than: timedelta | None = None, is_closed: IsClosed | None = None
    ) -> list[str]:
        """See ``BrowserbaseSessions.release_orphans``."""
        return await self.sessions.release_orphans(older_than=older_than, is_closed=is_closed)

    async def close(self) -> None:
        """End connections. Safe to call twice."""
        sessions, self._sessions = self._sessions, None
        await self.driver.close()
        if sessions is not None:
            await sessions.close()
