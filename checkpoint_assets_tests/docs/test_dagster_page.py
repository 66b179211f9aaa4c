"""The Dagster page cannot rot: its tables name all that the code location defines, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.config import Checks
from checkpoint_assets.definitions import defs

PAGE = Path(__file__).parents[2] / "docs" / "dagster.md"


@pytest.fixture(scope="module")
def loaded() -> dg.Definitions:
    return defs()


def rows(section: str) -> dict[str, str]:
    """The names in the first column of the section's table, each with its row."""
    text = PAGE.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return {name: line for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1])}


def names(section: str, loaded: dg.Definitions) -> set[str]:
    graph = loaded.resolve_asset_graph()
    match section:
        case "Assets":
            return {key.to_user_string() for key in graph.get_all_asset_keys()}
        case "Asset checks":
            return {key.name for key in graph.asset_check_keys}
        case "Jobs":
            return {job.name for job in loaded.jobs or ()}
        case "Schedules":
            return {schedule.name for schedule in loaded.schedules or ()}
        case "Sensors":
            return {sensor.name for sensor in loaded.sensors or ()}
        case _:
            return set(loaded.resources or {}) - {"io_manager"}


@pytest.mark.parametrize(
    "section", ["Assets", "Asset checks", "Jobs", "Schedules", "Sensors", "Resources"]
)
def test_every_definition_has_its_row_and_every_row_its_definition(
    section: str, loaded: dg.Definitions
) -> None:
    assert set(rows(section)) == names(section, loaded)


def test_what_is_on_by_default_is_said(loaded: dg.Definitions) -> None:
    told = {**rows("Schedules"), **rows("Sensors")}
    for each in [*(loaded.schedules or ()), *(loaded.sensors or ())]:
        is_on = each.default_status.value == "RUNNING"
        assert ("| on |" in told[each.name], "**off**" in told[each.name]) == (is_on, not is_on)


def test_the_thresholds_of_the_checks_are_those_of_the_settings() -> None:
    table = PAGE.read_text().split("\n## Asset checks\n")[1].split("\n## ")[0]
    for name, value in Checks().model_dump().items():
        assert (f"`{name}`:" if name == "canaries" else f"`{name}` {value:g}") in table
