"""Files that a scenario names lie below its own folder, or it is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from checkpoint_assets.collection import steps
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_file import load_scenario, parse_scenario
from checkpoint_assets.model.errors import InvalidScenario


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("outside")
    folder = tmp_path / "scenarios"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a;$(id) 'b'.txt").write_text("inside")
    (folder / "out.txt").symlink_to("../secret.txt")
    (folder / "outside").symlink_to("..")
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "in.txt").symlink_to("files/a;$(id) 'b'.txt")
    os.mkfifo(folder / "pipe")
    return folder


def upload(folder: Path, name: str) -> Scenario:
    path = folder / "s.yaml"
    quoted = name.replace("'", "''")
    path.write_text(f"name: a\nsite: demo\nsteps:\n- upload: {{selector: a, file: '{quoted}'}}\n")
    return load_scenario(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../secret.txt", "'../secret.txt' is not below the scenario's folder"),
        ("files/../../secret.txt", "is not below the scenario's folder"),
        ("out.txt", "'out.txt' is not below the scenario's folder"),
        ("outside/secret.txt", "is not below the scenario's folder"),
        ("/etc/passwd", "'/etc/passwd' is no relative path"),
        ("..\\secret.txt", "is no relative path"),
        ("loop.txt", "'loop.txt' cannot be found: Too many levels of symbolic links"),
        ("x" * 300, "cannot be found: File name too long"),
        ("files", "'files' is not a file"),
        ("pipe", "'pipe' is not a file"),
        ("missing.txt", "'missing.txt' cannot be found: No such file or directory"),
    ],
)
def test_upload_from_elsewhere_is_refused(folder: Path, name: str, reason: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        upload(folder, name)
    assert caught.value.line == 4
    assert reason in caught.value.message


@pytest.mark.parametrize("name", ["files/a;$(id) 'b'.txt", "in.txt", "files/../in.txt"])
def test_upload_from_below_is_found_whatever_its_name(folder: Path, name: str) -> None:
    step = upload(folder, name).steps[0]
    assert isinstance(step, steps.Upload)
    assert step.names == (name,)
    assert step.files == ((folder / "files" / "a;$(id) 'b'.txt").resolve(),)


def test_scenario_that_is_no_file_uploads_nothing() -> None:
    text = "name: a\nsite: demo\nsteps:\n- upload: {selector: a, file: b}\n"
    with pytest.raises(InvalidScenario, match=r"4: upload\.file: a scenario that is no file"):
        parse_scenario(text)


def test_site_may_be_a_folder_below_the_scenario(folder: Path) -> None:
    text = "name: a\nsite: ./files\nsteps: [goto: /]\n"
    assert parse_scenario(text, path=folder / "s.yaml").site == "./files"


@pytest.mark.parametrize("site", ["..", "outside", "/etc", "in.txt", "nothing"])
def test_site_elsewhere_is_refused(folder: Path, site: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(f"name: a\nsite: {site}\nsteps: [goto: /]\n", path=folder / "s.yaml")
    assert caught.value.line == 2


def test_pipe_in_the_place_of_a_scenario_is_never_opened(folder: Path) -> None:
    with pytest.raises(InvalidScenario, match="this is not a file"):
        load_scenario(folder / "pipe")
