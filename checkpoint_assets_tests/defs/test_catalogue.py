"""The step catalogue: a frame with fixed columns, Parquet that anybody can read."""

from __future__ import annotations

import dagster as dg
import pandas as pd
import pytest

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.catalogue.columns import SESSION_COLUMNS, STEP_COLUMNS
from checkpoint_assets_tests.defs.project import Project, failure

pytestmark = pytest.mark.dagster


def catalogue(project: Project) -> tuple[pd.DataFrame, dict[str, dg.MetadataValue]]:
    """The Parquet file as plain pandas reads it, and the metadata of its materialization."""
    result = project.materialize(names=["step_catalog"])
    assert result.success, failure(result)
    (event,) = result.get_asset_materialization_events()
    frame = pd.read_parquet(project.store / "_views" / "step_catalog.parquet")
    return frame, dict(event.materialization.metadata)


@pytest.mark.browser
def test_each_stored_step_is_a_row(captured: Project) -> None:
    frame, metadata = catalogue(captured)

    (manifest,) = captured.sessions()
    assert list(frame["session_id"]) == [manifest.session_id] * 2
    assert list(frame["step_id"]) == ["0001-goto", "0002-fill"]
    assert list(frame["ordinal"]) == [1, 2]
    assert set(frame["scenario"]) == {"shop-visit"}
    assert set(frame["state"]) == {"complete"}
    assert set(frame["title"]) == {"Tea and tableware · Leaf & Kiln"}
    assert frame["committed_at"].is_monotonic_increasing
    assert metadata["rows"].value == 2
    assert metadata["dagster/row_count"].value == 2
    assert metadata["sessions"].value == 1


@pytest.mark.browser
def test_sizes_and_digests_are_those_of_the_files(captured: Project) -> None:
    frame, _ = catalogue(captured)

    (manifest,) = captured.sessions()
    for row in frame.itertuples():
        record = captured.storage.get_commit_record(manifest.session_id, str(row.step_id))
        assert row.html_bytes == record.artifacts["html"].size
        assert row.html_sha256 == record.artifacts["html"].sha256
        assert row.screenshot_sha256 == record.artifacts["screenshot"].sha256
        assert row.action_bytes == record.artifacts["action"].size
    assert frame[["html_bytes", "screenshot_bytes", "action_bytes"]].sum().sum() == manifest.bytes


@pytest.mark.browser
def test_columns_and_types_are_fixed(captured: Project) -> None:
    frame, metadata = catalogue(captured)

    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS
    shown = metadata["columns"].value
    assert {column.name: column.type for column in shown.columns} == STEP_COLUMNS


def test_an_empty_store_is_a_table_with_the_same_columns_and_no_row(project: Project) -> None:
    frame, metadata = catalogue(project)

    assert len(frame) == 0
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS
    assert metadata["rows"].value == 0
    assert metadata["sessions"].value == 0


def test_a_downstream_asset_gets_the_frame(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>")
    seen: list[pd.DataFrame] = []

    @dg.asset
    def total(step_catalog: pd.DataFrame) -> None:
        seen.append(step_catalog)

    catalogue(project)
    result = project.materialize(total)

    assert result.success, failure(result)
    assert list(seen[0]["step_id"]) == ["0001-goto"]
    assert {str(name): str(kind) for name, kind in seen[0].dtypes.items()} == STEP_COLUMNS


@pytest.mark.browser
def test_a_capture_is_in_the_catalogue_before_any_asset_of_it_is_made(captured: Project) -> None:
    catalogue = SyncCatalogue(captured.storage)

    (manifest,) = captured.sessions()
    assert list(catalogue.sessions()["session_id"]) == [manifest.session_id]
    assert list(catalogue.steps()["action"]) == ["goto", "fill"]
    assert list(catalogue.steps()["selector"].fillna("")) == ["", "#q"]


def test_the_sessions_are_a_frame_with_fixed_columns(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", html_content="<p>")
    result = project.materialize(names=["step_catalog", "session_catalog"])

    assert result.success, failure(result)
    frame = pd.read_parquet(project.store / "_views" / "session_catalog.parquet")
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == SESSION_COLUMNS
    assert list(frame["state"]) == ["incomplete"]
