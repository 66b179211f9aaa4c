"""The session report as an asset: stored beside its session, named in the metadata."""

from __future__ import annotations

import pytest

from checkpoint_assets_tests.defs.project import Project, failure

pytestmark = [pytest.mark.dagster, pytest.mark.browser]


def test_the_report_of_the_newest_session_is_stored_beside_it(captured: Project) -> None:
    result = captured.materialize(names=["session_report"], key="shop-visit")
    assert result.success, failure(result)

    (manifest,) = captured.sessions()
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    stored = captured.store / manifest.session_id / "_derived" / "report.html"
    assert metadata["report"].value == str(stored)
    assert metadata["session_id"].value == manifest.session_id
    assert stored.read_bytes().startswith(b"<!DOCTYPE html>")
