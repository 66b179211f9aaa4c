"""Capturing through Dagster: what a run stores, says and judges, in a real Chromium."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image

from checkpoint_assets.defs.capture import capture
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.runtime.portal import Portal
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

pytestmark = [pytest.mark.browser, pytest.mark.dagster]

CAPTURE = {"capture_session", "html_snapshots", "screenshots", "actions"}
LOST = """\
name: lost
site: pages
steps:
  - goto: /note.html
  - click: {selector: "#nowhere", timeout: 0.3}
"""


def suffixes(project: Project, session_id: str) -> set[str]:
    """What kinds of files the session has, without the manifest."""
    names = project.files(session_id) - {"session.json"}
    return {name.partition(".")[2] for name in names}


def materialized(project: Project, asset: str, partition: str) -> dict[str, dg.MetadataValue]:
    """The metadata of the asset's last materialization for the partition."""
    events = project.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition]), limit=1
    )
    materialization = events.records[0].asset_materialization
    assert materialization is not None
    return dict(materialization.metadata)


@pytest.mark.parametrize("asset", sorted(CAPTURE))
def test_each_materialization_tells_of_its_session(captured: Project, asset: str) -> None:
    (manifest,) = captured.sessions()
    metadata = materialized(captured, asset, "shop-visit")

    session = manifest.session_id
    assert metadata["session_id"].value == session
    assert metadata["state"].value == "complete"
    assert metadata["steps"].value == 2
    assert metadata["bytes"].value == manifest.bytes
    assert metadata["seconds"].value == manifest.seconds
    assert metadata["location"].value == str(captured.store / session)
    assert metadata["keys"].value == [f"{session}/0001-goto", f"{session}/0002-fill"]
    assert metadata["key"].value == f"_views/{asset}/shop-visit.json"


def test_the_thumbnail_is_a_small_picture_and_nothing_of_the_page(captured: Project) -> None:
    thumbnail = str(materialized(captured, "screenshots", "shop-visit")["thumbnail"].value)

    found = re.fullmatch(r"!\[last step\]\(data:image/jpeg;base64,([A-Za-z0-9+/=]+)\)", thumbnail)
    assert found
    picture = Image.open(BytesIO(base64.b64decode(found[1])))
    assert picture.size == (320, 200)
    # More than one flat colour: it shows something.
    assert picture.convert("L").getextrema()[0] < picture.convert("L").getextrema()[1] - 50


def test_a_capture_stores_the_layout_byte_for_byte(captured: Project) -> None:
    (manifest,) = captured.sessions()

    assert captured.files(manifest.session_id) == {"session.json"} | {
        f"{step}{suffix}"
        for step in ("0001-goto", "0002-fill")
        for suffix in (".html", ".webp", ".action.json", ".metadata.json")
    }


def test_the_manifest_names_the_run_that_made_it(captured: Project) -> None:
    (manifest,) = captured.sessions()

    assert captured.instance.has_run(manifest.tags["dagster_run_id"])


def test_the_runs_log_has_a_line_for_each_step(project: Project) -> None:
    result = project.capture(project.add(NOTE))

    records = project.instance.all_logs(result.run_id)
    lines = [record.user_message for record in records if not record.is_dagster_event]
    assert any(re.fullmatch(r"note 0001-goto ok \d+ ms \d+ kB", line) for line in lines), lines


@pytest.mark.parametrize(
    ("selection", "stored"),
    [
        (["capture_session"], {"html", "webp", "action.json", "metadata.json"}),
        (["html_snapshots"], {"html", "action.json", "metadata.json"}),
        (["screenshots"], {"webp", "action.json", "metadata.json"}),
        (["actions"], {"action.json", "metadata.json"}),
        (["html_snapshots", "screenshots"], {"html", "webp", "action.json", "metadata.json"}),
        (["actions", "capture_session"], {"action.json", "metadata.json"}),
    ],
)
def test_the_selection_decides_what_is_stored(
    project: Project, selection: list[str], stored: set[str]
) -> None:
    result = project.materialize(names=selection, key=project.add(NOTE))

    assert result.success
    (manifest,) = project.sessions()
    assert manifest.state is SessionState.COMPLETE
    assert suffixes(project, manifest.session_id) == stored
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == set(selection)
    judged = {each.asset_key.to_user_string() for each in passed(result)}
    assert judged == set(selection)


def test_a_scenario_that_collects_less_stays_within_it(project: Project) -> None:
    text = NOTE.replace("steps:", "collect: {artifacts: [html]}\nsteps:")

    assert project.capture(project.add(text)).success

    (manifest,) = project.sessions()
    assert suffixes(project, manifest.session_id) == {"html", "action.json", "metadata.json"}


def test_the_completeness_check_passes_for_a_whole_session(captured: Project) -> None:
    execution = captured.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("capture_session"), "complete_steps"), limit=1
    )[0]

    assert execution.event is not None
    evaluation = execution.event.dagster_event.asset_check_evaluation_data
    assert evaluation.passed
    assert evaluation.metadata["state"].value == "complete"
    assert evaluation.metadata["missing"].value == {}


