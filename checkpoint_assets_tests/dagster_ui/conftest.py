from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from checkpoint_assets.collection.browser.chromium import find_chromium, launch_arguments
from checkpoint_assets_tests.dagster_ui.dagster_dev import DagsterDev
from checkpoint_assets_tests.pages import HERMETIC


@pytest.fixture(scope="module")
def dagster_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """``checkpoint dev`` on a free port, with a home, scenarios and a store of its own."""
    with DagsterDev(tmp_path_factory.mktemp("dagster-dev")) as running:
        running.wait_until_loaded()
        yield running


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[[], Page]]:
    """Opens pages of a headless Chromium that reaches this machine alone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=launch_arguments([HERMETIC])
        )
        yield lambda: browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


@pytest.fixture
def page(open_page: Callable[[], Page]) -> Iterator[Page]:
    page = open_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the UI are left to be looked at."""
    folder = os.environ.get("CHECKPOINT_UI_SCREENSHOTS")
    path = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    path.mkdir(parents=True, exist_ok=True)
    return path
