"""Whatever fails, wherever: committed steps stay, the session ends, nothing is left that bills."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.browserbase_browser import BrowserbaseBrowser
from checkpoint_assets.collection.browser.browserbase_sessions import BrowserbaseSessions
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.browser.remote_source import RemoteSource
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.config import Browserbase
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import SessionManifest, encode_json
from checkpoint_assets.testing.local_browserbase import Fault, LocalBrowserbase
from checkpoint_assets_tests.collection.captures import (
    capture_settings,
    check_readable,
    scenario_on,
)
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = [pytest.mark.browser, pytest.mark.fault, pytest.mark.asyncio(loop_scope="session")]

QUICK = {"launch": 6, "navigation": 3, "action": 2, "settle": 0.5, "capture": 2, "close": 1}
CREATE, CONNECT, RELEASE = "sessions.create", "connect", "sessions.update"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    # A browser that was harmed is not lent again.
    with LocalBrowserbase(arguments=[HERMETIC]) as running:
        yield running


def mid_step(kind: Any, **more: Any) -> Fault:
    """At the picture of the second step: between its artifacts."""
    return Fault(kind, operation="cdp", method="Page.captureScreenshot", after=1, **more)


HARMLESS = [
    Fault("latency", CREATE, seconds=0.5),
    Fault("status", CREATE, status=500),
    Fault("reset", CREATE),
    Fault("lost_answer", CREATE),
    Fault("hang", CREATE),
    Fault("latency", CONNECT, seconds=0.5),
    mid_step("latency", seconds=0.5),
    Fault("status", RELEASE, status=500),
    Fault("reset", RELEASE),
    Fault("lost_answer", RELEASE),
    Fault("hang", RELEASE),
]
DEADLY = [
    (Fault("status", CREATE, status=500, times=None), 0),
    (Fault("status", CREATE, status=401), 0),
    (Fault("status", CONNECT, status=500), 0),
    (Fault("hang", CONNECT), 0),
    (Fault("reset", CONNECT), 0),
    (Fault("reset", "cdp", method="Input.dispatchMouseEvent", times=None), 1),
    (mid_step("reset", times=None), 1),
    (Fault("release", "cdp", method="Target.setAutoAttach"), 0),
    (Fault("truncate", "cdp", method="Target.setAutoAttach"), 0),
    (mid_step("hang"), 1),
    (mid_step("release"), 1),
    (mid_step("crash"), 1),
]


def name(value: Any) -> str:
    return f"{value.kind}-{value.operation}" if isinstance(value, Fault) else ""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def captures(
    tmp_path_factory: pytest.TempPathFactory, pages: Pages, server: LocalBrowserbase
) -> AsyncIterator[RemoteCaptures]:
    # Kept alive: nothing but a release ends a session.
    wishes = Browserbase(keep_alive=True)
    folder = tmp_path_factory.mktemp("store")
    async with RemoteCaptures(folder, pages, server, timeouts=QUICK, browserbase=wishes) as running:
        yield running


async def capture(
    captures: RemoteCaptures, server: LocalBrowserbase, caplog: pytest.LogCaptureFixture
) -> SessionManifest:
    """A session of three steps. No key is in anything that it told or stored."""
    page = "<title>t</title><button id=b onclick='this.textContent += 1'>b</button>"
    url = captures.pages.add(page)
    captures.told.clear()
    with caplog.at_level(logging.DEBUG):
        manifest = await captures.run(
            {"goto": url}, {"click": "#b"}, {"click": "#b"}, source="browserbase"
        )
    server.clear_faults()
    if manifest.remote.get("released") is not True:
        await captures.collector.release_orphans(older_than=timedelta(0))
    assert not server.live
    await check_readable(captures, manifest)
    keys = [server.api_key, *(each.signing_key for each in server.sessions)]
    told = [encode_json(each.data) for each in captures.told]
    stored = captures.tree(manifest.session_id).values()
    for text in (*stored, *told, caplog.text.encode()):
        assert not any(key.encode() in text for key in keys)
    return manifest


@pytest.mark.parametrize("fault", HARMLESS, ids=name)
async def test_a_fault_that_passes_harms_nothing(
    captures: RemoteCaptures,
    server: LocalBrowserbase,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
):
    server.inject(fault)
    manifest = await capture(captures, server, caplog)
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert len(manifest.steps) == 3
    assert not server.pending_faults()


@pytest.mark.parametrize(("fault", "kept"), DEADLY, ids=name)
async def test_a_fault_that_stays_ends_the_session_and_keeps_its_steps(
    captures: RemoteCaptures,
    server: LocalBrowserbase,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    kept: int,
):
    server.inject(fault)
    manifest = await capture(captures, server, caplog)
    assert manifest.state is SessionState.INCOMPLETE
    assert manifest.reason
    assert len(manifest.steps) >= kept


@pytest.mark.parametrize("kind", ["reset", "truncate"])
async def test_a_lost_socket_is_replaced_and_the_step_is_seen_again(
    captures: RemoteCaptures, server: LocalBrowserbase, caplog: pytest.LogCaptureFixture, kind: Any
):
    server.inject(mid_step(kind))
    manifest = await capture(captures, server, caplog)
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.remote["reconnected"] == 1
    assert [captures.facts(manifest, n).get("reconnected") for n in range(3)] == [None, True, None]
    assert ">b11</button>" in captures.html(manifest, 2)
    expected = {"width": 1280, "height": 800, "device_pixel_ratio": 1}
    assert all(captures.facts(manifest, n)["viewport"] == expected for n in range(3))


class LosingBrowser(BrowserbaseBrowser):
    """Its connection is lost between the second and the third step."""

    def __init__(self, server: LocalBrowserbase, *more: Any) -> None:
        super().__init__(*more)
        self._server = server
        self._steps = 0
        self.contexts: list[BrowserContext] = []

    async def new_context(self, **options: Any) -> BrowserContext:
        self.contexts.append(await super().new_context(**options))
        return self.contexts[-1]

    async def reconnect(self) -> Page | None:
        self._steps += 1
        if self._steps == 3:
            self._server.inject(Fault("reset", "cdp", method="Storage.getCookies"))
            (context,) = self.contexts
            with pytest.raises(PlaywrightError):
                await context.cookies()
            while context.browser and context.browser.is_connected():
                await asyncio.sleep(0.01)
        return await super().reconnect()


async def test_a_socket_lost_between_two_steps_is_replaced_before_the_next_one(
    pages: Pages, server: LocalBrowserbase
):
    url = pages.add("<button id=b onclick='this.textContent += 1'>b</button>")
    click = {"click": "#b"}
    scenario = scenario_on(pages, {"goto": url}, click, click, click, source="browserbase")
    settings = capture_settings(pages, browserbase=Browserbase(keep_alive=True))
    sessions = BrowserbaseSessions(settings, server.client())
    async with CdpDriver(settings) as driver:
        browser = LosingBrowser(server, "between", sessions, driver, settings, Redactor(()))
        source = RemoteSource(scenario, browser, settings)
        await source.connect()
        steps = [step async for step in source.collect_stream()]
        await source.disconnect()
    await sessions.close()
    found = [step.metadata["page"].get("reconnected") for step in steps]
    assert found == [None, None, True, None]
    assert b">b111</button>" in steps[3].artifacts["html"]
    assert len({str(step.metadata["page"]["viewport"]) for step in steps}) == 1
    assert source.remote["reconnected"] == 1
    assert not server.live


async def test_a_release_that_never_succeeds_is_said_and_made_good_by_the_sweep(
    captures: RemoteCaptures, server: LocalBrowserbase, caplog: pytest.LogCaptureFixture
):
    server.inject(Fault("status", RELEASE, status=500, times=None))
    manifest = await capture(captures, server, caplog)
    assert manifest.state is SessionState.COMPLETE
    assert manifest.remote["released"] is False
