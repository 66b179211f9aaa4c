from __future__ import annotations

from collections.abc import Iterator

import pytest

from checkpoint_assets_tests.distributed.deployment import Deployment
from checkpoint_assets_tests.distributed.servers import missing_servers


@pytest.fixture(scope="module")
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """``deploy/celery`` at work. Who asks for the group is told what is missing; others skip it."""
    missing = missing_servers()
    if missing and "distributed" not in request.config.option.markexpr:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with Deployment(tmp_path_factory.mktemp("deployment")) as running:
        yield running
