"""Playwright's driver: started, prepared and ended in one place, whatever browser it talks to."""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from typing import Any

from playwright.async_api import BrowserType, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.closed_search import register_engine
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.config import Timeouts
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    DataCollectionError,
    InvalidScenario,
)
from checkpoint_assets.runtime.cleanup import to_the_end


class PlaywrightDriver:
    """Starts when it is first needed. For one event loop; ``close`` ends all its connections."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._playwright: Playwright | None = None
        self._starting = asyncio.Lock()

    async def chromium(self) -> BrowserType:
        """What launches a Chromium or connects to one. Raises ``DataCollectionError``."""
        async with self._starting:
            if self._playwright is None:
                starting = within(self._timeouts.launch, _start(), "starting Playwright")
                # To its end: what is half started when a task is cancelled, nobody could end.
                self._playwright = await to_the_end(asyncio.ensure_future(starting))
            return self._playwright.chromium

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

    async def close(self) -> None:
        """End it. Safe to call twice; never raises because it is gone."""
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            with contextlib.suppress(DataCollectionError, PlaywrightError):
                await within(self._timeouts.close, playwright.stop(), "stopping Playwright")


async def _start() -> Playwright:
    try:
        playwright = await async_playwright().start()
    except PlaywrightError:
        raise
    except Exception as err:  # a driver that does not start is reported as a bare Exception
        raise BrowserUnavailable(
            f"Playwright's driver does not start: {err}",
            hint="see what `playwright --version` says; Debian may lack libatomic1",
        ) from err
    try:
        await register_engine(playwright)
    except PlaywrightError:
        await playwright.stop()
        raise
    return playwright
