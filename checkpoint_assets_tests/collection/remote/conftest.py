from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets_tests.pages import HERMETIC


@pytest.fixture(scope="module")
def server() -> Iterator[LocalBrowserbase]:
    """Browserbase on this machine, for all tests of a module; faults are a test's own."""
    with LocalBrowserbase(arguments=[HERMETIC], shortest_timeout=1, reuse=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "server" in request.fixturenames:
        request.getfixturevalue("server").clear_faults()
