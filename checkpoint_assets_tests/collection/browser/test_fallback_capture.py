"""Where a browser knows no CDP, pages are captured all the same, and nothing private with them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, cast

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.fallback_capture import FallbackCapture
from checkpoint_assets.collection.browser.fallback_world import FallbackWorld
from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.step_runner import CapturedStep, StepRunner
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.steps import Fill, Goto, Hover, Step
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import CaptureTimeout, DataCollectionError
from checkpoint_assets_tests.collection.browser.conftest import Tab
from checkpoint_assets_tests.pages import Pages, hermetic_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class WithoutCdp:
    """A context that says what Playwright says of every engine but Chromium."""

    def __init__(self, inner: BrowserContext) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def new_cdp_session(self, _: Page) -> None:
        raise PlaywrightError("CDP session is only available in Chromium")


class Steps:
    """Does steps in such a context."""

    def __init__(self, runner: StepRunner, page: Page) -> None:
        self._runner = runner
        self.page = page

    async def __call__(self, step: Step, *, full_page: bool = False) -> CapturedStep:
        run = await self._runner.run(step, 1, artifacts=list(Artifact), full_page=full_page)
        assert run.error is None
        return await run.captured


@pytest_asyncio.fixture(loop_scope="session")
async def do(browser: LocalChromium, pages: Pages) -> AsyncIterator[Steps]:
    context = await browser.new_context(viewport={"width": 600, "height": 400})
    encoders = ThreadPoolExecutor(1)
    runner = await StepRunner.open(
        cast(BrowserContext, WithoutCdp(context)),
        hermetic_settings(),
        base_url=pages.url,
        allowed=frozenset({pages.url.removeprefix("http://")}),
        secrets={"PASS": "correct-horse"},
        redactor=Redactor(["correct-horse"]),
        encoders=encoders,
        clock=system_clock,
    )
    yield Steps(runner, context.pages[0])
    await context.close()
    encoders.shutdown()


def picture(step: CapturedStep) -> Image.Image:
    return Image.open(BytesIO(step.artifacts[Artifact.SCREENSHOT])).convert("RGB")


STATES = """<!doctype html><title>t</title><style>body { margin: 0; background: #0f0 }</style>
<input id=text><input id=p type=password style='position: absolute; left: 100px; top: 200px;
width: 100px; height: 40px; background: #f00; border: 0'><x-a></x-a>
<iframe srcdoc='<input value=old>'></iframe><div id=late></div><script>
document.querySelector('x-a').attachShadow({mode: 'open'}).innerHTML = '<b>tok-shadow</b>';
document.getElementById('text').onchange = () => fetch('/late').then(() =>
  document.getElementById('late').textContent = 'tok-late');
</script>"""


async def test_a_step_is_captured_with_its_state_and_without_its_secrets(do: Steps, pages: Pages):
    await do(Goto(url=pages.add(STATES), line=1))
    await do(Fill(selectors=("#text",), text="tok-typed", line=2))
    step = await do(Fill(selectors=("#p",), secret="PASS", line=3))
    html = step.artifacts[Artifact.HTML].decode()
    for token in ("tok-typed", "tok-shadow", "tok-late"):
        assert token in html
    assert "correct-horse" not in html
    assert step.page["capture"] == "fallback"
    assert step.page["settle"]["reason"] == "quiet"
    assert step.page["consistency"]["mutations"] == 0
    assert step.page["redactions"]
    assert step.action["target"]["tag"] == "input"
    assert step.action["alternatives"]["css"] == "css=#p"
    image = picture(step)
    assert image.size == (600, 400)
    # The field is black, all around it is green.
    assert image.getpixel((150, 220)) == (0, 0, 0)
    assert image.getpixel((90, 220)) == image.getpixel((210, 220)) == (0, 255, 0)


async def test_the_whole_page_is_taken_and_masked_where_it_is_scrolled(do: Steps, pages: Pages):
    page = STATES.replace("top: 200px", "top: 1200px")
    await do(Goto(url=pages.add(page), line=1))
    await do.page.evaluate("document.getElementById('p').value = 'secret'; scrollTo(0, 300)")
    step = await do(Hover(selectors=("#p",), line=2), full_page=True)
    assert step.page["scroll"]["y"] > 0
    image = picture(step)
    assert image.height >= 1240
    assert image.getpixel((150, 1220)) == (0, 0, 0)
    assert image.getpixel((150, 1190)) == (0, 255, 0)


async def test_a_frame_of_another_site_is_marked_and_counted(do: Steps, pages: Pages):
    inner = pages.add("<p>tok-inner").replace("127.0.0.1", "localhost")
    step = await do(Goto(url=pages.add(f"<iframe src='{inner}'></iframe>"), line=1))
    assert step.page["counts"]["opaque_frames"] == 1
    assert "data-checkpoint-opaque" in step.artifacts[Artifact.HTML].decode()


async def test_the_page_sees_no_change_and_finds_no_name_of_ours(do: Steps, pages: Pages):
    await do(Goto(url=pages.add(STATES), line=1))
    await do.page.evaluate(
        "globalThis.seen = []; globalThis.names = 0;"
        "names = Object.getOwnPropertyNames(globalThis).length;"
        "new MutationObserver((records) => seen.push(...records))"
        ".observe(document, {subtree: true, childList: true, attributes: true,"
        " characterData: true})"
    )
    capture = FallbackCapture(do.page, FallbackWorld(do.page), deadline=10)
    await capture.capture()
    assert await do.page.evaluate("seen.length") == 0
    assert await do.page.evaluate("Object.getOwnPropertyNames(globalThis).length - names") == 0


async def test_a_mask_that_moves_costs_the_picture_and_nothing_else(tab: Tab):
    await tab.show(
        "<input type=password value=x style='position: absolute; left: 0'><script>let n = 0;"
        " setInterval(() => document.querySelector('input').style.left = ++n % 300 + 'px', 3)"
        "</script>"
    )
    seen = await FallbackCapture(tab.page, FallbackWorld(tab.page), deadline=10).capture()
    assert seen.png == b""
    assert seen.facts["no_screenshot"] == "private parts moved while it was taken"
    assert "<input" in seen.html


async def test_a_page_that_breaks_the_script_is_not_captured_rather_than_unmasked(tab: Tab):
    await tab.show(
        "<input type=password value=tok-secret><script>"
        "Element.prototype.getAttributeNames = () => { throw new Error('no') }</script>"
    )
    with pytest.raises(DataCollectionError):
        await FallbackCapture(tab.page, FallbackWorld(tab.page), deadline=10).capture()


async def test_a_page_that_hangs_is_given_up_in_time(tab: Tab):
    await tab.show("<p>x")
    capture = FallbackCapture(tab.page, FallbackWorld(tab.page), deadline=1)
    await tab.hang()
    with pytest.raises(CaptureTimeout):
        await capture.capture()


async def test_the_world_follows_the_page_to_the_next_one(tab: Tab):
    world = FallbackWorld(tab.page)
    capture = FallbackCapture(tab.page, world, deadline=10)
    for text in ("tok-one", "tok-two"):
        await tab.show(f"<p>{text}")
        assert text in (await capture.capture(screenshot=False)).html
