"""The same scenario, captured locally, over CDP and in Browserbase, is the same data."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from checkpoint_assets.collection.browser.chromium import find_chromium, launch_arguments
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets.testing.local_browserbase.chromium_process import ChromiumProcess
from checkpoint_assets_tests.collection.captures import Captures, check_readable
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCENARIO = """\
name: sign-in
site: demo
viewport: {width: 900, height: 700}
steps:
  - goto: /sign-in
  - fill: {selector: "#email", text: ann@example.com}
  - fill: {selector: "#password", secret: SHOP_PASSWORD}
  - click: "#submit"
  - expect: {title: Account}
  - scroll: {y: 200}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cdp_port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    """A Chromium that somebody else has started."""
    folder = tmp_path_factory.mktemp("cdp")
    browser = await ChromiumProcess.start(
        find_chromium(), folder / "profile", launch_arguments([HERMETIC]), folder=folder
    )
    yield browser.port
    await browser.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sessions(
    tmp_path_factory: pytest.TempPathFactory, pages: Pages, server: LocalBrowserbase, cdp_port: int
) -> AsyncIterator[dict[str, tuple[Captures, SessionManifest]]]:
    """The scenario's session by where it ran."""
    folder = tmp_path_factory.mktemp("store")
    address = f"127.0.0.1:{cdp_port}"
    async with RemoteCaptures(folder, pages, server, allow_cdp=(address,)) as captures:
        found: dict[str, tuple[Captures, SessionManifest]] = {}
        for source, more in (
            ("local", ""),
            ("cdp", f"source: cdp\ncdp_url: http://{address}\n"),
            ("browserbase", "source: browserbase\n"),
        ):
            manifest = await captures.collector.capture_scenario(parse_scenario(SCENARIO + more))
            found[source] = captures, manifest
        yield found


def files(captures: Captures, manifest: SessionManifest, suffix: str) -> dict[str, bytes]:
    tree = captures.tree(manifest.session_id)
    return {name: content for name, content in tree.items() if name.endswith(suffix)}


def normalised(html: bytes) -> str:
    """Without what every run of the site makes anew: its port."""
    return re.sub(r"127\.0\.0\.1:\d+", "SITE", html.decode())


def what_was_done(action: Any) -> Any:
    """Without times, and the port of the site."""
    if isinstance(action, dict):
        left_out = {"started_at", "milliseconds", "ended_at", "time"}
        return {key: what_was_done(item) for key, item in action.items() if key not in left_out}
    if isinstance(action, list):
        return [what_was_done(item) for item in action]
    return normalised(action.encode()) if isinstance(action, str) else action


@pytest.mark.parametrize("source", ["cdp", "browserbase"])
async def test_html_pixels_and_actions_are_equal(
    sessions: dict[str, tuple[Captures, SessionManifest]], source: str
):
    captures, here = sessions["local"]
    _, there = sessions[source]
    assert here.state is SessionState.COMPLETE, here.reason
    assert there.state is SessionState.COMPLETE, there.reason
    assert there.source == source
    assert there.steps == here.steps
    for name, content in files(captures, here, ".html").items():
        again = files(captures, there, ".html")[name]
        assert normalised(again) == normalised(content), name
    assert files(captures, there, ".webp") == files(captures, here, ".webp")
    for number in range(len(here.steps)):
        one, other = captures.action(here, number), captures.action(there, number)
        assert what_was_done(other) == what_was_done(one)


async def test_the_real_metrics_are_recorded(
    sessions: dict[str, tuple[Captures, SessionManifest]],
):
    for captures, manifest in sessions.values():
        expected = {"width": 900, "height": 700, "device_pixel_ratio": 1}
        assert captures.facts(manifest)["viewport"] == expected
        await check_readable(captures, manifest)


async def test_the_manifest_says_what_the_session_is_called_elsewhere(
    sessions: dict[str, tuple[Captures, SessionManifest]], server: LocalBrowserbase
):
    _, manifest = sessions["browserbase"]
    (session,) = server.sessions
    assert manifest.remote["provider"] == "browserbase"
    assert manifest.remote["session_id"] == session.id
    assert manifest.remote["status"] == "COMPLETED"
    assert manifest.remote["released"] is True
    assert manifest.remote["url"] == f"https://www.browserbase.com/sessions/{session.id}"
    assert session.wish.user_metadata is not None
    assert session.wish.user_metadata["checkpoint_session"] == manifest.session_id
    assert (session.wish.record, session.wish.log) == (False, False)
    assert sessions["local"][1].remote == {}


async def test_a_browser_that_is_only_visited_goes_on(
    sessions: dict[str, tuple[Captures, SessionManifest]], cdp_port: int
):
    assert sessions["cdp"][1].state is SessionState.COMPLETE
    _, writer = await asyncio.open_connection("127.0.0.1", cdp_port)
    writer.close()


async def test_an_address_that_settings_do_not_allow_is_not_connected_to(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase, cdp_port: int
):
    async with RemoteCaptures(tmp_path, pages, server) as captures:
        manifest = await captures.run(
            {"goto": "/"}, source="cdp", cdp_url=f"http://127.0.0.1:{cdp_port}"
        )
    assert manifest.state is SessionState.INCOMPLETE
    assert "CHECKPOINT_ALLOW_CDP" in (manifest.reason or "")
    assert manifest.steps == []
