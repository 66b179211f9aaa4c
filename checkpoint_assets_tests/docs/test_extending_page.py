"""What the page about extending says works: alone, and in the Dagster graph by configuration."""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import dagster as dg
import pytest

from checkpoint_assets import interfaces
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.processing.captured_step import CapturedStep
from checkpoint_assets.testing import mocks
from checkpoint_assets.testing.contract_suites import DataSourceSuite, ProcessorSuite
from checkpoint_assets_tests.defs.project import NOTE, Project

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
NAME = "extensions_of_the_docs"


@pytest.fixture(scope="module")
def extensions() -> Iterator[ModuleType]:
    """The code of the page as a module that can be imported."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    module = ModuleType(NAME)
    sys.modules[NAME] = module
    exec(compile(code, str(PAGE), "exec"), module.__dict__)  # noqa: S102 (it is our own page)
    yield module
    del sys.modules[NAME]


def test_each_class_has_less_than_forty_lines() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (lines,) = re.findall(r"^class .*?(?=^\S|\Z)", block, re.DOTALL | re.MULTILINE)
        assert len(lines.strip().splitlines()) < 40


def test_every_contract_is_in_the_table_with_its_mock() -> None:
    rows = dict(re.findall(r"^\| `(I\w+)` \| .* \| `(Mock\w+)` \|", PAGE.read_text(), re.MULTILINE))
    contracts = {name for name in vars(interfaces) if re.match("I[A-Z]", name)}
    assert set(rows) == contracts
    for contract, mock in rows.items():
        assert isinstance(getattr(mocks, mock)(), getattr(interfaces, contract))


@pytest.mark.browser
@pytest.mark.dagster
def test_a_processor_and_a_backend_plug_in_by_configuration(
    extensions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions.TitleTable, "path", str(tmp_path / "titles.db"))
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path / "project", instance)
        project.settings = project.settings.model_copy(
            update={"processors": (f"{NAME}:ShoutCount",), "backends": (f"{NAME}:TitleTable",)}
        )
        project.setup = CaptureSetup(project.settings, project.setup.open_site)
        (project.scenarios / "pages" / "note.html").write_text("<title>A note</title>Tea! Tea!")
        name = project.add(NOTE)
        assert project.capture(name).success
        with sqlite3.connect(extensions.TitleTable.path) as table:
            ((key, title),) = table.execute("select id, title from titles").fetchall()
        assert (key.partition("/")[2], title) == ("0001-goto", "A note")
        result = project.materialize(names=["step_features"], key=name)
        assert result.success
        frame = result.output_for_node("step_features")
        assert list(frame["shouts"]) == [2]


class TestTheSourceOfThePage(DataSourceSuite):
    @pytest.fixture
    def source(self, extensions: ModuleType) -> interfaces.IDataSource:
        return extensions.Letters("tea")


async def test_its_steps_are_stored(extensions: ModuleType) -> None:
    steps = await extensions.spell("pot", "memory://pot")
    assert steps == ["0001-letter", "0002-letter", "0003-letter"]


class TestTheProcessorOfThePage(ProcessorSuite):
    @pytest.fixture
    def processor(self, extensions: ModuleType) -> interfaces.IProcessor:
        return extensions.ShoutCount()

    @pytest.fixture
    def good(self) -> CapturedStep:
        return CapturedStep("s1", "0001-goto", html="<p>Tea!")
