"""A session that attacks whoever looks at it: nothing runs, and nobody outside is asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Dialog, Page, expect
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.captured_page import read_page
from checkpoint_assets.viewer.gallery import write_gallery
from checkpoint_assets_tests.pages import Pages
from checkpoint_assets_tests.viewer.conftest import Open, report_url, serving
from checkpoint_assets_tests.viewer.hostile import (
    PAGES,
    Listener,
    attack,
    listening,
    store_hostile,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Ways that this browser does not go by itself, whatever the page says.
_SILENT_HERE = 8
# What the strings of the session would be, if they were markup.
FOREIGN = "[onerror], [onload], [onfocus], [autofocus], [src*='/heard'], [href*='/heard']"


@pytest_asyncio.fixture(loop_scope="session")
async def listener() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


class Probe:
    """Notes what a page must never do."""

    def __init__(self, page: Page) -> None:
        self.dialogs: list[str] = []
        self.outside: list[str] = []
        self._page = page
        self._own = page.url.split("/sessions/")[0]
        page.on("dialog", self._dialog)
        page.context.on("page", lambda popup: self.outside.append(f"popup {popup.url}"))
        page.on("framenavigated", lambda frame: self._moved(frame.url))

    async def _dialog(self, dialog: object) -> None:
        self.dialogs.append(str(dialog))
        await dialog.dismiss()  # type: ignore[attr-defined]

    def _moved(self, url: str) -> None:
        if "/heard" in url or url.startswith("javascript:"):
            self.outside.append(url)

    async def markup(self) -> None:
        """No captured string has become an element of the viewer's own document."""
        assert await self._page.locator(FOREIGN).count() == 0

    async def check(self, listener: Listener) -> None:
        await self.markup()
        # A request that was on its way has been heard by then.
        await asyncio.sleep(0.5)
        for frame in self._page.frames:
            if not frame.is_detached():
                assert await frame.evaluate("typeof window.pwned") == "undefined"
        assert self.dialogs == []
        assert self.outside == []
        assert await self._page.context.cookies() == []
        assert listener.heard == []


async def test_the_attacks_are_real(
    browser: LocalChromium, pages: Pages, listener: Listener
) -> None:
    assert len(PAGES) >= 25
    context = await browser.new_context()

    async def dismiss(dialog: Dialog) -> None:
        with contextlib.suppress(PlaywrightError):  # the page that asked has gone on
            await dialog.dismiss()

    for number in range(len(PAGES)):
        # A page of its own for each: what one does while it is left is not the next one's.
        page = await context.new_page()
        page.on("dialog", dismiss)
        url = pages.add(f"<!DOCTYPE html>{attack(number, listener.url)}", f"/attack-{number}")
        await page.goto(url, wait_until="commit")
        await asyncio.sleep(0.05)
    await context.close()
    heard = {line.split()[1] for line in listener.heard if line}
    assert len(heard) >= len(PAGES) - _SILENT_HERE, sorted(heard)


async def test_a_captured_page_is_harmless_even_without_its_sandbox(
    open_page: Open, pages: Pages, listener: Listener
) -> None:
    page = await open_page("about:blank", java_script_enabled=True)
    probe = Probe(page)
    for number in range(len(PAGES)):
        shown = read_page(f"<!DOCTYPE html>{attack(number, listener.url)}").html
        assert "<script" not in shown.lower()
        await page.goto(pages.add(shown, f"/written-anew-{number}"))
    await probe.check(listener)


@pytest.mark.parametrize("form", ["single", "folder", "served"])
async def test_a_report_runs_nothing_and_asks_nobody(
    open_page: Open, storage: StorageManager, listener: Listener, tmp_path: Path, form: str
) -> None:
    session = await store_hostile(storage, listener.url)
    async with serving(storage) as server:
        page = await open_page(await report_url(storage, session, form, tmp_path, server))
        probe = Probe(page)
        title = await page.title()
        steps = await page.locator("#strip button").count()
        assert steps == len(PAGES) + 7
        await page.keyboard.press("2")
        for _ in range(steps - 1):
            await page.wait_for_selector("#view-page iframe, #view-page .empty")
            await page.keyboard.press("j")
        for tab in ("1", "3", "4"):
            await page.keyboard.press(tab)
            for key in ("Home", "j", "End", "k", "k", "k", "k", "k", "k"):
                await page.keyboard.press(key)
                await probe.markup()
        await page.keyboard.press("2")
        await leave_by_the_page(page)
        await page.get_by_label("Search text and actions").fill("alert(1)")
        await expect(page.locator("#hits button").first).to_be_visible()
        for summary in await page.locator("summary").all():
            await summary.click()
        await probe.check(listener)
        assert await page.title() == title


async def leave_by_the_page(page: Page) -> None:
    """Click the link and send the form of a captured page."""
    await page.evaluate("location.hash = '0902-svg'")
    inner = page.locator("#view-page iframe").content_frame
    await inner.get_by_text("leave").click()
    await inner.get_by_role("button", name="send").click()


async def test_pictures_that_are_none_are_told_apart(
    open_page: Open, storage: StorageManager, listener: Listener, tmp_path: Path
) -> None:
    session = await store_hostile(storage, listener.url)
    page = await open_page(await report_url(storage, session, "folder", tmp_path, ""))
    for step in ("0900-corrupt", "0901-polyglot", "0902-svg", "0903-gif", "0904-empty"):
        await page.evaluate("step => { location.hash = step }", step)
        await expect(page.locator("#position")).to_contain_text(step)
        await expect(page.locator("#view-picture")).to_contain_text("The picture cannot be shown")
        await expect(page.locator("#details")).to_contain_text("the picture cannot be shown: ")
    assert not (tmp_path / "report" / "pictures" / "0901-polyglot.webp").exists()


@pytest.mark.parametrize("form", ["folder", "served"])
async def test_a_gallery_runs_nothing_and_asks_nobody(
    open_page: Open, storage: StorageManager, listener: Listener, tmp_path: Path, form: str
) -> None:
    await store_hostile(storage, listener.url)
    async with serving(storage) as server:
        url = f"{server}/"
        if form == "folder":
            url = (await write_gallery(storage, tmp_path / "gallery", reports=False)).as_uri()
        page = await open_page(url)
        probe = Probe(page)
        await expect(page.locator(".card")).to_have_count(1)
        await expect(page.locator(".card h2")).to_contain_text("</script><script>alert(1)</script>")
        await probe.check(listener)


async def test_an_attack_by_the_query_is_shown_as_text(
    open_page: Open, storage: StorageManager, listener: Listener
) -> None:
    async with serving(storage) as server:
        page = await open_page(f"{server}/?scenario=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
        probe = Probe(page)
        await expect(page.get_by_label("Scenario")).to_have_value('"><script>alert(1)</script>')
        await probe.check(listener)


async def test_a_captured_page_of_the_server_has_an_origin_of_its_own(
    open_page: Open, storage: StorageManager, listener: Listener
) -> None:
    session = await store_hostile(storage, listener.url)
    async with serving(storage) as server:
        page = await open_page(f"{server}/sessions/{session}/pages/0800-all.html")
        probe = Probe(page)
        assert await page.evaluate("origin") == "null"
        await page.get_by_text("leave").first.click()
        await probe.check(listener)
