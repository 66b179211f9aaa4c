"""``checkpoint dev`` as a program of its own, and what its webserver says over GraphQL."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self

from checkpoint_assets_tests.pages import HERMETIC
from checkpoint_assets_tests.processes import CHECKPOINT, Program

VISIT = """\
name: shop-visit
site: demo
steps:
  - goto: /
  - fill: {selector: "#q", text: cup}
  - press: {selector: "#q", key: Enter}
  - expect: {selector: "#result-count", text: 4 products}
"""
SECOND = """\
name: shop-workshop
site: demo
steps:
  - goto: /workshop
"""
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename } } } } }"""
_RUNS = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"

_BACKFILLS = """{ partitionBackfillsOrError { ... on PartitionBackfills {
  results { id status } } } }"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DagsterDev:
    """Runs until the block ends."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = folder / "store"
        scenarios = folder / "scenarios"
        scenarios.mkdir()
        (scenarios / "shop-visit.yaml").write_text(VISIT)
        (scenarios / "shop-workshop.yaml").write_text(SECOND)
        self.program = Program(
            [CHECKPOINT, "dev", "--port", str(self.port)],
            {
                "DAGSTER_HOME": str(folder / "home"),
                "SM_LOCAL_BASE_PATH": str(self.store),
                "CHECKPOINT_SCENARIOS": str(scenarios),
                "CHECKPOINT_CHROMIUM_ARGUMENTS": HERMETIC,
            },
        )

    def wait_until_loaded(self) -> None:
        """Until the webserver answers and has loaded the code location."""

        def loaded() -> bool:
            entries = self.query(_LOCATIONS)["workspaceOrError"]["locationEntries"]
            return [entry["loadStatus"] for entry in entries] == ["LOADED"]

        self._wait(loaded, "the code location is not loaded")

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        return self.query(_RUNS)["runsOrError"]["results"]

    def wait_for_run(self) -> dict[str, Any]:
        """The newest run, once it has ended."""
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        self._wait(lambda: bool(self.runs()) and self.runs()[0]["status"] in ended, "no run ended")
        return self.runs()[0]

    def wait_for_backfill(self) -> None:
        """Until a backfill has been begun and all have ended."""

        def ended() -> bool:
            found = self.query(_BACKFILLS)["partitionBackfillsOrError"]["results"]
            return bool(found) and all(each["status"].startswith("COMPLETED") for each in found)

        self._wait(ended, "no backfill ended")

    def query(self, graphql: str) -> dict[str, Any]:
        """What the webserver answers."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": graphql}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]

    def _wait(self, condition: Callable[[], bool], otherwise: str, seconds: float = 150) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.program.process.poll() is None, self.program.output
            try:
                if condition():
                    return
            except (OSError, HTTPException):
                pass  # it does not listen yet
            time.sleep(0.3)
        raise AssertionError(f"{otherwise}:\n{self.program.output}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.program.__exit__(*error)
