"""Dagster's UI, driven in a headless Chromium: the graph, a materialization, what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from checkpoint_assets_tests.dagster_ui.dagster_dev import DagsterDev

# One program serves all tests of this file, in their order.
pytestmark = [pytest.mark.browser, pytest.mark.dagster, pytest.mark.timeout(400)]

ASSETS = ["capture_session", "html_snapshots", "screenshots", "actions", "step_catalog"]
GRAPH = "/asset-groups?expanded=global%40global%3Acapture%2Cglobal%40global%3Acatalogue"
CAPTURE = "/locations/checkpoint_assets/asset-groups/capture/lineage"
SLOW = 60_000
# As it is typed in the dialog.
CONFIG = '{"ops": {"capture": {"config": {"viewport": {"width": 900, "height": 700}}}}}'
BACKFILL = "dagster/backfill"


@pytest.fixture(scope="module")
def run(
    dagster_dev: DagsterDev, open_page: Callable[[], Page], screenshots: Path
) -> dict[str, Any]:
    """The run of a materialization that was started with clicks, when it has ended."""
    page = open_page()
    page.goto(dagster_dev.url + CAPTURE)
    page.get_by_role("button", name="Materialize all").click(timeout=SLOW)
    page.get_by_text("Select a partition or create one").click(timeout=SLOW)
    page.get_by_text("shop-visit", exact=True).first.click(timeout=SLOW)
    page.keyboard.press("Escape")
    page.get_by_text("Config", exact=True).click(timeout=SLOW)
    page.get_by_role("button", name="Add config").click(timeout=SLOW)
    save = page.get_by_role("button", name="Save config")
    expect(save).to_be_visible(timeout=SLOW)
    page.locator(".CodeMirror").last.click(timeout=SLOW)
    page.keyboard.insert_text(CONFIG)
    page.screenshot(path=screenshots / "launch.png")
    save.click(timeout=SLOW)
    page.get_by_role("button", name="Launch 1 run").click(timeout=SLOW)
    expect(page.get_by_text("Launched run")).to_be_visible(timeout=SLOW)
    page.close()
    return dagster_dev.wait_for_run()


@pytest.fixture(scope="module")
def manifest(dagster_dev: DagsterDev, run: dict[str, Any]) -> dict[str, Any]:
    """The manifest of the session that the run captured."""
    (path,) = dagster_dev.store.glob("*/session.json")
    return json.loads(path.read_text())


def test_the_asset_graph_shows_every_asset(
    dagster_dev: DagsterDev, page: Page, screenshots: Path
) -> None:
    page.goto(dagster_dev.url + GRAPH)

    for asset in ASSETS:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible(timeout=SLOW)
    page.screenshot(path=screenshots / "graph.png")


def test_the_ui_asks_nothing_of_other_machines(dagster_dev: DagsterDev, page: Page) -> None:
    asked: set[str | None] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))

    page.goto(dagster_dev.url + GRAPH)
    expect(page.get_by_text("step_catalog", exact=True).first).to_be_visible(timeout=SLOW)

    # Pictures inside the page are data: URLs, which have no host.
    assert asked - {None} == {"127.0.0.1"}


def test_every_scenario_is_a_partition(dagster_dev: DagsterDev, page: Page) -> None:
    page.goto(dagster_dev.url + "/assets/capture_session?view=partitions")

    for name in ("shop-visit", "shop-workshop"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=SLOW)


def test_a_materialization_started_in_the_ui_succeeds(run: dict[str, Any]) -> None:
    assert run["status"] == "SUCCESS"
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["dagster/partition"] == "shop-visit"
    assert tags["dagster/from_ui"] == "true"


def test_it_stores_a_complete_session(manifest: dict[str, Any], run: dict[str, Any]) -> None:
    assert manifest["state"] == "complete"
    assert manifest["steps"] == ["0001-goto", "0002-fill", "0003-press", "0004-expect"]
    assert manifest["tags"]["dagster_run_id"] == run["runId"]


def test_the_asset_page_shows_session_steps_and_bytes(
    dagster_dev: DagsterDev, manifest: dict[str, Any], page: Page, screenshots: Path
) -> None:
    page.goto(dagster_dev.url + "/assets/capture_session?view=partitions&partition=shop-visit")

    shown = {
        "session_id": manifest["session_id"],
        "state": "complete",
        "steps": "4",
        "bytes": str(manifest["bytes"]),
        "location": str(dagster_dev.store / manifest["session_id"]),
        "key": "_views/capture_session/shop-visit.json",
    }
    for name, value in shown.items():
        label = page.get_by_role("cell", name=name, exact=True)
        expect(page.get_by_role("row").filter(has=label)).to_contain_text(value, timeout=SLOW)
    page.screenshot(path=screenshots / "materialization.png")


def test_the_thumbnail_shows_the_last_page(
    dagster_dev: DagsterDev, manifest: dict[str, Any], page: Page, screenshots: Path
) -> None:
    page.goto(dagster_dev.url + "/assets/screenshots?view=partitions&partition=shop-visit")
    row = page.get_by_role("row").filter(has_text="thumbnail")

    row.get_by_text("Show Markdown").click(timeout=SLOW)

    picture = page.get_by_role("dialog").locator("img")
    expect(picture).to_be_visible(timeout=SLOW)
    shown = picture.evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert shown == [257, 200]  # of 900 x 700
    page.screenshot(path=screenshots / "thumbnail.png")


def test_the_completeness_check_shows_as_passed(
    dagster_dev: DagsterDev, manifest: dict[str, Any], page: Page, screenshots: Path
) -> None:
    page.goto(dagster_dev.url + "/assets/capture_session?view=checks")

    expect(page.get_by_text("complete_steps").first).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Passed").first).to_be_visible(timeout=SLOW)
    page.screenshot(path=screenshots / "check.png")


def test_what_is_set_in_the_dialog_is_captured(manifest: dict[str, Any]) -> None:
    assert manifest["metadata"]["scenario"]["viewport"]["width"] == 900


@pytest.fixture(scope="module")
def backfill(
    dagster_dev: DagsterDev,
    open_page: Callable[[], Page],
    screenshots: Path,
    manifest: dict[str, Any],
) -> list[dict[str, Any]]:
    """The runs of a backfill over all scenarios that was started with clicks; all have ended."""
    page = open_page()
    page.goto(dagster_dev.url + "/assets/capture_session")
    page.get_by_role("button", name="Materialize").first.click(timeout=SLOW)
    page.get_by_role("button", name="All", exact=True).click(timeout=SLOW)
    page.screenshot(path=screenshots / "backfill.png")
    page.get_by_role("button", name="Launch backfill").click(timeout=SLOW)
    dagster_dev.wait_for_backfill()
    page.close()
    return [run for run in dagster_dev.runs() if BACKFILL in {t["key"] for t in run["tags"]}]


def test_a_backfill_over_all_scenarios_is_one_run(
    dagster_dev: DagsterDev, backfill: list[dict[str, Any]]
) -> None:
    assert [run["status"] for run in backfill] == ["SUCCESS"]
    stored = [json.loads(path.read_text()) for path in dagster_dev.store.glob("*/session.json")]
    its_own = [each for each in stored if each["tags"]["dagster_run_id"] == backfill[0]["runId"]]
    assert sorted(each["scenario"] for each in its_own) == ["shop-visit", "shop-workshop"]


def test_the_sessions_of_a_scenario_are_plotted(
    dagster_dev: DagsterDev, backfill: list[dict[str, Any]], page: Page, screenshots: Path
) -> None:
    page.goto(dagster_dev.url + "/assets/capture_session?view=overview")
    page.get_by_role("button", name="Plots").click(timeout=SLOW)

    for name in ("steps", "bytes", "seconds"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible(timeout=SLOW)
    expect(page.locator("canvas").first).to_be_visible(timeout=SLOW)
    page.screenshot(path=screenshots / "plots.png")


def test_ctrl_c_ends_dagster_and_the_sites_and_leaves_no_process(dagster_dev: DagsterDev) -> None:
    program = dagster_dev.program

    program.interrupt()

    assert program.wait() == 130
    assert program.remains() == []
    assert program.lines_with("Dagster services shut down.")
    assert "Traceback" not in program.output
