"""The browser of one session in Browserbase."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from browserbase import BrowserbaseError
from playwright.async_api import Browser, BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.browserbase_client import translated
from checkpoint_assets.collection.browser.browserbase_links import (
    described,
    links_afterwards,
    live_links,
)
from checkpoint_assets.collection.browser.browserbase_sessions import LIVE, BrowserbaseSessions
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.given_context import furnish, page_of, target_id
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import BrowserUnavailable, DataCollectionError
from checkpoint_assets.runtime.cleanup import to_the_end

MOST_RECONNECTIONS = 3


class BrowserbaseBrowser:
    """Creates a session with :meth:`reserve` or ``start``; ``close`` releases it, always.

    ``remote`` is what the manifest says of it. Keys and signed addresses go to ``redactor``, and
    nowhere else.
    """

    contained = False

    def __init__(
        self,
        session_id: str,
        sessions: BrowserbaseSessions,
        driver: CdpDriver,
        settings: Settings,
        redactor: Redactor,
    ) -> None:
        self._session_id = session_id
        self._sessions = sessions
        self._driver = driver
        self._settings = settings
        self._redactor = redactor
        self._session: Any = None
        self._failure: DataCollectionError | None = None
        self._browser: Browser | None = None
        self._emulation: CDPSession | None = None
        self._options: dict[str, Any] = {}
        self._target: str | None = None
        self._closed = False
        self.version: str | None = None
        self.remote: dict[str, Any] = {}
        redactor.add([sessions.api_key])

    @property
    def expires_at(self) -> datetime | None:
        """When Browserbase ends the session, once it runs."""
        return getattr(self._session, "expires_at", None)

    async def reserve(self) -> None:
        """Wait for a session, and create it. What goes wrong is raised by ``start``."""
        if self._session is not None or self._failure is not None:
            return
        try:
            session = await self._create()
        except DataCollectionError as err:
            self._failure = err
            return
        self._session = session
        self.remote = described(session)
        key = getattr(session, "signing_key", None)
        url = getattr(session, "connect_url", None)
        self._redactor.add([each for each in (key, url) if each])
        if not url:
            self._failure = BrowserUnavailable("the session cannot be connected to")

    async def _create(self) -> Any:
        return await self._sessions.create(self._session_id)

    async def start(self) -> None:
        await self.reserve()
        if self._failure is not None:
            raise self._failure
        if self._browser is not None and self._browser.is_connected():
            return
        self._browser = await self._driver.connect(self._session.connect_url)
        self.version = self._browser.version
        seconds = self._settings.timeouts.close
        self.remote |= await live_links(self._sessions.client, self._session.id, seconds)

    def device(self, name: str) -> dict[str, Any]:
        return self._driver.device(name)

    async def new_context(self, **options: Any) -> BrowserContext:
        """The session's one context: that is what Browserbase records, and keeps log-ins of."""
        await self.start()
        if self._browser is None or not self._browser.contexts:
            raise BrowserUnavailable("the session has no browser context")
        context = self._browser.contexts[0]
        seconds = self._settings.timeouts.launch
        self._emulation = await within(seconds, furnish(context, options), "preparing the session")
        self._target = await within(seconds, target_id(self._emulation), "asking for the page")
        # Not the log-in state: to set it again would undo what the session has done since.
        self._options = {key: each for key, each in options.items() if key != "storage_state"}
        return context

    async def reconnect(self) -> Page | None:
        """The session's page over a new connection, if the old one was lost and the session runs.

        ``None`` if the connection is there, if sessions are not kept alive, if this one has ended,
        or if it was lost ``MOST_RECONNECTIONS`` times before. Raises ``DataCollectionError``.
        """
        if self._browser is None or self._browser.is_connected() or self._target is None:
            return None
        before = self.remote.get("reconnected", 0)
        if not self._settings.browserbase.keep_alive or before == MOST_RECONNECTIONS:
            return None
        try:
            found = await self._sessions.client.sessions.retrieve(self._session.id)
        except BrowserbaseError as err:
            raise translated(err, "asking for the session") from None
        if found.status not in LIVE or not found.connect_url:
            return None
        self._redactor.add([found.connect_url])
        self._browser = await self._driver.connect(found.connect_url)
        context = self._browser.contexts[0]
        seconds = self._settings.timeouts.launch
        page = await within(seconds, page_of(context, self._target), "finding the page")
        if page is None:
            return None
        preparing = furnish(context, self._options, page)
        self._emulation = await within(seconds, preparing, "preparing the session")
        self.remote["reconnected"] = before + 1
        return page

    async def leave(self, context: BrowserContext) -> None:
        """Nothing: to close a session's own context would be to kill its browser."""

    async def close(self) -> None:
        """Disconnect and release, also after a failure. Safe to call twice."""
        if not self._closed:
            self._closed = True
            await to_the_end(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        browser, self._browser = self._browser, None
        seconds = self._settings.timeouts.close
        if browser is not None:
            with contextlib.suppress(DataCollectionError, PlaywrightError):
                await within(seconds, browser.close(), "disconnecting")
        released = await self._sessions.release(self._session_id)
        if self._session is not None:
            self.remote["released"] = released
            wishes = self._settings.browserbase
            self.remote |= await links_afterwards(
                self._sessions.client,
                self._session.id,
                seconds,
                log=wishes.log,
                record=wishes.record,
            )
