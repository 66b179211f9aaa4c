"""DOM and pixels of one capture show the same moment, or the capture says that they may not."""

from __future__ import annotations

import re
import statistics
from io import BytesIO

import pytest
from PIL import Image

from checkpoint_assets.collection.browser.page_capture import Observation, PageCapture
from checkpoint_assets_tests.collection.browser.conftest import NewTab, Tab
from checkpoint_assets_tests.fault.scale import scaled

pytestmark = [
    pytest.mark.browser,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]

BITS = 16
# The number of ticks stands in the text, and as a bar code in the pixels.
PAGE = f"""<!doctype html><body style="margin: 0; background: white"><p hidden></p><script>
const cells = Array.from({{ length: {BITS} }}, (_, bit) => {{
  const cell = document.body.appendChild(document.createElement("b"));
  cell.style.cssText = `position: absolute; top: 0; left: ${{bit * 20}}px; width: 20px; height: 20px`;
  return cell;
}});
let n = 0;
function tick() {{
  document.querySelector("p").textContent = ++n;
  cells.forEach((cell, bit) => {{ cell.style.background = n >> bit & 1 ? "black" : "white" }});
}}
tick();
BEGIN
</script>"""
TICKS = {
    "timer": "setInterval(tick, 5)",
    "slow timer": "setInterval(tick, 60)",
    "animation frame": "requestAnimationFrame(function next() {"
    " tick(); requestAnimationFrame(next) })",
    "fetch loop": "(async () => { for (;;) { await fetch('/tick'); tick() } })()",
}


def ticks_in(observation: Observation) -> tuple[int, int]:
    """How many ticks the DOM shows, and how many the pixels."""
    found = re.search(r'<p hidden="">(\d+)</p>', observation.html)
    assert found
    image = Image.open(BytesIO(observation.png)).convert("L")
    dark = [image.getpixel((20 * bit + 10, 10)) < 128 for bit in range(BITS)]
    return int(found[1]) % (1 << BITS), sum(1 << bit for bit, is_dark in enumerate(dark) if is_dark)


@pytest.mark.parametrize("begin", TICKS.values(), ids=TICKS)
async def test_every_mismatch_of_dom_and_pixels_is_labelled_and_most_have_none(
    new_tab: NewTab, begin: str
):
    tab = await new_tab()
    tab.pages.add("x", "/tick")
    await tab.show(PAGE.replace("BEGIN", begin))
    capture = PageCapture(tab.cdp, tab.world, deadline=10, page=tab.page)
    drifts: list[int] = []
    for _ in range(scaled(15, 100)):
        observation = await capture.capture()
        in_dom, in_pixels = ticks_in(observation)
        drifts.append(in_pixels - in_dom)
        consistency = observation.facts["consistency"]
        assert in_pixels == in_dom or consistency["mutations"] > 0, (in_dom, in_pixels)
    assert statistics.median(drifts) == 0, drifts


@pytest.mark.parametrize(
    ("html", "change"),
    [
        ("<input id=e>", "e.value = ++n"),
        (
            "<input type=checkbox>" * 9,
            "[...boxes].forEach((e, i) => { e.checked = n >> i & 1 }); ++n",
        ),
        ("<canvas id=e></canvas>", "e.getContext('2d').fillRect(0, 0, ++n, 9)"),
        ("<div id=e style='overflow: auto; height: 9px'><p>x<p>y</div>", "e.scrollTop = ++n % 9"),
        ("<p id=e style='height: 5000px'>", "scrollTo(0, ++n % 999)"),
    ],
    ids=["value", "checked", "canvas", "scrolled part", "scrolled page"],
)
async def test_a_change_that_is_no_mutation_is_labelled_too(tab: Tab, html: str, change: str):
    boxes = "const boxes = document.querySelectorAll('input')"
    await tab.show(
        f"{html}<script>{boxes}; let n = 0; setInterval(() => {{ {change} }}, 2)</script>"
    )
    await tab.page.wait_for_function("n > 9")
    consistency = (await tab.capture()).facts["consistency"]
    assert consistency["mutations"] > 0
    assert consistency["retries"] == 1


async def test_a_private_part_that_appears_meanwhile_is_not_in_the_picture(tab: Tab):
    await tab.show(
        "<input autocomplete=cc-number style='position: absolute; top: 0'><script>"
        "const field = document.querySelector('input');"
        "setInterval(() => { field.value = field.value ? '' : '4111'; "
        "field.style.top = field.value ? '300px' : '0' }, 3)</script>"
    )
    for _ in range(scaled(5, 30)):
        observation = await tab.capture()
        consistency = observation.facts["consistency"]
        assert consistency["mutations"] > 0
        if observation.png and not observation.masks:
            image = Image.open(BytesIO(observation.png)).convert("L").crop((4, 304, 100, 316))
            assert image.getextrema()[0] > 128, "the number can be read"
