from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.report import save_report, write_report
from checkpoint_assets.viewer.server import serve

Open = Callable[..., Awaitable[Page]]


@pytest.fixture
def storage(tmp_path: Path) -> StorageManager:
    return StorageManager((tmp_path / "store").as_uri())


@asynccontextmanager
async def serving(storage: StorageManager) -> AsyncIterator[str]:
    """The address of a server over the store, without a slash at its end."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = asyncio.ensure_future(serve(storage, 0, started=address.set_result))
    try:
        yield (await address).rstrip("/")
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


async def report_url(
    storage: StorageManager, session_id: str, form: str, folder: Path, server: str
) -> str:
    """Where the session's report is in that form."""
    if form == "single":
        return (await save_report(storage, session_id, folder / "report.html")).as_uri()
    if form == "folder":
        return Path(await write_report(storage, session_id, folder / "report")).as_uri()
    return f"{server}/sessions/{session_id}/"


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: LocalChromium) -> AsyncIterator[Open]:
    """Opens a page in a context of its own; what a script throws there fails the test."""
    contexts: list[BrowserContext] = []
    thrown: list[str] = []

    async def make(url: str, **options: Any) -> Page:
        context = await browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: thrown.append(error.message))
        await page.goto(url)
        return page

    yield make
    for context in contexts:
        await context.close()
    assert thrown == []
