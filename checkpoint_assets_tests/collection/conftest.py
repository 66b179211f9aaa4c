from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from checkpoint_assets_tests.collection.captures import Captures
from checkpoint_assets_tests.pages import Pages


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def captures(
    tmp_path_factory: pytest.TempPathFactory, pages: Pages
) -> AsyncIterator[Captures]:
    """One collector with one browser for all tests that leave both in order."""
    async with Captures(tmp_path_factory.mktemp("store"), pages) as shared:
        yield shared
