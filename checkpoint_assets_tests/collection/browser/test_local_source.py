"""A local browser as a data source: it keeps the contract that every source keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.local_source import LocalBrowserSource
from checkpoint_assets.interfaces import IDataSource
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.errors import DataCollectionError, NavigationFailed
from checkpoint_assets_tests.collection.captures import DEAD, capture_settings, scenario_on
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def source(browser: LocalChromium, pages: Pages) -> LocalBrowserSource:
    await browser.start()  # what it leaves running is not the source's
    url = pages.add("<p>x")
    scenario = scenario_on(pages, {"goto": url}, {"press": "Tab"}, {"press": "Tab"})
    return LocalBrowserSource(scenario, browser, capture_settings(pages))


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No task that was started inside is there afterwards."""
    before = asyncio.all_tasks()
    yield
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)


async def test_it_keeps_the_contract(source: LocalBrowserSource):
    assert isinstance(source, IDataSource)
    assert source.get_source_id() == "local:test"


async def test_steps_come_one_by_one_and_then_the_end(source: LocalBrowserSource):
    async with nothing_left():
        await source.connect()
        steps = [await source.collect() for _ in range(3)]
        with pytest.raises(StopAsyncIteration):
            await source.collect()
        await source.disconnect()
    assert [step.metadata["step_id"] for step in steps] == ["0001-goto", "0002-press", "0003-press"]
    assert {step.source_id for step in steps} == {"local:test"}
    assert [step.timestamp for step in steps] == sorted(step.timestamp for step in steps)
    assert all(step.raw_data == step.artifacts["html"] for step in steps)
    assert steps[0].timestamp.tzinfo is not None


async def test_a_stream_gives_the_same_steps(source: LocalBrowserSource):
    async with nothing_left():
        await source.connect()
        steps: list[CollectedData] = [step async for step in source.collect_stream()]
        await source.disconnect()
    assert [step.metadata["step_id"][:4] for step in steps] == ["0001", "0002", "0003"]


async def test_what_came_before_a_failure_is_good(browser: LocalChromium, pages: Pages):
    scenario = scenario_on(pages, {"goto": pages.add("<p>x")}, {"goto": f"http://{DEAD}/"})
    source = LocalBrowserSource(scenario, browser, capture_settings(pages))
    await browser.start()
    steps: list[CollectedData] = []
    async with nothing_left():
        await source.connect()
        with pytest.raises(NavigationFailed, match="step 2"):  # noqa: PT012 (a loop is one thing)
            async for step in source.collect_stream():
                steps.append(step)  # noqa: PERF401 (those before the failure are wanted)
        await source.disconnect()
    assert [step.metadata["action"]["outcome"] for step in steps] == ["ok", "failed"]


async def test_after_disconnect_nothing_of_it_runs(source: LocalBrowserSource):
    async with nothing_left():
        await source.connect()
        await source.collect()
        await source.disconnect()


async def test_connect_and_disconnect_may_be_called_twice(
    source: LocalBrowserSource, browser: LocalChromium
):
    async with nothing_left():
        await source.connect()
        await source.connect()
        assert (await source.collect()).metadata["step_id"] == "0001-goto"
        await source.disconnect()
        await source.disconnect()


async def test_a_source_that_was_never_connected_can_be_disconnected(source: LocalBrowserSource):
    await source.disconnect()


async def test_collecting_before_connecting_is_an_error(source: LocalBrowserSource):
    with pytest.raises(DataCollectionError, match="not connected"):
        await source.collect()


async def test_leaving_a_stream_early_leaves_nothing(source: LocalBrowserSource):
    async with nothing_left():
        await source.connect()
        stream = source.collect_stream()
        await anext(stream)
        await stream.aclose()
        await source.disconnect()
