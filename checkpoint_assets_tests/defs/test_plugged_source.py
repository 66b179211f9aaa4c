"""A source that the settings name runs in the graph, and queries there ask the catalogue."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from checkpoint_assets.defs.resources import CaptureSetup, StorageResource
from checkpoint_assets.model.contract_records import QueryCriteria
from checkpoint_assets_tests.collection.foreign_sources import HERE
from checkpoint_assets_tests.defs.project import Project, failure

pytestmark = pytest.mark.dagster

SPELL = "name: spell\nsource: plugin:letters\nvariables: {word: tea}\n"


@pytest.fixture
def spelling(project: Project) -> Project:
    """A project whose settings list the source."""
    sources = {"letters": f"{HERE}:Letters"}
    project.settings = project.settings.model_copy(update={"sources": sources})
    project.setup = CaptureSetup(project.settings, project.setup.open_site)
    return project


def test_a_source_that_is_not_listed_fails_the_run_with_those_that_are(spelling: Project) -> None:
    result = spelling.capture(spelling.add(SPELL.replace("plugin:letters", "plugin:lettres")))
    assert "the settings list no source 'lettres'" in failure(result)
    assert "did you mean 'letters'?" in failure(result)
    assert spelling.sessions() == []


def test_a_query_in_a_run_asks_the_catalogue_first(spelling: Project) -> None:
    assert spelling.capture(spelling.add(SPELL)).success
    (session,) = spelling.sessions()
    # Nobody who reads a commit record could answer now.
    for path in (spelling.store / session.session_id).glob("*.metadata.json"):
        path.chmod(0o600)
        path.write_bytes(b"{}")
        os.utime(path, (0, 0))
    found: list[str] = []

    @dg.asset
    def pages(storage: StorageResource) -> None:
        locations = storage.manager.query(QueryCriteria(scenario="spell"))
        found.extend(str(location.metadata["title"]) for location in locations)

    result = spelling.materialize(pages)
    assert result.success, failure(result)
    assert found == ["t", "e", "a"]
