"""A scenario file that is dropped, changed, touched, broken, removed: what the sensor does."""

from __future__ import annotations

import os
from typing import Any

import dagster as dg
import pytest

from checkpoint_assets.collection.scenario_watch import ScenarioWatch, Seen, find_changes
from checkpoint_assets.defs.inbox import scenario_inbox
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.defs.project import NOTE, Project

pytestmark = pytest.mark.dagster

FAR = """\
name: one
start_url: https://a.example/
steps:
  - goto: /
"""


class Inbox:
    """Ticks of the sensor, one after the other, as the daemon does them."""

    def __init__(self, project: Project, **settings: Any) -> None:
        self.project = project
        self.settings = project.settings.model_copy(update=settings)
        self.setup = CaptureSetup(self.settings)
        self.cursor: str | None = None

    def write(self, name: str, text: str = NOTE) -> None:
        text = text.replace("name: note", f"name: {name}")
        (self.project.scenarios / f"{name}.yaml").write_text(text)

    def tick(self) -> tuple[list[str], str]:
        """The scenarios that are captured, and what is said. Requests are carried out."""
        context = dg.build_sensor_context(self.project.instance, cursor=self.cursor)
        result = scenario_inbox(context, setup=self.setup)
        if isinstance(result, dg.SkipReason):
            return [], result.skip_message or ""
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        for request in result.dynamic_partitions_requests or ():
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.project.instance.add_dynamic_partitions(
                    request.partitions_def_name, list(request.partition_keys)
                )
            else:
                for key in request.partition_keys:
                    self.project.instance.delete_dynamic_partition(request.partitions_def_name, key)
        said = result.skip_reason.skip_message if result.skip_reason else ""
        return [str(run.partition_key) for run in result.run_requests or ()], said or ""

    def partitions(self) -> set[str]:
        return set(self.project.instance.get_dynamic_partitions(scenario_partitions.name or ""))


@pytest.fixture
def inbox(project: Project) -> Inbox:
    """A sensor that has looked once, at a folder without scenarios."""
    inbox = Inbox(project)
    assert inbox.tick() == ([], "noted the scenarios that are there")
    return inbox


def test_a_dropped_file_is_captured_once(inbox: Inbox) -> None:
    assert inbox.tick() == ([], "nothing new among 0 scenarios")
    inbox.write("one")
    assert inbox.tick()[0] == ["one"]
    assert inbox.partitions() == {"one"}
    assert inbox.tick() == ([], "nothing new among 1 scenarios")


def test_a_touched_file_does_nothing_and_a_changed_one_captures_once(inbox: Inbox) -> None:
    inbox.write("one")
    inbox.tick()
    os.utime(inbox.project.scenarios / "one.yaml", (1, 1))
    assert inbox.tick()[0] == []
    inbox.write("one", NOTE + "# a comment changes nothing either\n")
    assert inbox.tick()[0] == []
    inbox.write("one", NOTE + "  - hover: p\n")
    assert inbox.tick()[0] == ["one"]
    assert inbox.tick()[0] == []


def test_what_was_a_partition_before_the_first_look_is_only_noted(project: Project) -> None:
    inbox = Inbox(project)
    project.add(NOTE)
    inbox.write("new")
    assert inbox.tick()[0] == []
    assert inbox.tick()[0] == ["new"]
    inbox.write("note", NOTE + "  - hover: p\n")
    assert inbox.tick()[0] == ["note"]


def test_a_partition_that_a_dying_watcher_made_is_still_captured(inbox: Inbox) -> None:
    inbox.project.add(NOTE)

    assert inbox.tick()[0] == ["note"]


def test_a_broken_file_is_reported_once_with_its_line_and_hurts_no_other(inbox: Inbox) -> None:
    inbox.write("bad", NOTE + "  - clck: p\n")
    inbox.write("good")
    captured, _ = inbox.tick()
    assert captured == ["good"]
    inbox.write("worse", NOTE + "  - hover: p\n  - clck: p\n")
    captured, said = inbox.tick()
    assert captured == []
    assert "worse.yaml:6" in said
    assert "bad.yaml" not in said
    assert inbox.tick() == ([], "nothing new among 1 scenarios")
    inbox.write("bad")
    assert inbox.tick()[0] == ["bad"]


