"""Sources over browsers elsewhere keep the same contract as those over a local one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest

from checkpoint_assets.collection.adopted_session import AdoptedSession
from checkpoint_assets.collection.browser.browserbase_browser import BrowserbaseBrowser
from checkpoint_assets.collection.browser.browserbase_sessions import BrowserbaseSessions
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.browser.remote_source import RemoteSource
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.interfaces import IDataSource
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.testing.contract_suites import DataSourceSuite
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets_tests.collection.captures import capture_settings, scenario_on
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    with LocalBrowserbase(arguments=[HERMETIC], shortest_timeout=1, reuse=True) as running:
        yield running


class TestRemoteSource(DataSourceSuite):
    @pytest.fixture
    async def source(self, pages: Pages, server: LocalBrowserbase) -> AsyncIterator[IDataSource]:
        settings = capture_settings(pages)
        url = pages.add("<p>1")
        scenario = scenario_on(pages, {"goto": url}, {"goto": url}, source="browserbase")
        redactor = Redactor()
        driver = CdpDriver(settings)
        sessions = BrowserbaseSessions(settings, server.client())
        session_id = SessionIds(system_clock).new()
        browser = BrowserbaseBrowser(session_id, sessions, driver, settings, redactor)
        yield RemoteSource(scenario, browser, settings, redactor=redactor)
        await browser.close()
        await driver.close()
        await sessions.close()


class ReleasedAfterTwo(AdoptedSession):
    """Whoever drives the session releases it when two steps of it are there."""

    def __init__(self, server: LocalBrowserbase, remote_id: str, *args: object, **more: object):
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self._server = server
        self._remote_id = remote_id
        self._left = 2

    async def collect(self) -> CollectedData:
        step = await super().collect()
        self._left -= 1
        if not self._left:
            with self._server.client() as client:
                client.sessions.update(self._remote_id, status="REQUEST_RELEASE")
        return step


class TestAdoptedSession(DataSourceSuite):
    @pytest.fixture
    async def source(self, pages: Pages, server: LocalBrowserbase) -> AsyncIterator[IDataSource]:
        settings = capture_settings(pages)
        driver = CdpDriver(settings)
        with server.client() as client:
            session = client.sessions.create(keep_alive=True)
            theirs = await driver.connect(session.connect_url)
            for text in ("one", "two"):
                page = await theirs.contexts[0].new_page()
                await page.goto(pages.add(f"<p>{text}"))
            yield ReleasedAfterTwo(
                server,
                session.id,
                SessionIds(system_clock).new(),
                partial(driver.connect, session.connect_url, watch_only=True),
                settings,
                redactor=Redactor(),
                remote={},
                on=("navigate", "change"),
                clock=system_clock,
            )
            await driver.close()
            client.sessions.update(session.id, status="REQUEST_RELEASE")
