"""Playwright's driver for browsers that others have started, shared by all sessions in them."""

from __future__ import annotations

import re
from typing import Any, Self

from playwright.async_api import Browser

from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.playwright_driver import PlaywrightDriver
from checkpoint_assets.collection.redaction import redact_url
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import BrowserUnavailable, DataCollectionError

_REASON = re.compile(r"\b(4\d\d|5\d\d|E[A-Z]{4,}|net::ERR_\w+)\b[^\n]{0,40}")


class CdpDriver:
    """Connects to CDP addresses. An async context manager, for one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._timeouts = settings.timeouts
        self._playwright = PlaywrightDriver(settings.timeouts)

    async def connect(self, url: str, *, watch_only: bool = False) -> Browser:
        """The browser at the address. Raises ``BrowserUnavailable``, whose text has no secret.

        ``watch_only`` changes nothing there: no emulation, no focus, no download folder.
        """
        chromium = await self._playwright.chromium()
        seconds = self._timeouts.launch
        try:
            return await within(
                seconds,
                chromium.connect_over_cdp(url, timeout=seconds * 1000, no_defaults=watch_only),
                "connecting",
            )
        except DataCollectionError as err:
            # The cause's own text quotes the address, which may open the session to anybody.
            reason = _REASON.search(err.message)
            raise BrowserUnavailable(
                f"no browser answers at {redact_url(url)}: {reason[0] if reason else 'no answer'}",
                hint="does it run, and was it started with --remote-debugging-port?",
            ) from None

    async def start(self) -> None:
        """Start the driver, if it does not run. Raises ``DataCollectionError``."""
        await self._playwright.chromium()

    def device(self, name: str) -> dict[str, Any]:
        """Playwright's settings for the named device. Raises ``InvalidScenario``."""
        return self._playwright.device(name)

    async def close(self) -> None:
        """End the driver and its connections. Safe to call twice."""
        await self._playwright.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
