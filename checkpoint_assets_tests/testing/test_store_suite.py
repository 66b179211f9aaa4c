"""The conformance suite is public: it runs elsewhere, and it fails stores that break a promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoint_assets_tests.testing.broken_stores import CAUGHT_BY, BrokenStore

ROOT = Path(__file__).parents[2]

# What somebody else would write, for each of the broken stores.
MODULE = """
import pytest
from checkpoint_assets.testing.store_suite import StoreSuite
from checkpoint_assets_tests.testing import broken_stores

class Test{name}(StoreSuite):
    claims = frozenset({{"create_only", "if_match"}})

    @pytest.fixture
    async def store(self):
        yield broken_stores.{name}()
"""


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """(store, test) of each failure; one run of pytest, outside of this project's settings."""
    folder = tmp_path_factory.mktemp("elsewhere")
    chosen: list[str] = []
    for store, test in CAUGHT_BY.items():
        name = store.__name__
        module = folder / f"test_{name}.py"
        module.write_text(MODULE.format(name=name))
        chosen.append(f"{module}::Test{name}::{test}")
    command = [
        *(sys.executable, "-m", "pytest", "-q", "--tb=no", "-rf"),
        *("-c", "/dev/null", "-o", "asyncio_mode=auto", "-p", "no:cacheprovider"),
    ]
    done = subprocess.run(
        [*command, *chosen], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    return set(re.findall(r"FAILED \S*?::Test(\w+)::(\w+)", done.stdout))


@pytest.mark.parametrize(("store", "test"), CAUGHT_BY.items())
def test_store_that_breaks_a_promise_fails_the_suite(
    failures: set[tuple[str, str]], store: type[BrokenStore], test: str
) -> None:
    assert (store.__name__, test) in failures
