"""``docs/scenarios.md``: its examples load, and its tables are those of the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.collection.recording import RECORDED_STEPS
from checkpoint_assets.collection.scenario_file import load_scenario
from checkpoint_assets.collection.scenario_reader import (
    COLLECT_KEYS,
    KEYS,
    RETENTION_KEYS,
    VIEWPORT_KEYS,
)
from checkpoint_assets.collection.step_reader import MAX_STEPS, STEP_KEYS
from checkpoint_assets.collection.strict_yaml import MAX_BYTES, plain, read_yaml

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def table(head: str) -> dict[str, list[str]]:
    """Other cells of the table's rows by the words in code in their first cell."""
    rows: dict[str, list[str]] = {}
    for line in PAGE.partition(f"| {head} |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split(" | "))
        rows |= dict.fromkeys(re.findall(r"`(\w+)`", first), others)
    return rows


def examples() -> Iterator[dict[str, Any]]:
    for block in blocks("yaml"):
        yield plain(read_yaml(block))


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_example_loads(block: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    path = tmp_path / "scenario.yaml"
    path.write_text(block)
    scenario = load_scenario(path)
    assert len(scenario.steps) == block.partition("steps:")[2].count("\n  - ")


@pytest.mark.parametrize("block", blocks("json"))
def test_every_recording_loads(block: str, tmp_path: Path) -> None:
    path = tmp_path / "buy-a-pot.json"
    path.write_text(block)
    assert load_scenario(path).description == "Buy a pot"


@pytest.mark.parametrize(
    ("head", "keys"),
    [
        ("key | value | default", KEYS),
        ("key of `viewport` | value | default", VIEWPORT_KEYS),
        ("key of `collect` | value | default", COLLECT_KEYS),
        ("key of `retention` | value", RETENTION_KEYS),
        ("step | keys | alone", tuple(STEP_KEYS)),
        ("recorded step | becomes", tuple(RECORDED_STEPS)),
    ],
)
def test_the_tables_have_what_the_code_knows_and_nothing_else(
    head: str, keys: tuple[str, ...]
) -> None:
    assert sorted(table(head)) == sorted(keys)


def test_the_table_of_steps_names_each_step_s_keys() -> None:
    for kind, (keys, *_) in table("step | keys | alone").items():
        named = set(re.findall(r"`(\w+)`", keys))
        assert set(STEP_KEYS[kind]) <= named, kind  # type: ignore[index]


def test_every_key_of_a_scenario_has_an_example() -> None:
    used = {key for example in examples() for key in example}
    assert used == set(KEYS)
    for group, keys in (
        ("viewport", VIEWPORT_KEYS),
        ("collect", COLLECT_KEYS),
        ("retention", RETENTION_KEYS),
    ):
        assert {key for each in examples() for key in each.get(group, {})} == set(keys)


def test_every_key_of_a_step_has_an_example() -> None:
    used: dict[str, set[str]] = {}
    alone: set[str] = set()
    for example in examples():
        for step in example["steps"]:
            ((kind, words),) = step.items()
            if isinstance(words, dict):
                used.setdefault(kind, set()).update(words)
            else:
                alone.add(kind)
    told = {kind for kind, (_, short) in table("step | keys | alone").items() if short}
    for kind, keys in STEP_KEYS.items():
        if kind in alone:
            assert kind in told
        if kind not in used:
            continue
        # Each key's place is explained in the table; frames work alike everywhere.
        assert used[kind] <= {*keys, "timeout", "label"}
    everywhere = set().union(*used.values())
    assert everywhere >= set().union(*STEP_KEYS.values())
    assert set(STEP_KEYS) == used.keys() | alone


def test_every_recorded_step_has_an_example() -> None:
    used = {step["type"] for block in blocks("json") for step in json.loads(block)["steps"]}
    assert used == set(RECORDED_STEPS)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{MAX_BYTES // 1024} KB and {MAX_STEPS} steps" in PAGE
