"""The session report in a real Chromium: every control, in each of its three forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.viewer.conftest import Open, report_url, serving
from checkpoint_assets_tests.viewer.sessions import store_shop

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FORMS = ("single", "folder", "served")


@pytest_asyncio.fixture(loop_scope="session", params=FORMS)
async def url(
    request: pytest.FixtureRequest, storage: StorageManager, tmp_path: Path
) -> AsyncIterator[str]:
    session = await store_shop(storage)
    async with serving(storage) as server:
        yield await report_url(storage, session, request.param, tmp_path, server)


@pytest_asyncio.fixture(loop_scope="session")
async def report(open_page: Open, url: str) -> Page:
    page = await open_page(url)
    await expect(page.locator("#view-picture img")).to_be_visible()
    return page


async def is_at(page: Page, number: int) -> None:
    await expect(page.locator("#strip [aria-current=step] .number")).to_have_text(str(number))
    await expect(page.locator("#position")).to_contain_text(f"{number} of 5")


async def picture_is_drawn(page: Page, selector: str) -> None:
    drawn = "images => images.length > 0 && images.every(i => i.complete && i.naturalWidth > 0)"
    await page.wait_for_function(
        f"selector => ({drawn})([...document.querySelectorAll(selector)])", arg=selector
    )


async def test_it_opens_on_the_first_step_with_its_picture(report: Page) -> None:
    await is_at(report, 1)
    await picture_is_drawn(report, "#view-picture img")
    await picture_is_drawn(report, "#strip img")
    await expect(report.get_by_role("heading", level=1)).to_have_text("shop")
    await expect(report.locator(".state")).to_have_text("complete")


async def test_keys_go_through_the_steps(report: Page) -> None:
    for key, number in [
        ("ArrowRight", 2),
        ("j", 3),
        ("ArrowLeft", 2),
        ("k", 1),
        ("k", 1),
        ("End", 5),
        ("ArrowRight", 5),
        ("Home", 1),
    ]:
        await report.keyboard.press(key)
        await is_at(report, number)
    await expect(report.locator("#announce")).to_contain_text("Step 1, goto")


async def test_pointer_and_buttons_go_through_the_steps(report: Page) -> None:
    await report.get_by_role("button", name="Step 4, click #pay, failed").click()
    await is_at(report, 4)
    await report.get_by_role("button", name="Next step").click()
    await is_at(report, 5)
    await expect(report.get_by_role("button", name="Next step")).to_be_disabled()
    await report.get_by_role("button", name="Previous step").click()
    await is_at(report, 4)


async def test_the_focus_moves_along_the_timeline(report: Page) -> None:
    await report.locator("#strip [aria-current=step]").focus()
    await report.keyboard.press("ArrowRight")
    await expect(report.locator("#strip li:nth-child(2) button")).to_be_focused()


async def test_a_link_to_a_step_opens_it(open_page: Open, url: str) -> None:
    page = await open_page(f"{url}#0003-fill")
    await is_at(page, 3)
    await page.evaluate("location.hash = '0005-expect'")
    await is_at(page, 5)


async def test_the_target_is_marked_where_it_was(report: Page) -> None:
    await report.keyboard.press("j")
    box = report.locator("#view-picture .target")
    await expect(box.locator(".chip")).to_have_text("click #buy")
    await picture_is_drawn(report, "#view-picture img")
    target, picture = (
        await box.bounding_box(),
        await report.locator("#view-picture img").bounding_box(),
    )
    assert target is not None
    assert picture is not None
    scale = picture["width"] / 320
    assert target["x"] - picture["x"] == pytest.approx(80 * scale, abs=2)
    assert target["y"] - picture["y"] == pytest.approx(50 * scale, abs=2)
    assert target["width"] == pytest.approx(64 * scale, abs=2)

    await report.get_by_label("Target").uncheck()
    await expect(box).to_have_count(0)


async def test_the_picture_before_the_action_is_a_switch_away(report: Page) -> None:
    await report.keyboard.press("j")
    await report.get_by_label("Before the action").check()
    await expect(report.get_by_alt_text("Screenshot before step 2")).to_be_visible()
    await picture_is_drawn(report, "#view-picture img")
    await expect(report.locator("#view-picture .target")).to_be_visible()


async def test_the_stored_page_is_shown_in_a_sandbox_without_rights(report: Page) -> None:
    await report.get_by_role("tab", name="Page").click()
    frame = report.locator("#view-page iframe")
    await expect(frame).to_have_attribute("sandbox", "")
    await expect(frame.content_frame.get_by_role("heading")).to_have_text("Teapots")
    await report.keyboard.press("j")
    await expect(frame.content_frame.get_by_text("In your cart")).to_be_visible()


async def test_pixels_are_compared_with_a_slider(report: Page) -> None:
    await report.keyboard.press("j")
    await report.keyboard.press("3")
    view = report.locator("#view-pixels")
    # 80 x 50 of 320 x 200 pixels.
    await expect(view).to_contain_text("6.25 % of the pixels changed")
    await picture_is_drawn(report, "#view-pixels img")
    slider = view.get_by_role("slider")
    clip = "() => document.querySelectorAll('#view-pixels img')[1].style.clipPath"
    assert await report.evaluate(clip) == "inset(0px 0px 0px 50%)"
    await slider.fill("80")
    assert await report.evaluate(clip) == "inset(0px 0px 0px 80%)"
    await expect(slider).to_have_attribute("aria-valuetext", "80 % before, 20 % after")

    await report.get_by_label("Only what differs").check()
    await expect(view.locator(".blend")).to_be_visible()
    await expect(view.get_by_role("slider")).to_have_count(0)


async def test_the_dom_difference_is_lines_that_came_and_went(report: Page) -> None:
    await report.keyboard.press("j")
    await report.get_by_role("tab", name="DOM difference").click()
    view = report.locator("#view-dom")
    await expect(view).to_contain_text("1 line came, 1 went")
    await expect(view.locator("del")).to_have_text("Green one", use_inner_text=True)
    await expect(view.locator("ins")).to_have_text("In your cart", use_inner_text=True)
    await report.keyboard.press("End")
    await expect(view).to_contain_text("The DOM did not change")


async def test_tabs_are_worked_by_keys(report: Page) -> None:
    await report.get_by_role("tab", name="Picture").focus()
    await report.keyboard.press("ArrowRight")
    await expect(report.get_by_role("tab", name="Page")).to_be_focused()
    await expect(report.get_by_role("tab", selected=True)).to_have_text("Page")
    await report.keyboard.press("End")
    await expect(report.get_by_role("tabpanel")).to_have_attribute("id", "view-dom")
    await is_at(report, 1)


async def test_failures_logs_and_masks_are_told(report: Page) -> None:
    details = report.get_by_role("complementary", name="Details of the step")
    await report.keyboard.press("End")
    await report.keyboard.press("k")
    await expect(details).to_contain_text("the action failed")
    await expect(details).to_contain_text("ElementNotFound nothing matches #pay")
    await expect(details).to_contain_text("TypeError: pay is undefined")
    await expect(details).to_contain_text("http://shop.example/pay.js")
    await expect(details).to_contain_text("status 500")
    await expect(details).to_contain_text("the page changed 7 times while it was captured")
    await report.keyboard.press("k")
    await expect(details).to_contain_text("2 masked before anything was written: private")
    await details.get_by_text("Action as JSON").click()
    await expect(details.locator("pre").first).to_contain_text('"secret": "CARD"')


async def test_search_finds_text_of_pages_and_actions(report: Page) -> None:
    await report.keyboard.press("/")
    find = report.get_by_label("Search text and actions")
    await expect(find).to_be_focused()
    await find.fill("sorry")
    await expect(report.locator("#found")).to_have_text("2 of 5")
    await expect(report.locator("#strip li:not(.off) .number")).to_have_text(["4", "5"])
    await find.press("Enter")
    await is_at(report, 4)
    await find.fill("#buy")
    await report.get_by_role("button", name="2 click").last.click()
    await is_at(report, 2)
    await find.focus()
    await find.press("Escape")
    await expect(report.locator("#strip li.off")).to_have_count(0)
    await expect(report.locator("#hits")).to_be_hidden()


async def test_light_and_dark_can_be_chosen(report: Page) -> None:
    back = "() => getComputedStyle(document.body).backgroundColor"
    light = await report.evaluate(back)
    switch = report.get_by_role("button", name="Dark")
    await expect(switch).to_have_attribute("aria-pressed", "false")
    await switch.click()
    await expect(switch).to_have_attribute("aria-pressed", "true")
    assert await report.evaluate(back) != light
    await report.keyboard.press("t")
    assert await report.evaluate(back) == light


async def test_the_system_decides_on_dark_until_then(open_page: Open, url: str) -> None:
    page = await open_page(url, color_scheme="dark")
    await expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


async def test_a_phone_shows_it_without_scrolling_sideways(open_page: Open, url: str) -> None:
    page = await open_page(url, viewport={"width": 390, "height": 844})
    for tab in ("Picture", "Page", "Pixel difference", "DOM difference"):
        await page.get_by_role("tab", name=tab).click()
        await page.keyboard.press("j")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
