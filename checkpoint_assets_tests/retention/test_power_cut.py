"""The power goes while retention and a compaction are at work: what was planned goes, once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.retention.execute import execute
from checkpoint_assets.retention.plan import make_plan
from checkpoint_assets.retention.policy import Policies, Policy
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.catalogue.programs import GRACE, Programs
from checkpoint_assets_tests.fault.scale import printed_seed, scaled

pytestmark = [pytest.mark.fault, pytest.mark.timeout(1200)]

ROUNDS = scaled(3, 60)
SESSIONS = 8
PATIENCE = 60
POLICIES = Policies([Policy(name="last", keep_last=2)])


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    programs = Programs()
    yield programs
    programs.close()


async def capture(storage: StorageManager, catalogue: Catalogue, names: list[str]) -> None:
    for name in names:
        await storage.store_step_data(name, "0001-goto", html_content=name)
        await storage.close_session(name, manifest={"scenario": name[:3]})
        await catalogue.append_session(name, "run")


async def until_fewer_than(storage: StorageManager, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while len(await storage.list_sessions()) >= number:
            await asyncio.sleep(0.001)


async def test_plan_is_completed_after_a_power_cut_and_nothing_else_goes(
    programs: Programs, tmp_path: Path
) -> None:
    url = (tmp_path / "store").as_uri()
    storage = StorageManager(url)
    catalogue = Catalogue(storage, grace=GRACE)
    chance = random.Random(printed_seed())
    cut_short = 0
    kept: set[str] = set()
    for number in range(ROUNDS):
        names = [f"{number:03d}-{each}" for each in range(SESSIONS)]
        await capture(storage, catalogue, names)
        dry = await make_plan(storage, catalogue, POLICIES, floor=timedelta(), most_share=1)
        doomed = {entry.session_id for entry in dry.plan.doomed}
        before = set(await storage.list_sessions())
        held = names[chance.randrange(SESSIONS - 2)]
        await storage.pin(held, "wait")
        await catalogue.append_events([held])

        pids = [
            programs.start("retain", url=url, plan=dry.plan.plan_id),
            programs.start("compact", url=url, until=str(tmp_path / "never"), file_rows=4),
        ]
        await until_fewer_than(storage, len(before) - chance.randrange(3))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        ended = [await asyncio.to_thread(programs.wait, pid) for pid in pids]
        cut_short += ended[0] == -signal.SIGKILL

        assert before - set(await storage.list_sessions()) <= doomed - {held}
        report = await execute(storage, catalogue, dry.plan.plan_id)
        assert not report.failed
        kept |= {held, *names[-2:]}
        assert set(await storage.list_sessions()) == kept
        assert set((await catalogue.sessions())["session_id"]) == kept
    assert cut_short, "every plan was executed before its end was due"
    await catalogue.compact()
    told = await catalogue.sessions()
    await catalogue.rebuild()
    pd.testing.assert_frame_equal(told, await catalogue.sessions())
    for name in kept:
        assert (await storage.retrieve_step_data(name, "0001-goto"))[0] == name
