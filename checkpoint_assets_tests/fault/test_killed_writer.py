"""A writer process that is killed: nothing torn is visible, and what it was promised is there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Entry, Ledger
from checkpoint_assets_tests.fault.scale import printed_seed, scaled
from checkpoint_assets_tests.fault.writer_process import client, content

pytestmark = pytest.mark.fault

ROUNDS = scaled(8, 100)
# A writer is killed after so many lines in its ledger at most, and up to so many seconds more: a
# step takes some milliseconds, so the kill hits any part of it.
MOST_LINES = 16
LONGEST_REST = 0.01
PATIENCE = 60


class Writers:
    """Starts writers, and kills each after it has lived for a while."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "checkpoint_assets_tests.fault.writer_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run_and_kill(self, order: dict[str, str], lines: int, rest: float) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        ledger = Path(order["ledger"])
        ledger.touch()
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        pid = int(self._parent.stdout.readline())
        deadline = time.monotonic() + PATIENCE
        while ledger.read_text().count("\n") < lines:
            assert time.monotonic() < deadline, "the writer does not go on"
            time.sleep(0.001)
        time.sleep(rest)
        os.kill(pid, signal.SIGKILL)
        assert int(self._parent.stdout.readline()) == -signal.SIGKILL

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(PATIENCE)
        self._parent.stdout.close()


@pytest.fixture(scope="module")
def writers() -> Iterator[Writers]:
    writers = Writers()
    yield writers
    writers.close()


def told(session: str, path: Path) -> Ledger:
    """What the writer was promised, from the file that it wrote."""
    ledger = Ledger()
    stored: dict[str, Entry] = {}
    removed: dict[str, Entry] = {}
    for line in path.read_text().splitlines():
        what, _, step = line.partition(" ")
        if what == "stored":
            stored[step] = ledger.begin("store", (session, step), content(session, step))
            ledger.end(stored[step])
        elif what == "deleting":
            removed[step] = ledger.begin("remove", (session, step))
        elif what == "deleted":
            ledger.end(removed[step])
    return ledger


async def assert_kept(manager: StorageManager, ledger: Ledger, session: str) -> int:
    """The guarantees hold for the session; returns how many of its steps are there."""
    steps = await manager.list_steps_for_session(session)
    for step in steps:
        if (session, step) not in ledger.steps():
            # It was being written. Whole or invisible: what is visible has to be what was meant.
            ledger.begin("store", (session, step), content(session, step))
    await assert_invariants(manager, ledger, sessions=[session])
    return len(steps)


async def kill_many(
    writers: Writers, manager: StorageManager, order: dict[str, str], folder: Path
) -> None:
    chance = random.Random(printed_seed())
    visible = acknowledged = 0
    ledgers: dict[str, Ledger] = {}
    for number in range(ROUNDS):
        session = f"killed-{number:03d}"
        path = folder / f"{session}.ledger"
        lines, rest = chance.randint(1, MOST_LINES), chance.uniform(0, LONGEST_REST)
        writers.run_and_kill({**order, "session": session, "ledger": str(path)}, lines, rest)
        ledgers[session] = told(session, path)
        visible += await assert_kept(manager, ledgers[session], session)
        acknowledged += len(ledgers[session].entries)
    # The later writers, and the checks, have hurt none of the earlier ones' sessions.
    for session, ledger in ledgers.items():
        await assert_kept(manager, ledger, session)
    assert visible, "no writer lived long enough to store anything"
    assert acknowledged


async def assert_swept(root: Path) -> None:
    """Two days later one sweep takes away what the dead left lying about."""
    clock = ManualClock(datetime.now(UTC) + timedelta(days=2))
    store = LocalStore(root, clock=clock)
    await StorageManager(store.url, store=store, clock=clock).sweep()
    assert not [name for _, _, names in os.walk(root) for name in names if name[0] == "."]


async def test_killed_writer_leaves_no_torn_step_on_disk(writers: Writers, tmp_path: Path):
    url = (tmp_path / "store").as_uri()
    await kill_many(writers, StorageManager(url), {"url": url}, tmp_path)
    await assert_swept(tmp_path / "store")


async def test_killed_writer_leaves_no_torn_step_on_s3(writers: Writers, tmp_path: Path):
    with FaultyS3(buckets=["checkpoints"]) as server:
        made = client(server.endpoint_url)
        manager = StorageManager("s3://checkpoints/killed", s3_client_factory=lambda: made)
        order = {"url": "s3://checkpoints/killed", "endpoint": server.endpoint_url}
        await kill_many(writers, manager, order, tmp_path)
        await manager.close()
        made.close()
