"""The assets that are made of captured steps."""

from __future__ import annotations

import json

import dagster as dg
import pandas as pd
import pytest

from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.errors import IntegrityError, StoreUnavailable
from checkpoint_assets.processing.features import FEATURE_COLUMNS
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

pytestmark = pytest.mark.dagster

FOREIGN = "checkpoint_assets_tests.processing.foreign"


def made(project: Project, asset: str, key: str = "shop-visit") -> dict[str, dg.MetadataValue]:
    """Materializes the asset; the metadata of its materialization."""
    result = project.materialize(names=[asset], key=key)
    assert result.success, failure(result)
    (event,) = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


@pytest.fixture
def note(project: Project) -> Project:
    """A project of its own with a captured note."""
    assert project.capture(project.add(NOTE)).success
    return project


def configure(project: Project, *processors: str) -> None:
    project.settings = project.settings.model_copy(update={"processors": processors})
    project.setup = CaptureSetup(project.settings, project.setup.open_site)


@pytest.mark.browser
def test_texts_are_json_by_step(captured: Project) -> None:
    metadata = made(captured, "step_text")
    texts = json.loads((captured.store / "_views/step_text/shop-visit.json").read_bytes())

    assert list(texts) == ["0001-goto", "0002-fill"]
    assert "Tea Pots and kettles Cups Tools" in texts["0001-goto"]
    (session,) = captured.sessions()
    assert metadata["session_id"].value == session.session_id
    assert metadata["characters"].value == sum(map(len, texts.values()))
    assert metadata["problems"].value == {}


@pytest.mark.browser
def test_features_are_a_row_for_each_step(captured: Project) -> None:
    metadata = made(captured, "step_features")
    frame = pd.read_parquet(captured.store / "_views/step_features/shop-visit.parquet")

    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == FEATURE_COLUMNS
    assert list(frame["step_id"]) == ["0001-goto", "0002-fill"]
    assert set(frame["page_title"]) == {"Tea and tableware · Leaf & Kiln"}
    assert frame["processing_problems"].isna().all()
    assert 0 < frame["pixels_changed"].iloc[1] < 0.1
    assert metadata["rows"].value == 2
    assert metadata["seconds"].value.keys() >= {"readable_text", "thumbnail"}
    assert metadata["problems"].value == {}


@pytest.mark.browser
def test_derived_files_of_a_real_page_are_stored_beside_it(captured: Project) -> None:
    made(captured, "step_features")
    (session,) = captured.sessions()
    outline = captured.storage.retrieve_derived(
        session.session_id, "outline.txt", step_id="0002-fill"
    ).decode()
    text = captured.storage.retrieve_derived(
        session.session_id, "text.txt", step_id="0002-fill"
    ).decode()

    assert '- searchbox "Search"' in outline
    assert "- main" in outline
    # What runs in the page, or is ours, is no text of it.
    assert "function" not in text
    assert "checkpoint" not in text


@pytest.mark.browser
def test_nothing_of_a_page_is_shown_as_markup(captured: Project) -> None:
    for asset in ("step_text", "step_features"):
        kinds = {type(value) for value in made(captured, asset).values()}
        assert not kinds & {dg.MarkdownMetadataValue, dg.UrlMetadataValue, dg.PathMetadataValue}


@pytest.mark.browser
def test_an_asset_downstream_is_given_the_texts_and_the_features(captured: Project) -> None:
    seen: list[object] = []

    @dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="scenarios"))
    def both(step_text: dict[str, str], step_features: pd.DataFrame) -> None:
        seen.extend([list(step_text), len(step_features)])

    made(captured, "step_text")
    made(captured, "step_features")
    result = captured.materialize(both, key="shop-visit")

    assert result.success, failure(result)
    assert seen == [["0001-goto", "0002-fill"], 2]


@pytest.mark.browser
def test_a_processor_of_another_package_plugs_in_by_configuration_alone(note: Project) -> None:
    configure(note, f"{FOREIGN}:Shouting", f"{FOREIGN}:Late")
    metadata = made(note, "step_features", "note")
    frame = pd.read_parquet(note.store / "_views/step_features/note.parquet")

    assert list(frame["marks"]) == [1]
    assert str(frame["marks"].dtype) == "Int64"
    problem = "late: RuntimeError: nothing to be done about 0001-goto"
    assert list(frame["processing_problems"]) == [problem]
    assert metadata["problems"].value == {"0001-goto": [problem]}
    (session,) = note.sessions()
    data = note.storage.retrieve_derived(session.session_id, "shouting.txt", step_id="0001-goto")
    assert data.startswith(b"1 at ")


@pytest.mark.browser
@pytest.mark.parametrize("asset", ["step_text", "step_features"])
def test_a_misspelt_processor_is_a_failure_that_names_it(note: Project, asset: str) -> None:
    configure(note, f"{FOREIGN}:Shoutin")
    result = note.materialize(names=[asset], key="note")

    assert f"'{FOREIGN}:Shoutin'" in failure(result)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    said = failed.step_failure_data.user_failure_data
    assert said is not None
    assert said.metadata["error_type"].value == "configuration"


@pytest.mark.parametrize("asset", ["step_text", "step_features"])
def test_what_was_not_captured_is_said_to_be_missing(project: Project, asset: str) -> None:
    result = project.materialize(names=[asset], key=project.add(NOTE))

    assert "materialize it first" in failure(result)


def attempts_of(*errors: Exception) -> tuple[bool, int]:
    """Whether an op that raises these, one after the other, succeeds, and how often it was tried."""
    left = [*errors]
    tried: list[int] = []

    @dg.op
    def work() -> None:
        tried.append(1)
        with failures_by_kind():
            if left:
                raise left.pop(0)

    @dg.job
    def once() -> None:
        work()

    return once.execute_in_process(raise_on_error=False).success, len(tried)


def test_an_outage_is_tried_again_and_a_defect_is_not() -> None:
    assert attempts_of(StoreUnavailable("away")) == (True, 2)
    assert attempts_of(*[StoreUnavailable("away")] * 3) == (False, 3)
    assert attempts_of(IntegrityError("changed")) == (False, 1)
