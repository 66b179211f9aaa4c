"""The tests that the guarantees page names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`((?:test|assert)_\w+)`", (ROOT / "docs/guarantees.md").read_text()))
    sources = (ROOT / "checkpoint_assets_tests").rglob("*.py")
    defined = {name for each in sources for name in re.findall(r"def (\w+)\(", each.read_text())}
    assert named
    assert named <= defined
