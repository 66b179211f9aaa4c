"""Playwright's driver for browsers that others have started, shared by all sessions in them."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import re
from typing import Any, Self

from playwright.async_api import Browser, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.redaction import redact_url
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    DataCollectionError,
    InvalidScenario,
)
from checkpoint_assets.runtime.cleanup import to_the_end

_REASON = re.compile(r"\b(4\d\d|5\d\d|E[A-Z]{4,}|net::ERR_\w+)\b[^\n]{0,40}")


class CdpDriver:
    """Connects to CDP addresses. An async context manager, for one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._timeouts = settings.timeouts
        self._playwright: Playwright | None = None
        self._starting = asyncio.Lock()

    async def connect(self, url: str, *, watch_only: bool = False) -> Browser:
        """The browser at the address. Raises ``BrowserUnavailable``, whose text has no secret.

        ``watch_only`` changes nothing there: no emulation, no focus, no download folder.
        """
        playwright = await self._running()
        seconds = self._timeouts.launch
        try:
            return await within(
                seconds,
                playwright.chromium.connect_over_cdp(
                    url, timeout=seconds * 1000, no_defaults=watch_only
                ),
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
        await self._running()

    def device(self, name: str) -> dict[str, Any]:
        """Playwright's settings for the named device. Raises ``InvalidScenario``."""
        devices = self._playwright.devices if self._playwright else {}
        if name not in devices:
            near = difflib.get_close_matches(name, devices, n=1)
            raise InvalidScenario(
                f"there is no device {name!r}", hint=f"did you mean {near[0]!r}?" if near else None
            )
        known = dict(devices[name])
        known.pop("default_browser_type", None)
        return known

    async def _running(self) -> Playwright:
        async with self._starting:
            if self._playwright is None:
                starting = within(self._timeouts.launch, async_playwright().start(), "Playwright")
                self._playwright = await to_the_end(asyncio.ensure_future(starting))
            return self._playwright

    async def close(self) -> None:
        """End the driver and its connections. Safe to call twice."""
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            with contextlib.suppress(DataCollectionError, PlaywrightError):
                await within(self._timeouts.close, playwright.stop(), "stopping Playwright")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
