"""The example of the module's first description runs line for line, with the real SDK's objects."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright
from playwright.sync_api import sync_playwright

from checkpoint_assets import DataCollector as AsyncDataCollector
from checkpoint_assets import SyncDataCollector as DataCollector
from checkpoint_assets import SyncStorageManager
from checkpoint_assets.model.records import SessionManifest, StepData
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets_tests.pages import Pages

pytestmark = pytest.mark.browser


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultyS3]:
    """The bucket of the example, on this machine."""
    with FaultyS3(buckets=["checkpoints"]) as s3:
        for name in [name for name in os.environ if name.startswith(("AWS_", "SM_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("SM_S3_ENDPOINT_URL", s3.endpoint_url)
        monkeypatch.setenv("SM_LOCAL_BASE_PATH", str(tmp_path))
        yield s3


RESULT = {"success": True, "message": "done", "action": "opened the page"}


def test_the_example_line_for_line(bucket: FaultyS3, server: LocalBrowserbase, pages: Pages):
    here = pages.add("<title>videos</title><p>watch</p>")
    stagehand_action_result = RESULT
    stagehand_task_id = "task-1"
    with server.client() as client, sync_playwright() as driver:
        browserbase_session = client.sessions.create()
        browserbase_session_id = browserbase_session.id
        browser = driver.chromium.connect_over_cdp(browserbase_session.connect_url)
        browser.contexts[0].pages[0].goto(here)

        collector = DataCollector(storage_config={"type": "s3", "bucket": "checkpoints"})
        collector.configure_session(browserbase_session)
        step_data = collector.collect_step_data(
            browserbase_session_id,
            stagehand_task_id,
            url="https://youtube.com",
            action_data=stagehand_action_result
        )  # fmt: skip

        manifest = collector.close_session()
        collector.close()
        browser.close()
    check(step_data, manifest, here)


async def test_the_example_line_for_line_with_await(
    bucket: FaultyS3, server: LocalBrowserbase, pages: Pages
):
    DataCollector = AsyncDataCollector  # noqa: N806 (the example's own name)
    here = pages.add("<title>videos</title><p>watch</p>")
    stagehand_action_result = RESULT
    stagehand_task_id = "task-1"
    async with server.async_client() as client, async_playwright() as driver:
        browserbase_session = await client.sessions.create()
        browserbase_session_id = browserbase_session.id
        browser = await driver.chromium.connect_over_cdp(browserbase_session.connect_url)
        await browser.contexts[0].pages[0].goto(here)

        collector = DataCollector(storage_config={"type": "s3", "bucket": "checkpoints"})
        await collector.configure_session(browserbase_session)
        step_data = await collector.collect_step_data(
            browserbase_session_id,
            stagehand_task_id,
            url="https://youtube.com",
            action_data=stagehand_action_result
        )  # fmt: skip

        manifest = await collector.close_session()
        await collector.close()
        await browser.close()
    # In a thread: blocking calls have no place in a running loop.
    await asyncio.to_thread(check, step_data, manifest, here)


def check(step_data: StepData, manifest: SessionManifest, here: str) -> None:
    """The step is in the bucket, with all that the example has told of it."""
    session, step = step_data["session_id"], step_data["step_id"]
    assert step_data["url"] == here
    assert step_data["html_path"] == f"s3://checkpoints/{session}/{step}.html"
    assert step_data["screenshot_path"] == f"s3://checkpoints/{session}/{step}.webp"
    assert step_data["action_data_path"] == f"s3://checkpoints/{session}/{step}.action.json"
    assert manifest.steps[-1] == step == "0002-act"
    with SyncStorageManager("s3://checkpoints") as storage:
        html, picture, action, _ = storage.retrieve_step_data(session, step)
    assert html is not None
    assert "<p>watch</p>" in html
    assert picture is not None
    assert picture[8:12] == b"WEBP"
    assert action is not None
    assert action["value"] == "https://youtube.com"
    assert action["agent"]["description"] == "opened the page"
    assert action["agent"]["task_id"] == "task-1"
