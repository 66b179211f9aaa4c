"""The processing page cannot rot: its examples run, and it names all there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkpoint_assets.config import Settings
from checkpoint_assets.processing import dom, pixels
from checkpoint_assets.processing.standard import STANDARD_PROCESSORS
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets_tests.processing.steps import two_steps

PAGE = Path(__file__).parents[2] / "docs" / "processing.md"


def test_every_example_runs(tmp_path: Path) -> None:
    last = two_steps()
    with SyncStorageManager(tmp_path.as_uri()) as storage:
        for each in (last.previous, last):
            assert each is not None
            storage.store_step_data("session-1", each.step_id, each.html, each.screenshot)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = "\n".join(examples).replace("file:///tmp/checkpoints", tmp_path.as_uri())
    exec(compile(code, str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102 (it is our own page)


@pytest.mark.parametrize("processor", STANDARD_PROCESSORS, ids=lambda each: each.name)
def test_the_table_names_every_processor_with_its_columns_and_files(processor: type) -> None:
    (row,) = re.findall(rf"^\| `{processor.name}` \|(.*)\|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    made = processor().derive(two_steps())

    assert re.findall(r"`(\S+)`", row[0]) == list(processor.columns)
    assert re.findall(r"`(\S+)`", row[1]) == list(made.files)
    assert set(made.columns) == set(processor.columns)


def test_the_limits_are_those_of_the_code() -> None:
    text = PAGE.read_text()

    assert f"more than {dom.MOST_ELEMENTS:,} elements" in text
    assert f"more than {dom.MOST_DEPTH:,} deep" in text
    assert f"more than {dom.MOST_CHARACTERS // 1_000_000} million characters" in text
    assert f"more than {dom.SECONDS:.0f} seconds" in text
    assert f"more than {pixels.MOST_PIXELS // 1_000_000} million pixels" in text


def test_the_setting_has_the_name_that_the_page_gives_it() -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)

    assert "processors = [" in toml
    assert "processors" in Settings.model_fields
