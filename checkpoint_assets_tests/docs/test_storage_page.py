"""The storage page cannot rot: its examples run, and it names all there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from checkpoint_assets.model import errors
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.storage_manager import StorageManager

PAGE = Path(__file__).parents[2] / "docs" / "storage.md"


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(examples()).replace("file:///tmp/checkpoints", tmp_path.as_uri())
    exec(compile(code, str(PAGE), "exec"), {})  # noqa: S102 (it is our own page)


def test_every_method_has_its_example() -> None:
    methods = {
        name
        for name, value in inspect.getmembers(StorageManager)
        if not name.startswith("_") and callable(value)
    }
    assert methods <= {*dir(SyncStorageManager)}
    text = PAGE.read_text()
    missing = {name for name in methods if f"storage.{name}(" not in text}
    assert missing == {"sync_lifecycle_rules"}  # shown in prose: it needs a bucket
    assert "`sync_lifecycle_rules(" in text


def test_every_argument_of_the_constructor_is_in_the_table() -> None:
    table = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE))
    arguments = set(inspect.signature(StorageManager).parameters)
    seams = {"store", "clock", "environment", "spool_listener"}
    assert arguments - seams <= table


def test_every_storage_error_is_explained() -> None:
    text = PAGE.read_text()
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.StorageManagerError):
            assert f"`{name}`" in text or name == "StorageManagerError"
