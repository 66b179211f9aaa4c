"""The launchpad: what can be set, what it does, and what is said of a word that is none."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from checkpoint_assets.defs.capture_config import CaptureConfig
from checkpoint_assets_tests.defs.project import NOTE, VISIT, Project, failure

pytestmark = pytest.mark.dagster


def config(**words: Any) -> dict[str, Any]:
    """As it is typed in the launchpad."""
    return {"ops": {"capture": {"config": words}}}


@pytest.mark.browser
def test_the_launchpad_stands_over_the_file(project: Project) -> None:
    words = config(
        viewport={"width": 640, "height": 480},
        artifacts=["screenshot"],
        every=2,
        tags={"why": "release 7"},
    )

    result = project.capture(project.add(VISIT), run_config=words)

    assert result.success, failure(result)
    (manifest,) = project.sessions()
    assert manifest.tags["why"] == "release 7"
    scenario = manifest.metadata["scenario"]
    assert scenario["viewport"] == {"width": 640, "height": 480, "device_scale_factor": 1}
    assert {name for name in project.files(manifest.session_id) if "metadata" not in name} == {
        "session.json",
        "0001-goto.webp",
        "0001-goto.action.json",
        "0002-fill.action.json",
    }


def test_a_source_that_there_is_not_is_said_before_anything_starts(project: Project) -> None:
    said = failure(project.capture(project.add(NOTE), run_config=config(source="locl")))

    assert "there is no source 'locl' (did you mean 'local'?)" in said
    assert project.sessions() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"viewprt": {}}, 'Received unexpected config entry "viewprt"'),
        ({"viewport": {"width": 800}}, 'Missing required config entry "height"'),
        ({"artifacts": ["pdf"]}, "pdf"),
        ({"every": "often"}, 'is not valid for expected type "Int"'),
        ({"tags": {"why": 7}}, 'is not valid for expected type "String"'),
    ],
)
def test_a_word_that_is_wrong_is_refused_at_the_launch(
    project: Project, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError) as refused:
        project.capture(project.add(NOTE), run_config=config(**words))

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("words", "field"),
    [({"every": 0}, "every"), ({"viewport": {"width": 0, "height": 600}}, "width")],
)
def test_a_number_that_is_out_of_range_fails_the_run_by_its_name(
    project: Project, words: dict[str, Any], field: str
) -> None:
    said = failure(project.capture(project.add(NOTE), run_config=config(**words)))

    assert field in said
    assert "greater than or equal to 1" in said
    assert project.sessions() == []


def test_each_word_of_the_launchpad_has_a_help_text() -> None:
    fields = CaptureConfig.to_config_schema().as_field().config_type.fields

    assert set(fields) == {"viewport", "artifacts", "every", "source", "tags"}
    assert all(field.description for field in fields.values())
