"""The asset checks of captured sessions: told with the capture, and again when they are asked."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from checkpoint_assets.config import Checks
from checkpoint_assets.defs.checks import CHECKS
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets_tests.defs.project import NOTE, NOTE_PAGE, Project, failure

pytestmark = [pytest.mark.browser, pytest.mark.dagster]


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {each.check_name: each for each in found if each.check_name in CHECKS}


def facts(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    """What was found of the one session."""
    (found,) = evaluation.metadata["found"].value.values()  # type: ignore[union-attr]
    return found


def judge(project: Project, name: str, **config: object) -> dg.AssetCheckEvaluation:
    """The check alone, as from its button in the UI."""
    job = project.definitions().resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(dg.AssetKey(CHECKS[name][0]), name)
    result = job.get_subset(asset_selection=set(), asset_check_selection={key}).execute_in_process(
        instance=project.instance,
        resources=project.definitions().resources,
        run_config={"ops": {"session_checks": {"config": config}}},
        raise_on_error=False,
    )
    assert result.success, failure(result)
    return evaluations(result)[name]


def change_page(project: Project, page: str) -> None:
    (project.scenarios / "pages" / "note.html").write_text(page)


@pytest.fixture
def note(project: Project) -> Project:
    assert project.capture(project.add(NOTE)).success
    return project


def test_a_good_capture_passes_every_check(project: Project) -> None:
    result = project.capture(project.add(NOTE))

    found = evaluations(result)
    assert set(found) == set(CHECKS)
    assert {name for name, each in found.items() if not each.passed} == set()
    assert facts(found["drift"]) == {"against": None}
    assert facts(found["integrity"])["files_read"] >= 1
    assert found["settle_and_consistency"].metadata["unsettled"].value == 0


def test_a_page_that_changed_has_drifted_and_a_picture_shows_where(note: Project) -> None:
    (first,) = note.sessions()
    change_page(note, NOTE_PAGE.replace("</title>", "</title><body style='background:#080'>"))
    result = note.capture("note")

    assert result.success
    drift = evaluations(result)["drift"]
    assert (drift.passed, drift.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert facts(drift)["against"] == first.session_id
    assert drift.metadata["most_pixels"].value > 0.9  # type: ignore[operator]
    text = drift.metadata["difference"]
    assert isinstance(text, dg.MarkdownMetadataValue)
    data = base64.b64decode((text.md_str or "").partition("base64,")[2].rstrip(")"))
    assert Image.open(BytesIO(data)).format == "JPEG"


def test_an_unchanged_page_has_not_drifted(note: Project) -> None:
    drift = evaluations(note.capture("note"))["drift"]

    assert drift.passed
    assert drift.metadata["most_pixels"].value == 0
    assert "difference" not in drift.metadata


def test_drift_is_judged_against_a_session_that_is_still_there(note: Project) -> None:
    (first,) = note.sessions()
    assert note.capture("note").success
    second = note.sessions()[1]
    note.storage.delete_session(second.session_id)

    assert facts(evaluations(note.capture("note"))["drift"])["against"] == first.session_id


def test_the_thresholds_are_settings(note: Project) -> None:
    change_page(note, NOTE_PAGE.replace("</title>", "</title><body style='background:#080'>"))
    checks = Checks(drift_pixels=1, drift_dom=1)
    note.settings = note.settings.model_copy(update={"checks": checks})
    note.setup = CaptureSetup(note.settings, note.setup.open_site)

    assert evaluations(note.capture("note"))["drift"].passed


def test_a_blank_page_is_a_warning(project: Project) -> None:
    change_page(project, "<!doctype html><title>Nothing</title>")
    result = project.capture(project.add(NOTE))

    assert result.success
    blank = evaluations(result)["blank_screenshots"]
    assert (blank.passed, blank.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert facts(blank)["blank_steps"] == ["0001-goto"]


def test_a_check_alone_judges_the_newest_session_or_those_that_are_named(note: Project) -> None:
    (first,) = note.sessions()
    assert note.capture("note").success
    page = note.store / first.session_id / "0001-goto.html"
    page.chmod(0o600)
    page.write_bytes(b"<p>")

    assert judge(note, "integrity").passed
    broken = judge(note, "integrity", sessions=[first.session_id])
    assert (broken.passed, broken.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert facts(broken)["findings"] == [f"truncated {first.session_id}/0001-goto.html"]


def test_a_secret_that_was_stored_is_an_error_and_is_not_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKPOINT_SECRET_CODE", "open sesame 17")
    scenario = NOTE + "  - fill: {selector: '#code', secret: CODE}\n"
    change_page(project, NOTE_PAGE + "<input id=code type=password>")
    result = project.capture(project.add(scenario))
    assert evaluations(result)["secrets_canary"].passed

    (session,) = project.sessions()
    project.storage.store_derived(
        session.session_id, "leak.txt", b"code=open+sesame+17", "text/plain", "0001-goto"
    )
    found = judge(project, "secrets_canary")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    key = f"{session.session_id}/_derived/0001-goto.leak.txt"
    assert facts(found)["where"] == [f"known secret in {key}"]
    assert "sesame" not in str(found.metadata)


def test_what_looks_like_a_key_is_a_warning(project: Project) -> None:
    change_page(project, NOTE_PAGE + "AKIA" + "ABCDEFGHIJKLMNOP")
    found = evaluations(project.capture(project.add(NOTE)))["secrets_canary"]

    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "AWS access key in" in facts(found)["where"][0]


def test_a_check_before_any_capture_says_so(project: Project) -> None:
    job = project.definitions().resolve_implicit_global_asset_job_def()
    key = dg.AssetCheckKey(dg.AssetKey("capture_session"), "drift")
    result = job.get_subset(asset_selection=set(), asset_check_selection={key}).execute_in_process(
        instance=project.instance,
        resources=project.definitions().resources,
        raise_on_error=False,
    )

    assert "capture one" in failure(result)


def test_a_run_over_many_scenarios_tells_its_checks_too(project: Project) -> None:
    for name in ("note-a", "note-b"):
        project.add(NOTE.replace("name: note", f"name: {name}"))
    change_page(project, "<!doctype html><title>Nothing</title>")
    tags = {
        "dagster/asset_partition_range_start": "note-a",
        "dagster/asset_partition_range_end": "note-b",
    }
    job = project.definitions().resolve_job_def("capture_job")
    result = job.execute_in_process(instance=project.instance, tags=tags)

    found = evaluations(result)
    assert set(found) == set(CHECKS)
    assert found["integrity"].passed
    assert found["blank_screenshots"].metadata["failed"].value == 2
