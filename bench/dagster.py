"""What Dagster costs: a session through it against the library alone, and what grows with time.

    python bench/dagster.py --sessions 1,10,100 --scenarios 5000

Sessions are of one small page on this machine, in a real Chromium that is warm. Dagster is in this
process, on SQLite: without the five seconds that its queue and a process of its own cost a run.
CPU is that of this process and all below it. Rates depend on the machine and on what else it does.
The plan of the retention over 1M rows, against listing, is in ``bench/catalogue.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

# This file is called like what it measures: its folder is looked into last.
sys.path.append(sys.path.pop(0))

import dagster as dg
from capture import FROM_HERE, tree_cpu
from measuring import Row, print_rows

from checkpoint_assets.collection.blocking import SyncBrowserPool, SyncDataCollector
from checkpoint_assets.config import Settings
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets.defs.capture_runs import register_scenarios
from checkpoint_assets.defs.inbox import scenario_inbox
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.defs.schedules import scenario_schedule
from checkpoint_assets.testing.sites import open_site

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
NOTE = "name: {name}\nsite: pages\nsteps:\n  - goto: /note.html\n"
PAGE = "<!doctype html><title>A note</title><h1>Tea</h1><p>The kettle is on.</p>"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["capture_session"]}) { ... on AssetNode {
  partitionStats { numMaterialized numPartitions }
  assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions } } } } }"""
SCENARIOS = """{ assetNodeOrError(assetKey: {path: ["capture_session"]}) { ... on AssetNode {
  partitionKeyConnection(limit: 100, ascending: true) { results } } } }"""
LOADED = """{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }"""


