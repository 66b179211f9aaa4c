"""Several processes with one spool, and processes that are killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.testing.faulty_s3 import Fault
from checkpoint_assets_tests.fault.scale import scaled
from checkpoint_assets_tests.storage.spool_case import (
    BUCKET,
    SpoolSite,
    assert_whole,
    spool_of,
    step_ids,
    store_session,
    store_step,
    until,
)

pytestmark = pytest.mark.fault

PRELUDE = f"""
import asyncio, sys
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.storage.spool_case import IMPATIENT, step_ids, store_step

def manager():
    return StorageManager("s3://{BUCKET}", spool_floor_bytes=0, retry=IMPATIENT)
"""
DRAIN = """
async def main():
    print("ready", flush=True)
    report = await manager().drain_spool()
    print("busy" if report.busy else f"drained {report.steps}", flush=True)
asyncio.run(main())
"""
WRITE = """
async def main():
    storage = manager()
    for step_id in step_ids(500):
        await store_step(storage, sys.argv[1], step_id)
        print(step_id, flush=True)
asyncio.run(main())
"""


@contextmanager
def process(site: SpoolSite, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that shares the bucket and the spool. Killed at the end."""
    environment = {
        **os.environ,
        "SM_S3_ENDPOINT_URL": site.server.endpoint_url,
        "SM_SPOOL_PATH": str(site.spool_path),
        "AWS_ACCESS_KEY_ID": "testing-access-key",
        "AWS_SECRET_ACCESS_KEY": "testing-secret-key",
    }
    started = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:
        yield started
    finally:
        started.kill()
        output(started).close()
        started.wait()


def output(running: subprocess.Popen[str]) -> IO[str]:
    assert running.stdout is not None
    return running.stdout


async def spool_sessions(site: SpoolSite, sessions: int, count: int) -> None:
    manager = site.manager()
    with site.server.away():
        for number in range(sessions):
            await store_session(manager, f"s{number}", count)
    await manager.close()


async def assert_all_is_in_s3(site: SpoolSite, sessions: int, count: int) -> None:
    fresh = site.manager(spool_path=site.spool_path / "none")
    for number in range(sessions):
        assert (await fresh.get_manifest(f"s{number}")).steps == step_ids(count)
    assert (await fresh.verify(read_data=True)).findings == []


@pytest.mark.parametrize("seed", range(scaled(2, 20)))
async def test_killed_drainer_loses_nothing_and_the_next_goes_on(
    spool_site: SpoolSite, seed: int
) -> None:
    chance = random.Random(seed)
    await spool_sessions(spool_site, 2, 6)
    await spool_site.manager().connect()
    spool_site.server.forget_requests()
    spool_site.server.inject(Fault("latency", seconds=0.01, times=None))
    puts = chance.randint(1, 50)
    with process(spool_site, DRAIN) as drainer:
        await until(
            lambda: spool_site.server.counts["PutObject"] >= puts or drainer.poll() is not None
        )
        drainer.kill()
        drainer.wait()
    spool_site.server.clear_faults()
    manager = spool_site.manager()
    # Whatever the moment was: each acknowledged step is whole here, and none is torn in S3.
    for number in range(2):
        for step_id in step_ids(6):
            await assert_whole(manager, f"s{number}", step_id)
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "none")
    for number in range(2):
        for step_id in await elsewhere.list_steps_for_session(f"s{number}"):
            await assert_whole(elsewhere, f"s{number}", step_id)
    report = await manager.drain_spool()
    assert (report.dead, report.failed, report.remaining.files) == ([], {}, 0)
    await assert_all_is_in_s3(spool_site, 2, 6)


@pytest.mark.parametrize("seed", range(scaled(2, 20)))
async def test_killed_writer_leaves_whole_steps_in_the_spool(
    spool_site: SpoolSite, seed: int
) -> None:
    chance = random.Random(seed)
    with spool_site.server.away(), process(spool_site, WRITE, "s0") as writer:
        count = chance.randint(3, 40)
        acknowledged = [output(writer).readline().strip() for _ in range(count)]
        writer.kill()
        writer.wait()
        acknowledged += output(writer).read().split()
    manager = spool_site.manager()
    listed = await manager.list_steps_for_session("s0")
    assert set(acknowledged) <= set(listed)
    for step_id in listed:
        await assert_whole(manager, "s0", step_id)
    report = await manager.drain_spool()
    assert (report.steps, report.dead, report.failed) == (len(listed), [], {})
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "none")
    for step_id in acknowledged:
        await assert_whole(elsewhere, "s0", step_id)


