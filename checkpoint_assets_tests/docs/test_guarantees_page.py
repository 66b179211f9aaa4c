"""The tests that the guarantees page names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text()
NAMES = re.compile(r"`((?:test|assert)_\w+)`")


def test_every_named_test_exists() -> None:
    # The conformance suites are part of the package: somebody else's store can run them.
    folders = (ROOT / "checkpoint_assets_tests", ROOT / "checkpoint_assets/testing/suites")
    sources = (source.read_text() for folder in folders for source in folder.rglob("*.py"))
    defined = {name for source in sources for name in re.findall(r"def (\w+)\(", source)}
    assert set(NAMES.findall(PAGE)) - defined == set()


@pytest.mark.parametrize("number", range(1, 11))
def test_every_guarantee_names_a_test_that_proves_it(number: int) -> None:
    (row,) = re.findall(rf"^\| I{number} \|.*$", PAGE, re.MULTILINE)
    assert NAMES.findall(row)
