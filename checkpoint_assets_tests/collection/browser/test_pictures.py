"""The pixels of a page: all of the device's, and as many as a WebP can hold."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from checkpoint_assets.collection.browser.screenshot import MAX_SIDE
from checkpoint_assets_tests.collection.browser.conftest import NewTab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png)).size


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("full_page", [False, True])
async def test_the_picture_has_the_pixels_of_the_device(
    new_tab: NewTab, scale: int, full_page: bool
):
    tab = await new_tab(device_scale_factor=scale)
    await tab.show(
        "<body style='margin: 0'><div style='height: 700px'></div><div style='height: 200px;"
        " background: rgb(1, 2, 3)'></div><script>scrollTo(0, 300)</script>"
    )
    observation = await tab.capture(full_page=full_page)
    image = Image.open(BytesIO(observation.png)).convert("RGB")
    assert image.size == (800 * scale, (900 if full_page else 600) * scale)
    top = 700 if full_page else 400
    assert image.getpixel((0, top * scale)) == (1, 2, 3)
    assert image.getpixel((0, top * scale - 1)) == (255, 255, 255)
    assert observation.scale == scale


async def test_without_a_screenshot_there_is_none(tab: Tab):
    await tab.show("<p>x")
    assert (await tab.capture(screenshot=False)).png == b""


async def test_a_full_page_is_as_high_as_the_page(tab: Tab):
    await tab.show(
        "<body style='margin: 0'><div style='height: 2000px'></div>"
        "<div style='height: 100px; background: rgb(1, 2, 3)'></div>"
        "<script>scrollTo(0, 500)</script>"
    )
    observation = await tab.capture(full_page=True)
    image = Image.open(BytesIO(observation.png)).convert("RGB")
    assert image.size == (800, 2100)
    assert image.getpixel((400, 2050)) == (1, 2, 3)
    assert observation.facts["full_page"] is True
    assert await tab.page.evaluate("scrollY") == 500


async def test_a_page_that_loses_its_place_in_a_full_picture_is_put_back(tab: Tab):
    # Chromium lays such a page out in a window of one pixel for a moment.
    await tab.show(
        "<body style='margin: 0'><div style='height: 300vh'></div>"
        "<div id=d style='height: 50vh; overflow: auto'><div style='height: 100vh'></div></div>"
        "<script>d.scrollTo(0, 100); scrollTo(0, 400)</script>"
    )
    observation = await tab.capture(full_page=True)
    assert size_of(observation.png) == (800, 2100)
    assert await tab.page.evaluate("[scrollY, d.scrollTop]") == [400, 100]
    assert observation.facts["scroll_restored"] is True


async def test_a_full_page_that_fits_its_window_does_not_notice(tab: Tab):
    await tab.show("<p>x<script>seen = 0; addEventListener('resize', () => seen++)</script>")
    assert size_of((await tab.capture(full_page=True)).png) == (800, 600)
    assert await tab.page.evaluate("seen") == 0


@pytest.mark.parametrize("scale", [1, 2, 2.625])
async def test_a_page_that_is_too_high_is_cut_and_said_to_be(new_tab: NewTab, scale: int):
    tab = await new_tab(device_scale_factor=scale, viewport={"width": 60, "height": 60})
    await tab.show("<body style='margin: 0'><div style='height: 40000px'></div>")
    observation = await tab.capture(full_page=True)
    width, height = size_of(observation.png)
    assert width == pytest.approx(60 * scale, abs=1)
    assert MAX_SIDE - scale < height <= MAX_SIDE
    assert observation.facts["clipped"] is True


async def test_a_picture_of_the_whole_page_is_not_said_to_be_cut(tab: Tab):
    await tab.show("<p>x")
    assert "clipped" not in (await tab.capture(full_page=True)).facts
    assert "clipped" not in (await tab.capture()).facts