async def test_two_processes_drain_one_spool_once(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, 2, 5)
    await spool_site.manager().connect()
    spool_site.server.forget_requests()
    spool_site.server.inject(Fault("latency", seconds=0.02, times=None))
    with process(spool_site, DRAIN) as one, process(spool_site, DRAIN) as two:
        said = sorted(output(each).read().split("\n")[1] for each in (one, two))
    # Whoever came second found the first one at work, or nothing left to do.
    assert said[-1] == "drained 10"
    assert said[0] in ("busy", "drained 0")
    assert len(spool_site.written()) == len(set(spool_site.written()))
    await assert_all_is_in_s3(spool_site, 2, 5)


async def test_processes_that_spool_and_drain_at_once_lose_nothing(
    spool_site: SpoolSite,
) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(
        Fault("slow_down", operation="PutObject", key="s0/*", times=None),
        Fault("slow_down", operation="PutObject", key="s1/*", times=None),
    )
    acknowledged: dict[str, list[str]] = {}
    with process(spool_site, WRITE, "s0") as first, process(spool_site, WRITE, "s1") as second:
        for name, writer in (("s0", first), ("s1", second)):
            acknowledged[name] = [output(writer).readline().strip() for _ in range(20)]
        spool_site.server.clear_faults()
        for _ in range(3):
            await manager.drain_spool()
        for name, writer in (("s0", first), ("s1", second)):
            writer.kill()
            writer.wait()
            acknowledged[name] += output(writer).read().split()
    report = await manager.drain_spool()
    assert (report.dead, report.failed) == ([], {})
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "none")
    for name, steps in acknowledged.items():
        assert steps
        for step_id in steps:
            await assert_whole(elsewhere, name, step_id)


async def test_drainer_that_is_killed_lets_go_of_its_locks(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, 1, 3)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.forget_requests()
    spool_site.server.inject(Fault("hang", operation="PutObject", key="s0/*", times=None))
    with process(spool_site, DRAIN) as drainer:
        await until(lambda: spool_site.server.counts["PutObject"] > 0)
        assert (await manager.drain_spool()).busy
        drainer.kill()
        drainer.wait()
        with spool_of(manager).locks.own() as owned:
            assert owned
    spool_site.server.clear_faults()
    assert (await manager.drain_spool()).steps == 3


async def test_what_a_dead_drainer_had_in_its_hands_is_deleted_after_it_was_drained(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, 1, 3)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.forget_requests()
    spool_site.server.inject(Fault("hang", operation="PutObject", key="s0/*", times=None))
    with process(spool_site, DRAIN):
        await until(lambda: spool_site.server.counts["PutObject"] > 0)
    spool_site.server.clear_faults()
    # A write of the dead one may still be on its way, and would bring back what was deleted.
    for permanent in (False, True):
        with pytest.raises(StoreUnavailable, match="cut short") as refused:
            await manager.delete_session("s0", permanent=permanent)
        assert refused.value.hint == "drain the spool first"
    assert (await manager.drain_spool()).dead == []
    await manager.delete_session("s0", permanent=True)
    assert spool_site.stored() == []
    assert await manager.spooled_sessions() == []


async def test_delete_waits_for_the_drainer_and_wins(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, 1, 3)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.forget_requests()
    spool_site.server.inject(Fault("latency", operation="PutObject", seconds=0.05, times=None))
    with process(spool_site, DRAIN) as drainer:
        await until(lambda: spool_site.server.counts["PutObject"] > 0)
        await manager.delete_session("s0", permanent=True)
        assert "drained" in output(drainer).read()
    assert spool_site.stored() == []
    assert await manager.spooled_sessions() == []
    await store_step(manager, "s0", "0009-goto")
    assert await manager.list_steps_for_session("s0") == ["0009-goto"]
