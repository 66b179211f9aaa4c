"""The code location: all of it loads, from the code and from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.definitions import build_definitions, defs
from checkpoint_assets.defs.checks import CHECKS
from checkpoint_assets_tests.processes import Program

ASSETS = {
    "capture_session",
    "html_snapshots",
    "screenshots",
    "actions",
    "step_catalog",
    "session_catalog",
    "session_report",
    "step_text",
    "step_features",
}


def test_all_definitions_load() -> None:
    dg.Definitions.validate_loadable(build_definitions())


def test_the_code_location_holds_the_assets_the_check_and_the_job() -> None:
    loaded = defs()

    graph = loaded.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == ASSETS
    assert {key.name for key in graph.asset_check_keys} == {"complete_steps", *CHECKS}
    assert loaded.resolve_job_def("capture_job").partitions_def is not None


def test_a_resource_can_be_given_in_place_of_the_projects_own() -> None:
    own = dg.ResourceDefinition.hardcoded_resource("mine")

    assert build_definitions(overrides={"browser": own}).resources["browser"] is own


@pytest.mark.dagster
def test_dagster_validates_the_workspace_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    with Program(command, {"DAGSTER_HOME": str(tmp_path)}) as program:
        assert program.wait() == 0, program.output
        program.wait_for_line("Validation successful for code location checkpoint_assets")
