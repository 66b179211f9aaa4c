from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets_tests.pages import Pages, hermetic_settings


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A site that serves what a test adds to it."""
    with Pages(tmp_path_factory.mktemp("pages")) as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[LocalChromium]:
    """One real Chromium for all tests of the session; what they open in it is their own."""
    async with LocalChromium(hermetic_settings()) as chromium:
        yield chromium