class Bench:
    """A folder of scenarios, a store, and an instance of Dagster on disk."""

    def __init__(self, folder: Path, scenarios: int) -> None:
        self.names = [f"note-{number:05}" for number in range(scenarios)]
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        scenario_folder = folder / "scenarios"
        (scenario_folder / "pages").mkdir(parents=True)
        (scenario_folder / "pages" / "note.html").write_text(PAGE)
        for name in self.names:
            (scenario_folder / f"{name}.yaml").write_text(NOTE.format(name=name))
        self.settings = Settings(
            scenarios=scenario_folder,
            storage_url=(folder / "store").as_uri(),
            chromium_arguments=(FROM_HERE,),
        )

    def environment(self) -> dict[str, str]:
        """For a process of its own."""
        return {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "CHECKPOINT_SCENARIOS": str(self.settings.scenarios),
            "CHECKPOINT_STORAGE_URL": str(self.settings.storage_url),
        }


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds on the clock, and of CPU."""
    cpu, began = tree_cpu(), time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000, tree_cpu() - cpu


def median(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def sessions(bench: Bench, instance: dg.DagsterInstance, counts: list[int]) -> list[Row]:
    """The cost of one session both ways, and rates of many in one run."""
    rows: list[Row] = []
    with SyncBrowserPool(bench.settings) as browsers:
        setup = CaptureSetup(bench.settings, open_site, browsers=browsers)
        job = build_definitions(bench.settings, overrides={"setup": setup}).resolve_job_def(
            "capture_job"
        )
        scenarios = setup.look().select(bench.names[: max(counts)])

        def run(**partitions: Any) -> None:
            result = job.execute_in_process(instance=instance, run_config=QUIET, **partitions)
            assert result.success

        def one() -> None:
            run(partition_key=bench.names[0])

        def many(count: int) -> None:
            ends = {"start": bench.names[0], "end": bench.names[count - 1]}
            run(tags={f"dagster/asset_partition_range_{k}": name for k, name in ends.items()})

        with SyncDataCollector(
            {"type": "local", "path": bench.settings.storage_url[7:]},
            settings=bench.settings,
            browsers=browsers,
            open_site=open_site,
        ) as collector:
            limits = bench.settings.browsers

            def alone(count: int) -> None:
                each = collector.capture_each(
                    scenarios[:count], at_once=limits.size * limits.sessions
                )
                assert all(captured.manifest for captured in each)

            alone(1)
            one()
            library, dagster = [], []
            for _ in range(ROUNDS):
                library.append(spent(lambda: alone(1)))
                dagster.append(spent(one))
            wall, cpu = median(library)
            rows.append(
                Row("a session, the library alone", f"{wall:.0f} ms, CPU {cpu:.0f} ms", "-", True)
            )
            own_wall, own_cpu = median(dagster)
            rows.append(
                Row("a session as a run", f"{own_wall:.0f} ms, CPU {own_cpu:.0f} ms", "-", True)
            )
            for count in counts:
                wall, _ = spent(lambda count=count: alone(count))
                own, _ = spent(lambda count=count: many(count))
                rates = f"{count * 60_000 / own:.0f} ({count * 60_000 / wall:.0f})"
                rows.append(Row(f"sessions a minute, {count} in a run (library)", rates, "-", True))
            later, later_cpu = median([spent(one) for _ in range(ROUNDS)])
            rows.append(
                Row(
                    f"a session as a run, {2 * sum(counts)} sessions later",
                    f"{later:.0f} ms, CPU {later_cpu:.0f} ms",
                    "<= 1.5x CPU",
                    later_cpu <= 1.5 * own_cpu,
                )
            )
    return rows


def ticks(bench: Bench, instance: dg.DagsterInstance) -> list[Row]:
    """What the sensor and the schedule take that look at all scenarios."""
    setup = CaptureSetup(bench.settings, open_site)
    cursor: str | None = None

    def tick() -> None:
        nonlocal cursor
        result = scenario_inbox(dg.build_sensor_context(instance, cursor=cursor), setup=setup)
        if isinstance(result, dg.SensorResult):
            cursor = result.cursor

    def schedule() -> None:
        now = datetime.now(UTC)
        scenario_schedule(
            dg.build_schedule_context(instance, scheduled_execution_time=now), setup=setup
        )

    count = len(bench.names)
    found = {"first tick": spent(tick), "tick, nothing new": spent(tick)}
    (bench.settings.scenarios / f"{bench.names[0]}.yaml").write_text(
        NOTE.format(name=bench.names[0]) + "  - hover: p\n"
    )
    found["tick, one changed"] = spent(tick)
    found["schedule tick"] = spent(schedule)
    # A tick is given a minute.
    return [
        Row(f"{what}, {count} scenarios", f"{wall:.0f} ms", "<= 60 s", wall < 60_000)
        for what, (wall, _) in found.items()
    ]


@contextmanager
def webserver(bench: Bench) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Dagster's webserver in a process of its own; asks it GraphQL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def ask(query: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (our own)
            return json.load(answer)["data"]

    command = [sys.executable, "-m", "dagster_webserver", "-p", str(port), "-w", "workspace.yaml"]
    process = subprocess.Popen(
        [*command, "-h", "127.0.0.1"],
        cwd=ROOT,
        env=bench.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError, HTTPException):
                entries = ask(LOADED)["workspaceOrError"]["locationEntries"]
                if [each["loadStatus"] for each in entries] == ["LOADED"]:
                    break
            time.sleep(0.3)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def ui(bench: Bench) -> list[Row]:
    """What the UI asks about the scenarios, answered by its webserver."""
    rows: list[Row] = []
    with webserver(bench) as ask:
        asked = {"100 names of": SCENARIOS, "the states of all of": PARTITIONS}
        for what, query in asked.items():
            ask(query)
            wall, _ = median([spent(lambda query=query: ask(query)) for _ in range(ROUNDS)])
            what = f"UI, {what} {len(bench.names)} scenarios"
            rows.append(Row(what, f"{wall:.0f} ms", "<= 1000 ms", wall <= 1000))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", default="1,10,100", help="how many in one run")
    parser.add_argument("--scenarios", type=int, default=5000)
    arguments = parser.parse_args()
    counts = [int(each) for each in arguments.sessions.split(",")]
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), max(arguments.scenarios, *counts, 1))
        with dg.DagsterInstance.from_config(str(bench.home)) as instance:
            register_scenarios(instance, bench.names)
            rows = [*sessions(bench, instance, counts), *ticks(bench, instance)]
        rows += ui(bench)
    print_rows(rows)
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