def passed(result: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
    """The completeness checks that passed."""
    return [check for check in result.get_asset_check_evaluations() if check.passed]


def missing(result: dg.ExecuteInProcessResult) -> str:
    """What the completeness checks, all of which failed, say is missing."""
    checks = result.get_asset_check_evaluations()
    assert {check.asset_key.to_user_string() for check in checks} == CAPTURE
    assert not any(check.passed for check in checks)
    return str(checks[0].metadata["missing"].value)


def when_captured(project: Project, do: Callable[[str], None]) -> None:
    """Call ``do`` with the session id when a session is closed and not judged yet."""

    async def hear(event: SystemEvent) -> None:
        do(event.data["session_id"])

    subscribe: Callable[..., Awaitable[str]] = project.setup.events.subscribe
    with Portal() as portal:
        portal.call(subscribe, EventType.COLLECTION_COMPLETE, hear)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("0001-goto.html", "0001-goto.html has no bytes, not"),
        ("0001-goto.metadata.json", "there is no step"),
    ],
)
def test_the_check_fails_for_a_session_that_lost_a_file(
    project: Project, name: str, reason: str
) -> None:
    when_captured(project, lambda session: (project.store / session / name).unlink())

    result = project.capture(project.add(NOTE))

    assert reason in missing(result)
    assert "is not whole" in failure(result)
    assert result.get_asset_materialization_events() == []


def test_the_check_fails_for_a_session_with_a_truncated_file(project: Project) -> None:
    def truncate(session: str) -> None:
        path = project.store / session / "0001-goto.webp"
        path.write_bytes(path.read_bytes()[:-1])

    when_captured(project, truncate)

    result = project.capture(project.add(NOTE))

    assert not result.success
    assert re.search(r"0001-goto.webp has \d+ bytes, not \d+", missing(result))


def test_the_check_alone_captures_nothing_and_says_what_to_do(project: Project) -> None:
    check = dg.AssetCheckKey(dg.AssetKey("capture_session"), "complete_steps")
    definitions = project.definitions()

    result = dg.materialize(
        [capture],
        instance=project.instance,
        resources=definitions.resources,
        selection=dg.AssetSelection.checks(check),
        raise_on_error=False,
    )

    assert "materialize an asset of it" in failure(result)
    assert project.sessions() == []


def test_a_failing_scenario_fails_its_run_and_names_file_line_and_step(project: Project) -> None:
    result = project.capture(project.add(LOST))

    said = failure(result)
    assert f"{project.scenarios}/lost.yaml, line 5, step 2 (click): " in said
    assert "'#nowhere'" in said
    assert result.get_asset_materialization_events() == []


def test_a_failing_scenario_keeps_its_steps_and_what_the_page_was(project: Project) -> None:
    project.capture(project.add(LOST))

    (manifest,) = project.sessions()
    assert manifest.state is SessionState.INCOMPLETE
    assert manifest.steps == ["0001-goto", "0002-click"]
    html, webp, action, _ = project.storage.retrieve_step_data(manifest.session_id, "0002-click")
    assert "Kettle on." in (html or "")
    assert webp
    assert (action or {})["outcome"] == "failed"


def test_the_check_fails_for_a_session_that_is_not_complete(project: Project) -> None:
    result = project.capture(project.add(LOST))

    assert missing(result) == "{}"
    check = result.get_asset_check_evaluations()[0]
    assert check.metadata["state"].value == "incomplete"


def test_a_second_capture_is_a_new_session_and_leaves_the_first_as_it_was(
    project: Project,
) -> None:
    name = project.add(NOTE)
    project.capture(name)
    (first,) = project.sessions()
    before = {path: path.read_bytes() for path in (project.store / first.session_id).iterdir()}

    project.capture(name)

    sessions = [each.session_id for each in project.sessions()]
    assert len(sessions) == 2
    assert sessions[0] == first.session_id
    assert {path: path.read_bytes() for path in before} == before


def test_a_partition_without_a_file_says_which_name_was_meant(project: Project) -> None:
    project.add(NOTE)
    project.instance.add_dynamic_partitions("scenarios", ["notes"])

    said = failure(project.capture("notes"))

    assert f"{project.scenarios}: no scenario 'notes' (did you mean 'note'?)" in said
    assert project.sessions() == []


def test_a_partition_with_a_broken_file_says_what_is_wrong_with_it(project: Project) -> None:
    name = project.add(NOTE.replace("goto:", "goot:"))

    said = failure(project.capture(name))

    assert f"{project.scenarios}/note.yaml:4: unknown step 'goot' (did you mean 'goto'?)" in said


def test_a_browser_that_is_not_there_is_named(project: Project) -> None:
    config = {"resources": {"browser": {"config": {"chromium": "/nowhere/chromium"}}}}

    said = failure(project.capture(project.add(NOTE), run_config=config))

    assert "'/nowhere/chromium', which is no program" in said


def test_events_of_a_capture_are_lines_of_json(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    settings = project.settings.model_copy(update={"event_log": file})
    project.settings, project.setup = settings, CaptureSetup(settings, project.setup.open_site)
    assert project.capture(project.add(NOTE)).success
    kinds = [json.loads(line)["event_type"] for line in file.read_text().splitlines()]
    assert [kind for kind in kinds if not kind.startswith("task_")] == [
        "collection_start",
        "step_stored",
        "collection_complete",
    ]
