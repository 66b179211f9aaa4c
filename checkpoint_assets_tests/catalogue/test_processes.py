"""Many processes, one catalogue: every row is there once, and no reader sees fewer than before."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.catalogue.programs import GRACE, STEPS, Programs, append, manager
from checkpoint_assets_tests.fault.scale import printed_seed, scaled

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1200)]

APPENDERS = 8
SESSIONS = scaled(3, 60)
KILLS = scaled(6, 100)


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    programs = Programs()
    yield programs
    programs.close()


async def rows(catalogue: Catalogue) -> set[tuple[str, str]]:
    """The steps that a reader sees; none of them twice."""
    frame = await catalogue.steps(columns=["session_id", "step_id"])
    pairs = list(zip(frame["session_id"], frame["step_id"], strict=True))
    assert len(pairs) == len(set(pairs)), "a row is there twice"
    return set(pairs)


async def append_compact_and_rebuild(
    programs: Programs, storage: StorageManager, folder: Path, **place: Any
) -> None:
    done = folder / "done"
    helpers = [programs.start(do, until=str(done), **place) for do in ("compact", "rebuild")]
    appenders = [
        programs.start("append", who=f"w{number}", sessions=SESSIONS, **place)
        for number in range(APPENDERS)
    ]
    waiting = asyncio.create_task(
        asyncio.to_thread(lambda: [programs.wait(pid) for pid in appenders])
    )
    catalogue = Catalogue(storage, grace=GRACE)
    seen: set[tuple[str, str]] = set()
    looks = 0
    while not waiting.done():
        now = await rows(catalogue)
        assert seen <= now, f"rows are gone: {seen - now}"
        seen, looks = now, looks + 1
    assert await waiting == [0] * APPENDERS
    done.touch()
    assert [await asyncio.to_thread(programs.wait, pid) for pid in helpers] == [0, 0]
    assert looks > 1
    everything = await rows(catalogue)
    assert len(everything) == APPENDERS * SESSIONS * STEPS
    before = await catalogue.sessions()
    await catalogue.rebuild()
    pd.testing.assert_frame_equal(before, await catalogue.sessions())
    assert await rows(catalogue) == everything


async def test_eight_append_while_one_compacts_and_one_rebuilds_on_disk(
    programs: Programs, tmp_path: Path
) -> None:
    url = (tmp_path / "store").as_uri()
    await append_compact_and_rebuild(programs, StorageManager(url), tmp_path, url=url)


async def test_eight_append_while_one_compacts_and_one_rebuilds_on_s3(
    programs: Programs, tmp_path: Path
) -> None:
    with FaultyS3(buckets=["checkpoints"]) as server:
        url, endpoint = "s3://checkpoints/catalogue", server.endpoint_url
        storage = manager(url, endpoint)
        await append_compact_and_rebuild(programs, storage, tmp_path, url=url, endpoint=endpoint)
        await storage.close()


async def test_a_killed_compaction_loses_nothing(programs: Programs, tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    storage = StorageManager(url)
    catalogue = Catalogue(storage, grace=GRACE)
    chance = random.Random(printed_seed())
    for number in range(KILLS):
        await append(storage, f"k{number:03d}", 2)
        pid = programs.start("compact", url=url, until=str(tmp_path / "never"), file_rows=4)
        await asyncio.sleep(chance.uniform(0, 0.3))
        os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(programs.wait, pid) == -signal.SIGKILL
        assert len(await rows(catalogue)) == (number + 1) * 2 * STEPS
    await catalogue.compact()
    assert len(await rows(catalogue)) == KILLS * 2 * STEPS
