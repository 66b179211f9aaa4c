"""A page that lost its metrics with a connection gets them back before it is captured."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.step_runner import StepRunner
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.steps import Goto
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets_tests.pages import Pages, hermetic_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("width", "problem"), [(500, None), (0, "lost its metrics")])
async def test_metrics_are_set_anew_and_the_step_says_if_that_did_not_help(
    browser: LocalChromium, pages: Pages, width: int, problem: str | None
):
    before: dict[str, Any] = {"width": width, "height": 300, "device_pixel_ratio": 1}
    context = await browser.new_context(viewport={"width": 600, "height": 400})
    with ThreadPoolExecutor(1) as encoders:
        runner = await StepRunner.open(
            context,
            hermetic_settings(),
            base_url=pages.url,
            allowed=frozenset({pages.url.removeprefix("http://")}),
            secrets={},
            redactor=Redactor([]),
            encoders=encoders,
            clock=system_clock,
            viewport=before,
        )
        step = Goto(url=pages.add("<p>x"), line=1)
        run = await runner.run(step, 1, artifacts=list(Artifact), full_page=False)
        page = (await run.captured).page
    await context.close()
    if problem is None:
        assert page["viewport"] == before
        assert "incomplete" not in page
    else:
        assert problem in page["incomplete"]
