"""Private parts of a page do not leave it: not as text, and not as pixels."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from checkpoint_assets.collection.browser.page_capture import Observation
from checkpoint_assets.collection.browser.screenshot import encode_screenshot
from checkpoint_assets_tests.collection.browser.conftest import NewTab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PRIVATE = (
    "<!doctype html><body style='margin: 0'><style>.box {{ position: absolute; border: 0;"
    " padding: 0; background: rgb(200, 0, 0); color: rgb(200, 0, 0); width: 100px; height: 20px;"
    " {where} }}</style>{field}"
)


async def masked(tab: Tab, observation: Observation, box: tuple[int, int, int, int]) -> bool:
    """Whether the one mask is where the element is: left, top, width, height."""
    (mask,) = observation.masks
    found = (mask["x"], mask["y"], mask["width"], mask["height"])
    return found == pytest.approx(box, abs=0.5)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("<input class=box type=password value='tok-1'>", "password"),
        ("<input class=box autocomplete=cc-number value='tok-1'>", "autocomplete"),
        (
            "<input class=box autocomplete=one-time-code value='tok-1' data-x='tok-2'>",
            "autocomplete",
        ),
        ("<input class=box name=api_token value='tok-1' title='tok-2'>", "name"),
        ("<textarea class=box id=secret-note>tok-1</textarea>", "name"),
        (
            "<div class=box data-private title='tok-1'>tok-2 <b aria-label='tok-3'>tok-4</b></div>",
            "private",
        ),
        ("<select class=box data-private><option value='tok-1'>tok-2</select>", "private"),
        ("<div class=box data-private contenteditable>tok-1<!--tok-2--></div>", "private"),
        (
            "<div class=box data-private><a href='mailto:tok-1'>tok-2</a><img alt='tok-3'></div>",
            "private",
        ),
        ("<div class=box data-private><input type=checkbox value='tok-1'></div>", "private"),
        ("<div class=box data-private><textarea>tok-1</textarea></div>", "private"),
        (
            "<div class=box data-private><style>.tok-1 {}</style><script>'tok-2'</script></div>",
            "private",
        ),
        ("<div class=box data-private><iframe srcdoc='tok-1'></iframe></div>", "private"),
    ],
)
async def test_private_parts_are_masked_in_text_and_pixels(tab: Tab, field: str, rule: str):
    await tab.show(PRIVATE.format(where="left: 50px; top: 70px", field=field))
    observation = await tab.capture()
    assert "tok-" not in observation.html
    assert "********" in observation.html or "<select" in field or "<iframe" in field
    assert await masked(tab, observation, (50, 70, 100, 20))
    assert observation.facts["redactions"] == [{"rule": rule, "count": 1}]


async def test_hidden_fields_with_tokens_are_masked(tab: Tab):
    await tab.show("<input type=hidden name=csrf_token value='tok-1'>")
    observation = await tab.capture()
    assert "tok-1" not in observation.html
    assert observation.masks == []


async def test_a_page_s_own_mask_tells_nothing_of_the_length(tab: Tab):
    await tab.show(
        "<input type=password><script>document.querySelector('input').value ="
        "'x'.repeat(300)</script>"
    )
    assert 'value="********"' in (await tab.capture(screenshot=False)).html


async def test_an_empty_private_field_is_not_masked(tab: Tab):
    await tab.show("<input type=password placeholder='Your password'>")
    observation = await tab.capture()
    assert observation.masks == []
    assert "********" not in observation.html.replace('placeholder="********"', "")


async def test_private_parts_in_frames_and_shadow_roots_are_masked_where_they_are(tab: Tab):
    inner = PRIVATE.format(
        where="left: 5px; top: 7px", field="<input class=box type=password value=tok-1>"
    )
    url = tab.pages.add(inner)
    place = "position: absolute; left: 100px; top: 200px; border: 3px solid"
    await tab.show(f"<body style='margin: 0'><iframe src='{url}' style='{place}'></iframe>")
    observation = await tab.capture()
    assert await masked(tab, observation, (108, 210, 100, 20))
    await tab.show(
        "<x-a></x-a><script>document.querySelector('x-a').attachShadow({mode: 'open'}).innerHTML ="
        "'<input type=password value=tok' + '-1 style=\"position: absolute; left: 5px; top: 7px;"
        " width: 100px; height: 20px; border: 0; padding: 0\">'</script>"
    )
    shadow = await tab.capture()
    assert await masked(tab, shadow, (5, 7, 100, 20))
    assert "tok-1" not in observation.html + shadow.html


@pytest.mark.parametrize(
    "where", ["left: 50px; top: 500px", "position: fixed; left: 50px; bottom: 30px"]
)
@pytest.mark.parametrize(("full_page", "scroll"), [(True, 0), (True, 400), (False, 400)])
@pytest.mark.parametrize("scale", [1, 2])
async def test_no_pixel_of_a_private_field_is_left(
    new_tab: NewTab, where: str, scroll: int, full_page: bool, scale: int
):
    tab = await new_tab(device_scale_factor=scale, viewport={"width": 200, "height": 150})
    field = "<input class=box autocomplete=cc-number value=x><p style='height: 800px'>"
    await tab.show(
        PRIVATE.format(where=where, field=field) + f"<script>scrollTo(0, {scroll})</script>"
    )
    observation = await tab.capture(full_page=full_page)
    red = Image.open(BytesIO(observation.png)).convert("RGB").getcolors(1 << 24)
    stored = encode_screenshot(observation.png, observation.masks, scale=observation.scale)
    left = Image.open(BytesIO(stored.webp)).convert("RGB").getcolors(1 << 24)
    assert (200, 0, 0) in {colour for _, colour in red or []}
    assert (200, 0, 0) not in {colour for _, colour in left or []}


@pytest.mark.parametrize(
    "meta",
    ["", "<meta name=viewport content='width=device-width, initial-scale=2'>"],
    ids=["shown smaller", "shown larger"],
)
@pytest.mark.parametrize("scale", [1, 2.625])
@pytest.mark.parametrize("full_page", [False, True])
async def test_no_pixel_of_a_private_field_is_left_on_a_phone(
    new_tab: NewTab, meta: str, scale: float, full_page: bool
):
    tab = await new_tab(
        device_scale_factor=scale,
        viewport={"width": 200, "height": 300},
        is_mobile=True,
        has_touch=True,
    )
    field = "<input class=box autocomplete=cc-number value=x><p style='height: 1500px'>"
    html = PRIVATE.format(where="left: 30px; top: 200px", field=field)
    await tab.show(html.replace("<body", meta + "<body") + "<script>scrollTo(0, 110)</script>")
    observation = await tab.capture(full_page=full_page)
    picture = Image.open(BytesIO(observation.png)).convert("RGB")
    stored = encode_screenshot(observation.png, observation.masks, scale=observation.scale)
    left = Image.open(BytesIO(stored.webp)).convert("RGB").getcolors(1 << 24)
    assert picture.getcolors(1 << 24) != left
    assert (200, 0, 0) not in {colour for _, colour in left or []}
    if not full_page:
        assert picture.size == (round(200 * scale), pytest.approx(300 * scale, abs=1))
