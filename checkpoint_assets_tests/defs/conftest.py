from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets_tests.defs.project import VISIT, Project


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(tmp_path: Path, instance: dg.DagsterInstance) -> Iterator[Project]:
    project = Project(tmp_path, instance)
    with project.storage:
        yield project


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose scenario ``shop-visit`` has been captured: two steps, every artifact."""
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path_factory.mktemp("captured"), instance)
        with project.storage:
            assert project.capture(project.add(VISIT)).success
            yield project
