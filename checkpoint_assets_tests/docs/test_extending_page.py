"""What the page about extending says works: alone, and in the Dagster graph by configuration."""

from __future__ import annotations

import pkgutil
import re
import sqlite3
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from inspect import isclass, iscoroutinefunction
from pathlib import Path
from types import ModuleType

import dagster as dg
import grimp
import pytest
from typing_extensions import is_protocol

from checkpoint_assets import interfaces
from checkpoint_assets.collection.plugged_source import SourceRequest
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.processing.captured_step import CapturedStep
from checkpoint_assets.testing import mocks
from checkpoint_assets.testing.contract_suites import (
    DataSourceSuite,
    ProcessorSuite,
    StorageBackendSuite,
)
from checkpoint_assets_tests.children import descendants, started_since
from checkpoint_assets_tests.defs.project import NOTE, Project, failure

ROOT = Path(interfaces.__file__).parent
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


def block(language: str) -> str:
    """The one block of the page in this language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return found


def test_each_class_has_less_than_forty_lines() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        (lines,) = re.findall(r"^class .*?(?=^\S|\Z)", block, re.DOTALL | re.MULTILINE)
        assert len(lines.strip().splitlines()) < 40


CONTRACTS = {name: each for name, each in vars(interfaces).items() if re.match("I[A-Z]", name)}
LAYERS = ("collection", "processing", "storage", "runtime")


def table() -> dict[str, tuple[str, str, str]]:
    """Real parts, mock and use by contract, as the page has them."""
    rows = re.findall(
        r"^\| `(I\w+)` \| (.*) \| `(Mock\w+)` \| (.*) \|", PAGE.read_text(), re.MULTILINE
    )
    return {contract: (real, mock, use) for contract, real, mock, use in rows}


def keeps(candidate: type, contract: type) -> bool:
    """Whether a class has the methods of the contract, coroutines where it has coroutines."""
    names = [name for name, each in vars(contract).items() if callable(each) and name[0] != "_"]
    return all(
        callable(own := getattr(candidate, name, None))
        and iscoroutinefunction(own) == iscoroutinefunction(getattr(contract, name))
        for name in names
    )


def real_parts() -> dict[str, dict[str, str]]:
    """The classes of the package that keep a contract, each with its module, by contract."""
    found: dict[str, dict[str, str]] = {name: {} for name in CONTRACTS}
    for layer in LAYERS:
        for info in pkgutil.walk_packages([ROOT / layer], f"checkpoint_assets.{layer}."):
            module = import_module(info.name)
            for name, each in vars(module).items():
                # StepProcessor is what ours have in common, and does nothing by itself.
                if not isclass(each) or each.__module__ != info.name or name == "StepProcessor":
                    continue
                for contract, protocol in CONTRACTS.items():
                    if name[0] != "_" and not is_protocol(each) and keeps(each, protocol):
                        found[contract][name] = info.name
    return found


def test_the_table_has_every_contract_with_its_real_parts_and_its_mock() -> None:
    assert set(table()) == set(CONTRACTS)
    parts = real_parts()
    for contract, (real, mock, _) in table().items():
        assert set(re.findall(r"`(\w+)`", real)) == set(parts[contract]), contract
        assert isinstance(getattr(mocks, mock)(), CONTRACTS[contract])


def test_what_the_table_says_of_dagster_is_there_and_reaches_a_real_part() -> None:
    definitions = build_definitions(Settings())
    names = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    names |= set(definitions.resources or {})
    names |= {job.name for job in definitions.resolve_all_job_defs()}
    graph = grimp.build_graph("checkpoint_assets")
    parts = real_parts()
    for contract, (_, _, use) in table().items():
        named = set(re.findall(r"`(\w+)`", use))
        assert named, contract
        assert named <= names, contract
        reached = [
            part
            for part, module in parts[contract].items()
            if graph.chain_exists("checkpoint_assets.definitions", module)
        ]
        assert reached, contract


@pytest.mark.browser
@pytest.mark.dagster
def test_a_processor_and_a_backend_plug_in_by_configuration(
    extensions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions.PageTable, "path", str(tmp_path / "pages.db"))
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path / "project", instance)
        project.settings = project.settings.model_copy(
            update={"processors": (f"{NAME}:ShoutCount",), "backends": (f"{NAME}:PageTable",)}
        )
        project.setup = CaptureSetup(project.settings, project.setup.open_site)
        (project.scenarios / "pages" / "note.html").write_text("<title>A note</title>Tea! Tea!")
        name = project.add(NOTE)
        assert project.capture(name).success
        with closing(sqlite3.connect(extensions.PageTable.path)) as table:
            ((key, page),) = table.execute("select id, page from pages").fetchall()
        assert key.partition("/")[2] == "0001-goto"
        assert b"Tea! Tea!" in page
        result = project.materialize(names=["step_features"], key=name)
        assert result.success
        frame = result.output_for_node("step_features")
        assert list(frame["shouts"]) == [2]


@pytest.mark.dagster
@pytest.mark.usefixtures("extensions")
def test_a_source_plugs_in_by_configuration_and_starts_no_browser(tmp_path: Path) -> None:
    before = descendants()
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path, instance)
        (reference,) = tomllib.loads(block("toml"))["sources"].items()
        assert reference == ("letters", "mine.sources:Letters")
        update = {"sources": {"letters": f"{NAME}:Letters"}}
        project.settings = project.settings.model_copy(update=update)
        project.setup = CaptureSetup(project.settings, project.setup.open_site)
        name = project.add(block("yaml"))
        result = project.capture(name)
        assert result.success, failure(result)
        assert not started_since(before, "chrom")
        (session,) = project.sessions()
        assert session.state is SessionState.COMPLETE
        assert session.steps == ["0001-spell", "0002-spell", "0003-spell"]
        assert session.source == "plugin:letters"
        features = project.materialize(names=["step_features"], key=name)
        assert features.success, failure(features)
        assert list(features.output_for_node("step_features")["page_title"]) == ["t", "e", "a"]
        catalogue = project.materialize(names=["step_catalog"])
        assert catalogue.success, failure(catalogue)
        assert list(catalogue.output_for_node("step_catalog")["action"]) == ["spell"] * 3


class TestTheSourceOfThePage(DataSourceSuite):
    @pytest.fixture
    def source(self, extensions: ModuleType) -> interfaces.IDataSource:
        return extensions.Letters(SourceRequest(parse_scenario(block("yaml"))))


class TestTheBackendOfThePage(StorageBackendSuite):
    @pytest.fixture
    def backend(
        self, extensions: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> interfaces.IStorageBackend:
        monkeypatch.setattr(extensions.PageTable, "path", str(tmp_path / "pages.db"))
        return extensions.PageTable()


class TestTheProcessorOfThePage(ProcessorSuite):
    @pytest.fixture
    def processor(self, extensions: ModuleType) -> interfaces.IProcessor:
        return extensions.ShoutCount()

    @pytest.fixture
    def good(self) -> CapturedStep:
        return CapturedStep("s1", "0001-goto", html="<p>Tea!")
