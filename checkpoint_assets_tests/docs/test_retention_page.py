"""The retention page cannot rot: its examples run, and it names all there is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from checkpoint_assets.retention.blocking import SyncRetention
from checkpoint_assets.retention.policy import Policy

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = "\n".join(examples).replace("file:///tmp/checkpoints", tmp_path.as_uri())
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 (it is our own page)


def test_every_method_has_its_example() -> None:
    methods = {name for name in vars(SyncRetention) if not name.startswith("_")}
    text = PAGE.read_text()
    assert {name for name in methods if f"retention.{name}(" not in text} == set()


def test_every_rule_is_in_the_table() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text()))
    assert {field.name for field in fields(Policy)} - {"name"} <= named
