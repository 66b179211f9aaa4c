"""A Stagehand with a scripted model drives the demo shop, and each of its acts is a step."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image, ImageChops

from checkpoint_assets.collection.stagehand_recorder import StagehandRecorder
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import HERMETIC, Pages

stagehand = pytest.importorskip("stagehand")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    # The headless shell takes no extensions.
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs a whole Chromium"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    with LocalBrowserbase(arguments=[HERMETIC]) as running:
        yield running


async def scripted(params: Any) -> dict[str, Any]:
    """What a model would answer: the element of the page's tree that the instruction names."""
    text = params.messages[-1].content.root.text
    wanted = re.search(r"action: (click|fill) (.+?)(?: with (.+?))?\. ", text)
    assert wanted is not None, text[:300]
    method, name, value = wanted.groups()
    found = re.search(rf"\[(\d+-\d+)\] [^\n]*: {re.escape(name)}\n", text, re.IGNORECASE)
    assert found is not None, text[-3000:]
    action = {
        "elementId": found[1],
        "description": name,
        "method": method,
        "arguments": [value] if value else [],
    }
    return {
        "role": "assistant",
        "content": {"type": "text", "text": "{}"},
        "output_format": "json_schema",
        "structured_content": {"action": action, "twoStep": False},
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    }


@asynccontextmanager
async def driving(server: LocalBrowserbase) -> AsyncIterator[Any]:
    browser = await stagehand.browserbase.launch(api_key=server.api_key, base_url=server.url)
    agent = await stagehand.Stagehand.create(browser=browser, model=scripted)
    try:
        yield agent
    finally:
        await agent.close()
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def captures(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
) -> AsyncIterator[RemoteCaptures]:
    async with RemoteCaptures(tmp_path, pages, server) as running:
        yield running


async def pixels(page: Any) -> Image.Image:
    """What the page shows, as Stagehand itself sees it."""
    picture = await page.screenshot(caret="hide", animations="disabled")
    return Image.open(io.BytesIO(picture)).convert("RGB")


def most_different(one: Image.Image, other: Image.Image) -> int:
    """By how many of 255 levels; a round corner that is drawn again may differ by two."""
    return max(most for _, most in ImageChops.difference(one, other).getextrema())


async def test_every_act_is_a_step_whose_action_page_and_pixels_agree(
    captures: RemoteCaptures, server: LocalBrowserbase
):
    with open_site("demo", None) as site:
        async with driving(server) as agent:
            recorder = await captures.collector.record_stagehand(agent)
            assert isinstance(recorder, StagehandRecorder)
            page = await recorder.browser.context.active_page()
            await page.goto(site.url + "/sign-in")
            filled = await recorder.act(
                stagehand.Action(
                    selector="xpath=//*[@id='email']",
                    description="e-mail",
                    method="fill",
                    arguments=["ann@example.com"],
                )
            )
            shown = [await pixels(page)]
            clicked = await recorder.act("click sign in")
            shown.append(await pixels(page))
            manifest = await captures.collector.close_session()
    assert filled.data.success
    assert clicked.data.success
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.steps == ["0001-act", "0002-act"]
    first, second = (captures.action(manifest, number)["agent"] for number in (0, 1))
    assert first["actions"][0]["method"] == "fill"
    assert second["instruction"] == "click sign in"
    assert second["actions"][0]["method"] == "click"
    assert second["usage"]["input_tokens"] == 5
    assert first["page_id"] == second["page_id"] == page.page_id
    assert 'value="ann@example.com"' in captures.html(manifest, 0)
    assert most_different(*shown) > 80
    for number, step in enumerate(manifest.steps):
        facts = captures.facts(manifest, number)
        assert facts["url"] == captures.action(manifest, number)["url_after"]
        picture = captures.tree(manifest.session_id)[f"{step}.webp"]
        seen = Image.open(io.BytesIO(picture)).convert("RGB")
        viewport = facts["viewport"]
        assert seen.size == (viewport["width"], viewport["height"])
        assert most_different(seen, shown[number]) < 8, step
    assert {each.status for each in server.sessions} == {"COMPLETED"}


async def test_of_variables_only_the_names_are_kept_and_a_failed_act_is_a_step_too(
    captures: RemoteCaptures, server: LocalBrowserbase, pages: Pages
):
    url = pages.add("<title>t</title><label>Code <input id=code></label>")
    async with driving(server) as agent:
        recorder = await captures.collector.record_stagehand(agent)
        page = await recorder.browser.context.active_page()
        await page.goto(url)
        await recorder.act(
            stagehand.Action(
                selector="xpath=//input", description="c", method="fill", arguments=["%pin%"]
            ),
            variables={"pin": "tulip-4711"},
        )
        with pytest.raises(stagehand.rpc_client.RPCError):
            await recorder.act("no such thing")
        manifest = await captures.collector.close_session()
    assert captures.action(manifest, 0)["agent"]["variables"] == ["pin"]
    assert captures.action(manifest, 1)["outcome"] == "failed"
    assert captures.action(manifest, 1)["agent"]["error"]
    for content in captures.tree(manifest.session_id).values():
        assert b"tulip-4711" not in content


async def test_act_in_a_scenario_is_done_by_stagehand(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
):
    async with RemoteCaptures(tmp_path, pages, server, stagehand=scripted) as captures:
        url = pages.add("<title>t</title><button onclick='this.textContent += 1'>Buy</button>")
        manifest = await captures.run(
            {"goto": url}, {"act": "click Buy"}, {"act": "click Sell"}, source="stagehand"
        )
    assert manifest.steps == ["0001-goto", "0002-act", "0003-act"]
    assert manifest.state is SessionState.INCOMPLETE
    assert "Stagehand could not act" in (manifest.reason or "")
    assert ">Buy1</button>" in captures.html(manifest, 1)
    agent = captures.action(manifest, 1)["agent"]
    assert (agent["instruction"], agent["actions"][0]["method"]) == ("click Buy", "click")
    assert captures.action(manifest, 2)["outcome"] == "failed"
    assert not server.live
