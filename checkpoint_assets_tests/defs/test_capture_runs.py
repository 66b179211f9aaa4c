"""Runs in this process, as the command line makes them: each ends as a result."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.defs.capture_runs import (
    CaptureRun,
    CatalogueRun,
    aborted_runs,
    capture_in_process,
    materialize_catalogue,
    terminal_instance,
)
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.terminal import Terminal
from checkpoint_assets_tests.defs.project import NOTE, Project

pytestmark = pytest.mark.dagster

LOST = NOTE.replace("goto: /note.html", "goto: /nowhere.html")


def captured_run(project: Project, name: str) -> CaptureRun:
    terminal = Terminal(io.StringIO())
    return capture_in_process(project.definitions(), project.instance, name, terminal)


@pytest.mark.browser
def test_a_complete_run_tells_what_was_stored(project: Project) -> None:
    run = captured_run(project, project.add(NOTE))

    (manifest,) = project.sessions()
    assert run == CaptureRun(
        scenario="note",
        state="complete",
        session_id=manifest.session_id,
        steps=1,
        bytes=manifest.bytes,
        seconds=manifest.seconds or 0,
    )


@pytest.mark.browser
def test_a_failed_run_tells_why_and_what_was_stored(project: Project) -> None:
    run = captured_run(project, project.add(LOST))

    (manifest,) = project.sessions()
    assert (run.state, run.session_id, run.steps) == ("incomplete", manifest.session_id, 1)
    assert run.reason is not None
    assert run.reason.startswith(f"{project.scenarios}/note.yaml, line 4, step 1 (goto): ")


def test_a_run_that_never_began_a_session_has_none(project: Project) -> None:
    name = project.add(NOTE.replace("site: pages", "site: elsewhere"))

    run = captured_run(project, name)

    assert (run.state, run.session_id, run.steps, run.bytes) == ("failed", None, 0, 0)
    assert run.reason is not None
    assert "site" in run.reason
    assert "elsewhere" in run.reason


@pytest.mark.browser
def test_an_error_of_the_store_is_told_in_its_own_words(project: Project) -> None:
    name = project.add(NOTE)
    project.store.write_text("a file where the folder should be")

    run = captured_run(project, name)

    assert run.state == "failed"
    assert run.reason is not None
    assert "Not a directory" in run.reason
    assert str(project.store) in run.reason


def test_the_catalogue_tells_its_rows(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", action_data={})

    assert materialize_catalogue(project.definitions(), project.instance) == CatalogueRun(rows=1)


def test_a_catalogue_that_cannot_be_written_tells_why(project: Project) -> None:
    project.storage.store_step_data("s1", "0001-goto", action_data={})
    (project.store / "s1" / "0001-goto.metadata.json").write_text("{")

    catalogue = materialize_catalogue(project.definitions(), project.instance)

    assert catalogue.rows is None
    assert catalogue.reason is not None
    assert "s1/0001-goto.metadata.json" in catalogue.reason
    assert "Stack Trace" not in catalogue.reason


def test_only_aborted_sessions_are_taken_from_the_events() -> None:
    def ended(state: str) -> SystemEvent:
        data = {
            "session_id": f"s-{state}",
            "scenario": "shop",
            "state": state,
            "steps": 2,
            "bytes": 30,
            "seconds": 1.5,
            "reason": "stopped before its end",
        }
        now = datetime(2026, 1, 31, tzinfo=UTC)
        return SystemEvent(EventType.COLLECTION_ERROR, now, "collector", data)

    assert aborted_runs([ended("incomplete"), ended("aborted")]) == [
        CaptureRun("shop", "aborted", "s-aborted", 2, 30, 1.5, "stopped before its end")
    ]


def test_the_terminals_instance_keeps_the_settings_of_its_home(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("retention: {schedule: {purge_after_days: 7}}\n")

    with terminal_instance(tmp_path) as instance:
        assert instance.get_settings("retention") == {"schedule": {"purge_after_days": 7}}
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"


def test_runs_of_the_terminal_are_seen_by_the_ui(tmp_path: Path) -> None:
    with terminal_instance(tmp_path) as instance:
        instance.add_dynamic_partitions("scenarios", ["shop-search"])

    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.has_dynamic_partition("scenarios", "shop-search")
