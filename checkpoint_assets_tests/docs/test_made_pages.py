"""The pages that are made from the code are those of the code, and say all there is."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from checkpoint_assets.config import Settings
from checkpoint_assets.model import errors
from checkpoint_assets_tests.processes import CHECKPOINT

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAMES = ("configuration.md", "cli.md", "api.md")
VARIABLE = re.compile(r'"((?:SM|CHECKPOINT|BROWSERBASE|DAGSTER)_[A-Z0-9_]*[A-Z0-9])_?"')


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_as_the_code_makes_it(generate: ModuleType, name: str) -> None:
    fresh = generate.pages()[DOCS / name]
    assert (DOCS / name).read_text() == fresh, "run `python docs/generate.py`"


def test_every_public_error_is_in_the_list() -> None:
    page = (DOCS / "api.md").read_text()
    named = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert {name for name in named if f"| `{name}` |" not in page} == set()


def test_every_variable_that_the_code_reads_is_explained() -> None:
    sources = [ROOT / "dagster.yaml", *(ROOT / "checkpoint_assets").rglob("*.py")]
    read = {name for path in sources for name in VARIABLE.findall(path.read_text())}
    page = (DOCS / "configuration.md").read_text()
    assert "SM_SPOOL_PATH" in read
    assert {name for name in read if f"`{name}" not in page} == set()


def test_the_example_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", (DOCS / "configuration.md").read_text(), re.DOTALL)
    (tmp_path / "checkpoint.toml").write_text(toml)
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.timeouts.settle == 5
    assert [rule.name for rule in settings.retention] == ["quarter"]


def test_bash_completes_commands_and_options() -> None:
    line = re.search(
        r'eval "\$\(_CHECKPOINT_COMPLETE=bash_source.*\)"', (DOCS / "cli.md").read_text()
    )
    assert line is not None
    script = f"""{line.group()}
    complete -p checkpoint
    COMP_WORDS=(checkpoint re); COMP_CWORD=1; _checkpoint_completion checkpoint; echo "${{COMPREPLY[@]}}"
    COMPREPLY=(); COMP_WORDS=(checkpoint ls --st); COMP_CWORD=2; _checkpoint_completion checkpoint; echo "${{COMPREPLY[@]}}"
    """
    path = f"{Path(CHECKPOINT).parent}:{os.environ['PATH']}"
    told = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    _, commands, options = told.stdout.splitlines()
    assert commands.split() == ["report", "restore", "retain"]
    assert options.split() == ["--state", "--store"]
