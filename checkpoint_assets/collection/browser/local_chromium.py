"""One local Chromium, started when first needed, shared by sessions, and always ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.chromium import find_chromium, launch_arguments
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.playwright_driver import PlaywrightDriver
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import (
    BrowserCrashed,
    BrowserUnavailable,
    DataCollectionError,
)
from checkpoint_assets.runtime.cleanup import to_the_end


class LocalChromium:
    """A browser of our own. Use it as an async context manager, inside one event loop.

    It starts with the first context and is started anew after a crash. Interrupt signals are left
    to the program: it ends sessions in order, and the browser after them.
    """

    # Its pages reach the network through their session's proxy, or not at all.
    contained = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._playwright = PlaywrightDriver(settings.timeouts)
        self._browser: Browser | None = None
        self._starting = asyncio.Lock()

    @property
    def version(self) -> str | None:
        """The browser's version, once it runs."""
        return self._browser.version if self._browser else None

    async def start(self) -> None:
        """Start the browser, if it does not run. Raises ``BrowserUnavailable``."""
        await self._running()

    def device(self, name: str) -> dict[str, Any]:
        """Playwright's settings for the named device. Raises ``InvalidScenario``."""
        return self._playwright.device(name)

    @property
    def running(self) -> Browser | None:
        """The browser itself, if it runs."""
        return self._browser if self._browser and self._browser.is_connected() else None

    async def memory(self) -> int:
        """How many bytes it uses, with all its processes; 0 where the system does not tell.

        Raises ``DataCollectionError`` if it does not answer in time: it hangs, or is gone.
        """
        browser = self.running
        if browser is None:
            raise BrowserCrashed("the browser does not run")
        return await within(self._settings.timeouts.close, _memory(browser), "asking the browser")

    async def new_context(self, **options: Any) -> BrowserContext:
        """A fresh context: no cookies, no permissions, no downloads. Starts the browser if need be.

        Raises ``BrowserUnavailable`` if there is none to start, or it does not start.
        """
        browser = await self._running()
        try:
            return await self._open_context(browser, options)
        except BrowserCrashed:
            # It was gone before it was asked, and its driver too, so that nobody had said so.
            if self._browser is browser:
                self._browser = None
            return await self._open_context(await self._running(), options)

    async def leave(self, context: BrowserContext) -> None:
        """Close a context that ``new_context`` has made."""
        await context.close()

    async def _open_context(self, browser: Browser, options: dict[str, Any]) -> BrowserContext:
        return await within(
            self._settings.timeouts.launch, _new_context(browser, options), "opening a context"
        )

    async def _running(self) -> Browser:
        async with self._starting:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            # To its end: what is half started when a task is cancelled, nobody could end.
            return await to_the_end(asyncio.ensure_future(self._start_anew()))

    async def _start_anew(self) -> Browser:
        await self._stop()
        executable = find_chromium(self._settings.chromium)
        try:
            chromium = await self._playwright.chromium()
            self._browser = await within(
                self._settings.timeouts.launch,
                chromium.launch(
                    executable_path=executable,
                    headless=self._settings.headless,
                    args=launch_arguments(self._settings.chromium_arguments),
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                ),
                f"starting {executable}",
            )
        except BrowserUnavailable:
            await self._stop()
            raise
        except DataCollectionError as err:
            await self._stop()
            raise BrowserUnavailable(
                f"{executable} does not start: {err.message}",
                hint="start it by hand to see what it says; CHECKPOINT_CHROMIUM names another",
            ) from err
        return self._browser

    async def _stop(self) -> None:
        browser, self._browser = self._browser, None
        # A browser that is hung or gone answers nothing; ending the driver ends it all the same.
        with contextlib.suppress(DataCollectionError, PlaywrightError):
            if browser is not None:
                await within(self._settings.timeouts.close, browser.close(), "closing the browser")
        await self._playwright.close()

    async def close(self) -> None:
        """End the browser. Safe to call twice."""
        await to_the_end(asyncio.ensure_future(self._stop()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _memory(browser: Browser) -> int:
    cdp = await browser.new_browser_cdp_session()
    processes = (await cdp.send("SystemInfo.getProcessInfo"))["processInfo"]
    await cdp.detach()
    used = [_pages(process["id"]) for process in processes]
    # What the processes share, such as the program itself, is counted once.
    pages = sum(own for own, _ in used) + max((shared for _, shared in used), default=0)
    return pages * os.sysconf("SC_PAGE_SIZE")


def _pages(pid: int) -> tuple[int, int]:
    """Pages of memory of the process: its own ones, and those it may share (Linux)."""
    try:
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    except OSError:
        return 0, 0  # it has ended, or this is no Linux
    return resident - shared, shared


async def _new_context(browser: Browser, options: dict[str, Any]) -> BrowserContext:
    context = await browser.new_context(accept_downloads=False, service_workers="block", **options)
    # To grant none is to deny all: nothing waits for a prompt that nobody answers.
    await context.grant_permissions([])
    return context
