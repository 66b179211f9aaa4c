"""What the pages name is there: files, commands with their options, jobs, scenarios."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from checkpoint_assets.cli import main
from checkpoint_assets.collection.scenario_file import load_scenario
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets_tests.pages import HERMETIC

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("checkpoint_assets", "checkpoint_assets_tests", "bench", "docs", "deploy")
FILE = re.compile(r"`(?:python )?((?:[\w-]+/)*[\w*-]+\.(?:py|js))`")
COMMAND = re.compile(r"^\$ (?:\w+=\S+ )*(?:\.venv/bin/)?checkpoint ([a-z].+)$", re.MULTILINE)
JOB = re.compile(r"\b\w+_job\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
    named = FILE.findall(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    ours = [name for name in named if name != "my_package.py"]
    lost = [name for name in ours if not any(path.match(name) for path in files)]
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_is_one(page: Path) -> None:
    for shown in COMMAND.findall(page.read_text()):
        for words in re.split(r"; checkpoint |\s*\|\s*", shown)[:2]:
            parse(shlex.split(words, comments=True))


def parse(words: list[str]) -> None:
    """Let click read the words, without doing what they say."""
    group, command = main, main.commands[words[0]]
    if isinstance(command, click.Group):
        group, words = command, words[1:]
        command = group.commands[words[0]]
    command.make_context(words[0], [*words[1:]])


def test_the_runbook_says_what_runs_by_itself_and_whether_it_is_on() -> None:
    repository = build_definitions().get_repository_def()
    there = {
        each.name: "on" if each.default_status.value == "RUNNING" else "off"
        for each in [*repository.sensor_defs, *repository.schedule_defs]
    }
    text = (ROOT / "docs" / "operations.md").read_text()
    assert dict(re.findall(r"^\| `(\w+)` \| (on|off) \|", text, re.MULTILINE)) == there
    named = set(JOB.findall(text))
    assert named - {job.name for job in repository.get_all_jobs()} == set()


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_first_scenario_of_the_page_loads(page: str, tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    path = tmp_path / "price-watch.yaml"
    path.write_text(text)
    assert load_scenario(path).name == "price-watch"


@pytest.mark.browser
def test_the_library_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text()
    (scenario,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (code,) = re.findall(r"```python\n(from checkpoint_assets .*?)```", text, re.DOTALL)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "price-watch.yaml").write_text(scenario)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKPOINT_CHROMIUM_ARGUMENTS", HERMETIC)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102 (it is our own page)
    assert names["manifest"].state == "complete"
    assert names["html"].lower().startswith("<!doctype html>")
    assert names["webp"][8:12] == b"WEBP"
