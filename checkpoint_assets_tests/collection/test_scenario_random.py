"""Whatever is in a file, loading it ends with a scenario or with ``InvalidScenario``, soon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.collection.scenario_reader import KEYS
from checkpoint_assets.collection.steps import STEP_KINDS
from checkpoint_assets.model.errors import InvalidScenario

EVERYTHING = (Path(__file__).parent / "scenario_fixtures" / "everything.yaml").read_text()
WORDS = (
    *KEYS,
    *STEP_KINDS,
    *("selector", "text", "secret", "url", "width", "every", "on", "keep_for", "x", "frame"),
)
SNIPPETS = st.sampled_from(
    [
        *WORDS,
        *(": ", "- ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "#", "|\n", ">-\n", "? "),
        *('"', "'", "\\", "&a", "*a", "!", "!!", "%", "@", "`", "---\n", "...\n", "\t", "\r"),
        *("no", "012", "1:30", "2024-01-01", ".nan", "${user}", "$${", "\ufeff", "\x85", "\u2028"),
        *('"\\x00"', '"\\ud800"', '"\\U00110000"', "%YAML 1.1\n", "%TAG ! x\n", "\x00", "\ud800"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=15,
)


def parse(text: str) -> None:
    try:
        parse_scenario(text, path=Path(__file__).parent / "scenario_fixtures" / "random.yaml")
    except InvalidScenario as err:
        # Plain checks, so that a failed one is told from what parsing raised.
        if err.path is None or not 1 <= (err.line or 1) <= len(text) + 2:
            raise RuntimeError(f"path {err.path!r}, line {err.line!r}") from err


@given(st.text())
@settings(deadline=None)
def test_random_text_raises_nothing_else(text: str) -> None:
    parse(text)


@given(st.lists(SNIPPETS | st.text(max_size=5), max_size=30).map("".join))
@settings(deadline=None, max_examples=300)
def test_random_pieces_of_yaml_raise_nothing_else(text: str) -> None:
    parse(text)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
@settings(deadline=None)
def test_random_values_of_known_keys_raise_nothing_else(document: dict[str, object]) -> None:
    parse(json.dumps({"name": "a", "site": "demo", **document}))


@given(st.lists(st.dictionaries(st.sampled_from(STEP_KINDS), VALUES, max_size=1), max_size=4))
@settings(deadline=None)
def test_random_steps_raise_nothing_else(steps: list[dict[str, object]]) -> None:
    parse(json.dumps({"name": "a", "site": "demo", "steps": steps}))


@given(st.integers(0, len(EVERYTHING)), st.integers(0, 40), SNIPPETS)
@settings(deadline=None)
def test_good_file_with_a_random_change_raises_nothing_else(
    at: int, length: int, insert: str
) -> None:
    parse(EVERYTHING[:at] + insert + EVERYTHING[at + length :])


def test_loading_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, checkpoint_assets.collection.scenario_file;"
        "heavy = {'dagster', 'playwright', 'pandas', 'obstore', 'boto3'} & sys.modules.keys();"
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
