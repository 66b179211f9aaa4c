from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, CDPSession, Page, Route

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.page_capture import Observation, PageCapture
from checkpoint_assets_tests.pages import Pages, hermetic_settings


@dataclass
class Tab:
    """A page of its own in the shared browser, with what captures need of it."""

    page: Page
    cdp: CDPSession
    world: IsolatedWorld
    pages: Pages
    scale: float

    async def show(self, html: str | bytes) -> None:
        """Serve the page and open it."""
        await self.page.goto(self.pages.add(html))

    async def hang(self) -> None:
        """From now on the page's script never ends."""
        await self.page.evaluate("void setTimeout(() => { for (;;); })")

    async def capture(self, *, deadline: float = 10, **options: Any) -> Observation:
        """The page as it is now."""
        capture = PageCapture(
            self.cdp, self.world, deadline=deadline, scale=self.scale, page=self.page
        )
        return await capture.capture(**options)


NewTab = Callable[..., Awaitable[Tab]]


@pytest_asyncio.fixture(loop_scope="session")
async def new_tab(browser: LocalChromium, pages: Pages) -> AsyncIterator[NewTab]:
    """Makes tabs, each in a fresh context; options are those of the context."""
    contexts: list[BrowserContext] = []

    async def make(**options: Any) -> Tab:
        context = await browser.new_context(
            **{"viewport": {"width": 800, "height": 600}, **options}
        )
        contexts.append(context)
        page = await context.new_page()
        cdp = await context.new_cdp_session(page)
        return Tab(page, cdp, IsolatedWorld(cdp), pages, options.get("device_scale_factor", 1))

    yield make
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(new_tab: NewTab) -> Tab:
    """One tab."""
    return await new_tab()


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=["chromium-headless-shell", "chromium"]
)
async def each_browser(request: pytest.FixtureRequest) -> AsyncIterator[LocalChromium]:
    """Both kinds of Chromium, one after the other."""
    path = shutil.which(request.param)
    if path is None:
        pytest.skip(f"there is no {request.param}")
    settings = hermetic_settings().model_copy(update={"chromium": Path(path)})
    async with LocalChromium(settings) as chromium:
        yield chromium


Reopen = Callable[..., Awaitable[Page]]
Kept = Callable[[str], Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def reopen(new_tab: NewTab) -> Reopen:
    """Opens what was stored at the URL it came from; by default no script of it runs."""

    async def make(observation: Observation, *, scripts: bool = False) -> Page:
        tab = await new_tab(java_script_enabled=scripts)

        async def answer(route: Route) -> None:
            await route.fulfill(body=observation.html, content_type="text/html; charset=utf-8")

        await tab.page.route(observation.facts["url"], answer)
        await tab.page.goto(observation.facts["url"])
        return tab.page

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def kept(tab: Tab, reopen: Reopen) -> Kept:
    """Shows a page, captures it, and opens what was stored."""

    async def make(html: str) -> Page:
        await tab.show(html)
        return await reopen(await tab.capture(screenshot=False))

    return make
