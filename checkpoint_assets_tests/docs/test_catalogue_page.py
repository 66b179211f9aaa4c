"""The catalogue page cannot rot: its examples run, and it names all there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.catalogue.columns import SESSIONS, STEPS

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = "\n".join(examples).replace("file:///tmp/checkpoints", tmp_path.as_uri())
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 (it is our own page)


def test_every_method_has_its_example() -> None:
    methods = {name for name in vars(SyncCatalogue) if not name.startswith("_")}
    text = PAGE.read_text()
    assert {name for name in methods if f"catalogue.{name}(" not in text} == {"asynchronous"}


def test_every_column_is_in_a_table() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    assert {*STEPS.names, *SESSIONS.names} <= named
