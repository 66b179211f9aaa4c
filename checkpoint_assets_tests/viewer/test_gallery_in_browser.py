"""The gallery in a real Chromium, from a disk and from the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.gallery import write_gallery
from checkpoint_assets_tests.viewer.conftest import Open, serving
from checkpoint_assets_tests.viewer.sessions import html, page_facts, store_shop, webp

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def store_two(storage: StorageManager) -> None:
    """A complete session of 2026-11-21, and one of the day before that was aborted."""
    await store_shop(storage)
    older = "01a1f769-d3e2-73bb-9561-d7a3f5fab6ba"
    await storage.store_step_data(older, "0001-goto", html("x"), webp("olive"), {}, page_facts())
    await storage.close_session(older, SessionState.ABORTED, manifest={"scenario": "visit"})


async def shows(page: Page, *scenarios: str) -> None:
    names = page.locator(".card:visible h2 a")
    await expect(names).to_have_text(list(scenarios))


async def test_a_folder_is_filtered_by_scenario_state_and_day(
    open_page: Open, storage: StorageManager, tmp_path: Path
) -> None:
    await store_two(storage)
    page = await open_page((await write_gallery(storage, tmp_path / "gallery")).as_uri())
    await shows(page, "shop", "visit")
    await page.get_by_label("Scenario").select_option("visit")
    await shows(page, "visit")
    await expect(page.locator("#count")).to_have_text("1 session")
    await page.get_by_role("button", name="Clear").click()
    await shows(page, "shop", "visit")
    await page.get_by_label("State").select_option("complete")
    await shows(page, "shop")
    await page.get_by_role("button", name="Clear").click()
    await page.get_by_label("To").fill("2026-11-20")
    await shows(page, "visit")
    await page.get_by_label("From").fill("2026-11-20")
    await page.get_by_label("State").select_option("incomplete")
    await shows(page)
    await expect(page.locator("#nothing")).to_be_visible()


async def test_a_card_of_a_folder_leads_to_its_report(
    open_page: Open, storage: StorageManager, tmp_path: Path
) -> None:
    await store_two(storage)
    page = await open_page((await write_gallery(storage, tmp_path / "gallery")).as_uri())
    await page.wait_for_function(
        "[...document.querySelectorAll('.card img')].every(i => i.complete && i.naturalWidth)"
    )
    await page.get_by_role("link", name="shop").click()
    await expect(page.locator("#view-picture img")).to_be_visible()


async def test_a_large_folder_is_turned_over_page_by_page(
    open_page: Open, storage: StorageManager, tmp_path: Path
) -> None:
    for number in range(70):
        await storage.store_step_data(f"session-{number:02d}", "0001-goto", html_content="<p>")
    gallery = await write_gallery(storage, tmp_path / "gallery", reports=False)
    page = await open_page(gallery.as_uri())
    await expect(page.locator(".card:visible")).to_have_count(60)
    await expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    await page.get_by_role("button", name="Older").click()
    await expect(page.locator(".card:visible")).to_have_count(10)
    await expect(page.locator("#page")).to_have_text("61 to 70 of 70")
    await expect(page.get_by_role("button", name="Older")).to_be_disabled()
    await page.get_by_role("button", name="Newer").click()
    await expect(page.locator(".card:visible")).to_have_count(60)


async def test_the_server_is_asked_by_the_same_controls(
    open_page: Open, storage: StorageManager
) -> None:
    await store_two(storage)
    async with serving(storage) as url:
        page = await open_page(f"{url}/")
        await shows(page, "shop", "visit")
        await page.get_by_label("Scenario").fill("visit")
        await page.get_by_label("State").select_option("aborted")
        await page.get_by_label("From").fill("2026-11-19")
        await page.get_by_label("To").fill("2026-11-20")
        await page.get_by_role("button", name="Show").click()
        await shows(page, "visit")
        await expect(page.get_by_label("State")).to_have_value("aborted")
        await page.get_by_role("button", name="Clear").click()
        await shows(page, "shop", "visit")
        await page.get_by_role("link", name="shop").click()
        await expect(page.locator("#view-picture img")).to_be_visible()
        await page.get_by_role("link", name="All sessions").click()
        await shows(page, "shop", "visit")


async def test_older_pages_of_the_server_are_a_link_away(
    open_page: Open, storage: StorageManager
) -> None:
    for number in range(30):
        await storage.store_step_data(f"session-{number:02d}", "0001-goto", html_content="<p>")
    async with serving(storage) as url:
        page = await open_page(f"{url}/")
        await expect(page.locator(".card")).to_have_count(24)
        await page.get_by_role("link", name="Older").click()
        await expect(page.locator(".card")).to_have_count(6)
        await page.get_by_role("link", name="Newest").click()
        await expect(page.locator(".card")).to_have_count(24)


async def test_a_phone_shows_it_in_the_dark_without_scrolling_sideways(
    open_page: Open, storage: StorageManager
) -> None:
    await store_two(storage)
    async with serving(storage) as url:
        page = await open_page(
            f"{url}/", viewport={"width": 390, "height": 844}, color_scheme="dark"
        )
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        switch = page.get_by_role("button", name="Dark")
        await expect(switch).to_have_attribute("aria-pressed", "true")
        await switch.click()
        await expect(switch).to_have_attribute("aria-pressed", "false")
