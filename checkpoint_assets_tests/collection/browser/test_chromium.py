"""Which Chromium is started, and how."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from checkpoint_assets.collection.browser.chromium import (
    FIX,
    NAMES,
    find_chromium,
    launch_arguments,
    playwright_chromium,
)
from checkpoint_assets.model.errors import BrowserUnavailable


def on_path(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/bin/{name}" if name in names else None


def never() -> Path | None:
    raise AssertionError("was looked for")


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(mode)
    return path


def test_the_names_are_tried_in_the_documented_order():
    assert NAMES == ("chromium-headless-shell", "chromium", "google-chrome")
    for index, name in enumerate(NAMES):
        found = find_chromium(which=on_path(*NAMES[index:]), installed=never)
        assert found == Path("/bin", name)


def test_a_configured_program_is_taken_before_all_others(tmp_path: Path):
    mine = program(tmp_path / "my-chromium")
    assert find_chromium(mine, installed=never) == mine


def test_a_configured_name_is_looked_for_on_the_path():
    found = find_chromium(Path("brave"), which=on_path("brave", *NAMES), installed=never)
    assert found == Path("/bin/brave")


def test_a_configured_program_that_is_not_there_is_no_reason_to_take_another():
    with pytest.raises(BrowserUnavailable, match=r"CHECKPOINT_CHROMIUM is '/nowhere/chromium'"):
        find_chromium(Path("/nowhere/chromium"), installed=never)


def test_a_configured_file_that_cannot_be_run_is_refused(tmp_path: Path):
    with pytest.raises(BrowserUnavailable, match="no program"):
        find_chromium(program(tmp_path / "notes.txt", 0o644), installed=never)


def test_what_playwright_installed_is_taken_when_the_path_has_none():
    assert find_chromium(which=on_path(), installed=lambda: Path("/pw/chrome")) == Path(
        "/pw/chrome"
    )


def test_without_any_chromium_the_message_says_how_to_get_one():
    with pytest.raises(BrowserUnavailable, match="no Chromium was found") as caught:
        find_chromium(which=on_path(), installed=lambda: None)
    assert FIX in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "chromium_headless_shell-1200/chrome-linux/headless_shell",
        "chromium_headless_shell-1210/chrome-headless-shell-linux64/chrome-headless-shell",
        "chromium-1200/chrome-linux/chrome",
        "chromium-1210/chrome-linux64/chrome",
    ],
)
def test_every_layout_of_playwright_s_folder_is_known(name: str, tmp_path: Path):
    there = program(tmp_path / name)
    assert playwright_chromium({"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}) == there


def test_of_several_installed_ones_the_newest_is_taken(tmp_path: Path):
    old = program(tmp_path / "chromium_headless_shell-1100/chrome-linux/headless_shell")
    new = program(tmp_path / "chromium_headless_shell-1200/chrome-linux/headless_shell")
    os.utime(old, (1, 1))
    os.utime(new, (2, 2))
    assert playwright_chromium({"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}) == new


def test_a_half_finished_installation_does_not_count(tmp_path: Path):
    program(tmp_path / "chromium-1200/chrome-linux/chrome", 0o644)
    assert playwright_chromium({"PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}) is None


def test_the_sandbox_is_off_only_for_root():
    assert "--no-sandbox" in launch_arguments((), root=True)
    assert "--no-sandbox" not in launch_arguments((), root=False)
    assert ("--no-sandbox" in launch_arguments(())) == (os.geteuid() == 0)


def test_the_browser_talks_to_nobody_by_itself():
    assert {
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    } <= set(launch_arguments((), root=False))


def test_configured_arguments_come_last_so_that_they_win():
    assert launch_arguments(["--lang=de", "--mute-audio"], root=True)[-2:] == [
        "--lang=de",
        "--mute-audio",
    ]
