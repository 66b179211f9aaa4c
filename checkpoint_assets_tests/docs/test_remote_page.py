"""What the page on remote sessions tells to type does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoint_assets import load_scenario
from checkpoint_assets.collection.browser.document_gate import NOT_FILTERED
from checkpoint_assets.config import Browserbase
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets.testing.local_browserbase.faults import Fault

PAGE = Path(__file__).parents[2] / "docs" / "remote.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.browser
@pytest.mark.dagster
def test_without_an_account_three_lines_are_enough(tmp_path: Path) -> None:
    _, without = blocks("sh")
    assert len(without.splitlines()) <= 3
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {name: each for name, each in os.environ.items() if not name.startswith("SM_")}
    done = subprocess.run(
        ["bash", "-euc", without],
        cwd=tmp_path,
        env={**kept, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with SyncStorageManager(local_base_path=str(tmp_path / ".storage_data")) as storage:
        (session_id,) = storage.iter_sessions()
        manifest = storage.get_manifest(session_id)
    assert (manifest.state, manifest.source, len(manifest.steps)) == ("complete", "browserbase", 1)


def test_with_an_account_five_lines_are_enough(tmp_path: Path) -> None:
    script, _ = blocks("sh")
    *prepare, capture = script.splitlines()
    assert len(prepare) < 5
    subprocess.run(["bash", "-euc", "\n".join(prepare)], cwd=tmp_path, check=True)
    scenario = load_scenario(tmp_path / "scenarios" / "there.yaml")
    # The capture itself differs from the one above by the server alone.
    assert capture == f"checkpoint capture {scenario.name}"
    assert scenario.source == "browserbase"


def test_the_server_s_example_runs() -> None:
    code = next(each for each in blocks("python") if "LocalBrowserbase" in each)
    found: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), found)  # noqa: S102 (it is our own page)
    server = found["server"]
    assert isinstance(server, LocalBrowserbase)
    assert all(isinstance(each, Fault) for each in server.pending_faults())
    assert len(server.pending_faults()) == 2


def test_everything_that_has_to_do_with_it_is_named() -> None:
    text = PAGE.read_text()
    defined = build_definitions()
    names = [
        *(each.name for each in defined.jobs or () if "browserbase" in each.name),
        *(each.name for each in defined.sensors or () if "browserbase" in each.name),
        *(each.name for each in defined.schedules or () if "browserbase" in each.name),
    ]
    assert len(names) == 4
    for name in (*names, "browserbase", "stagehand"):
        assert f"`{name}`" in text
    for name in Browserbase.model_fields:
        assert f"__{name.upper()}`" in text, name
    for what in NOT_FILTERED:
        assert what.split()[-1].strip(",") in text