def test_a_file_that_breaks_is_not_removed(inbox: Inbox) -> None:
    inbox.write("one")
    inbox.tick()
    inbox.write("one", NOTE + "  - clck: p\n")
    inbox.tick()
    inbox.write("one")
    assert inbox.tick()[0] == []


@pytest.mark.parametrize("retire", [False, True])
def test_a_removed_file_retires_its_partition_by_policy(project: Project, retire: bool) -> None:
    inbox = Inbox(project, retire_removed=retire)
    inbox.tick()
    inbox.write("one")
    inbox.tick()
    (project.scenarios / "one.yaml").unlink()
    captured, said = inbox.tick()
    assert (captured, said) == ([], "removed: one")
    assert inbox.partitions() == (set() if retire else {"one"})


def test_many_at_once_are_taken_in_turns(inbox: Inbox) -> None:
    for number in range(130):
        inbox.write(f"n{number:03}")
    first, second = inbox.tick()[0], inbox.tick()[0]
    assert (len(first), len(second)) == (100, 30)
    assert len({*first, *second}) == 130
    assert inbox.tick()[0] == []


def test_the_same_content_has_the_same_run_key(inbox: Inbox) -> None:
    inbox.write("one")
    folder = ScenarioWatch().look(inbox.project.scenarios)
    keys = [find_changes(folder, Seen(), (), limit=10).captures["one"] for _ in range(2)]
    assert keys[0] == keys[1]
    inbox.write("one", NOTE + "  - hover: p\n")
    folder = ScenarioWatch().look(inbox.project.scenarios)
    assert find_changes(folder, Seen(), (), limit=10).captures["one"] != keys[0]


def test_a_cursor_that_cannot_be_read_is_no_cursor(inbox: Inbox) -> None:
    inbox.write("one")
    inbox.cursor = "what is this"
    assert inbox.tick()[0] == []
    assert inbox.tick()[0] == ["one"]


def test_a_folder_that_is_gone_is_said(inbox: Inbox) -> None:
    (inbox.project.scenarios / "pages" / "note.html").unlink()
    (inbox.project.scenarios / "pages").rmdir()
    inbox.project.scenarios.rmdir()
    captured, said = inbox.tick()
    assert captured == []
    assert "cannot be read" in said


def test_a_file_that_did_not_change_is_not_read_again(inbox: Inbox) -> None:
    inbox.write("one")
    watch = ScenarioWatch()
    (first,) = watch.look(inbox.project.scenarios).scenarios
    (again,) = watch.look(inbox.project.scenarios).scenarios
    assert again is first
    inbox.write("one", NOTE + "  - hover: p\n")
    (changed,) = watch.look(inbox.project.scenarios).scenarios
    assert len(changed.steps) == 2


def test_scenarios_in_a_bucket_are_an_inbox_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with FaultyS3() as server:
        server.create_bucket("inbox")
        monkeypatch.setenv("SM_S3_ENDPOINT_URL", server.endpoint_url)
        url = "s3://inbox/scenarios"
        with SyncStorageManager(url) as manager:
            store = manager.asynchronous.store

            def put(name: str, text: str) -> None:
                async def write(_: object) -> None:
                    data = text.encode()
                    await store.put(
                        name, data, media_type="text/yaml", sha256=sha256_hex(data), create=False
                    )

                manager.call(write)

            inbox = Inbox(project, inbox=url)
            assert inbox.tick()[0] == []
            put("one.yaml", FAR)
            put("readme.md", "no scenario")
            assert inbox.tick()[0] == ["one"]
            assert inbox.tick()[0] == []
            put("one.yaml", FAR + "  - hover: p\n")
            assert inbox.tick()[0] == ["one"]
            assert len(inbox.setup.scenario("one").steps) == 2
