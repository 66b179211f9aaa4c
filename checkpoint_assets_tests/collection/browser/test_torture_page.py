"""Every kind of state of a page is in what is stored, in each Chromium, with and without site
isolation; and the stored page looks like its picture."""

from __future__ import annotations

import shutil
from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageDraw

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.page_capture import Observation, PageCapture
from checkpoint_assets.config import Settings
from checkpoint_assets.testing.demo_shop_site import DemoShop
from checkpoint_assets.testing.miniwob_site import MiniWobSite
from checkpoint_assets_tests.collection.browser.conftest import Reopen, Tab
from checkpoint_assets_tests.collection.browser.torture import tokens, torture_page
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ISOLATED = "--site-per-process"
TOGETHER = "--disable-features=IsolateOrigins,site-per-process"


@pytest.mark.parametrize("isolation", [ISOLATED, TOGETHER])
@pytest.mark.parametrize("name", ["chromium", "chromium-headless-shell"])
async def test_every_kind_of_state_is_kept(pages: Pages, name: str, isolation: str):
    executable = shutil.which(name)
    if executable is None:
        pytest.skip(f"there is no {name} here")
    settings = Settings(chromium=executable, chromium_arguments=(HERMETIC, isolation))
    async with LocalChromium(settings) as browser:
        context = await browser.new_context(viewport={"width": 800, "height": 600})
        page = await context.new_page()
        await page.goto(torture_page(pages))
        await page.wait_for_function("window.done")
        cdp = await context.new_cdp_session(page)
        capture = PageCapture(cdp, IsolatedWorld(cdp), deadline=20, page=page)
        observation = await capture.capture()
    assert [token for token in tokens() if token not in observation.html] == []
    assert observation.facts["counts"]["opaque_frames"] == 0
    assert observation.facts["lone_surrogates"] is True
    assert "truncated" not in observation.facts


def differing(observation: Observation, again: bytes) -> float:
    """How many per cent of the picture's pixels are others in the second one, masks left out."""
    one, other = (Image.open(BytesIO(png)).convert("RGB") for png in (observation.png, again))
    assert one.size == other.size
    for image in (one, other):
        draw = ImageDraw.Draw(image)
        for box in observation.masks:
            left, top = box["x"] - 1, box["y"] - 1
            draw.rectangle((left, top, left + box["width"] + 2, top + box["height"] + 2), "black")
    difference = (
        ImageChops.difference(one, other).convert("L").point(lambda value: 255 * (value > 0))
    )
    return 100 * difference.histogram()[255] / (one.width * one.height)


async def check_looks_alike(tab: Tab, reopen: Reopen) -> None:
    await tab.world.call("settle", 50, 3000)
    observation = await tab.capture()
    stored = await reopen(observation)
    await stored.evaluate("document.fonts.ready.then(() => true)")
    assert differing(observation, await stored.screenshot(caret="initial")) <= 0.5


async def test_the_stored_torture_page_looks_like_its_picture(tab: Tab, reopen: Reopen):
    await tab.page.goto(torture_page(tab.pages))
    await tab.page.wait_for_function("window.done")
    # No page may say which file a field has.
    await tab.page.evaluate("document.getElementById('file').type = 'text'")
    await check_looks_alike(tab, reopen)


@pytest.mark.parametrize("path", ["/", "/search?q=tea", "/product/teapot-moss", "/checkout"])
async def test_a_stored_page_of_the_shop_looks_like_its_picture(
    tab: Tab, reopen: Reopen, path: str
):
    with DemoShop(stock_seconds=0) as shop:
        await tab.page.goto(shop.url + "/product/teapot-moss")
        await tab.page.click("#add-to-cart")
        await tab.page.wait_for_selector(".toast")
        await tab.page.goto(shop.url + path, wait_until="networkidle")
        if path == "/checkout":
            await tab.page.fill("#cc-number", "4111 1111 1111 1111")
        await check_looks_alike(tab, reopen)


@pytest.mark.parametrize(
    "task", ["click-checkboxes", "email-inbox", "book-flight", "use-slider", "enter-date"]
)
async def test_a_stored_task_of_miniwob_looks_like_its_picture(tab: Tab, reopen: Reopen, task: str):
    with MiniWobSite() as site:
        await tab.page.goto(f"{site.url}/miniwob/{task}.html")
        await tab.page.click("#sync-task-cover")
        await check_looks_alike(tab, reopen)
