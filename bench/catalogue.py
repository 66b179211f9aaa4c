"""The catalogue and the retention planner over many sessions, against listing the bucket.

    python bench/catalogue.py --sessions 1000000

Sessions are made up and written as fragments, on a local disk. Listing asks a server on this
machine, in a process of its own, for the keys of so many sessions of one step. Rates depend on
the machine and on what else it does. ``CPU`` is this process's own user and system time.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.columns import TIME
from checkpoint_assets.catalogue.fragments import FRAGMENT
from checkpoint_assets.catalogue.parquet import encode
from checkpoint_assets.retention.plan import make_plan
from checkpoint_assets.retention.policy import Policies, Policy
from checkpoint_assets.storage.keys import fragment_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets.testing.s3_bucket import GeneratedObjects

NOW = datetime.now(UTC)
A_FRAGMENT = 100_000
SCENARIOS = 500
TARGET_CPU = 5.0
FILES = ("action.json", "html", "metadata.json", "webp")


def session_id(number: int) -> str:
    """As ours sort: by time."""
    return f"{number:08x}-0000-7000-8000-000000000000"


def entries(first: int, count: int, of: int) -> pa.Table:
    """Sessions of one step, a minute after each other, the last one now."""
    numbers = np.arange(first, first + count)
    ids = pa.array([session_id(n) for n in numbers])
    ended = np.datetime64(NOW.replace(tzinfo=None), "us") - (
        (of - numbers) * np.timedelta64(60_000_000, "us")
    )
    times = pa.array(ended).cast(TIME)
    digests = np.random.default_rng(first).integers(0, 16**12, count)
    columns: dict[str, Any] = {
        "at": times,
        "session_id": ids,
        "scenario": pa.array([f"scenario-{n % SCENARIOS}" for n in numbers]),
        "state": pa.repeat("complete", count),
    }
    steps = {
        "step_id": pa.repeat("0001-goto", count),
        "committed_at": times,
        "url": pa.array([f"https://shop.example/{n}" for n in numbers]),
        "html_sha256": pa.array([f"{d:064x}" for d in digests]),
        "html_bytes": pa.array(numbers % 90_000),
    }
    sessions = {
        "started_at": times,
        "closed_at": times,
        "steps": pa.repeat(1, count),
        "bytes": pa.array(numbers % 90_000),
    }
    return pa.concat_tables([rows("session", columns | sessions), rows("step", columns | steps)])


def rows(event: str, columns: dict[str, Any]) -> pa.Table:
    count = len(columns["at"])
    columns = {"event": pa.repeat(event, count), **columns}
    return pa.table(
        [columns.get(f.name, pa.nulls(count, f.type)) for f in FRAGMENT], schema=FRAGMENT
    )


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measured(what: str, work: Callable[[], Awaitable[object]]) -> float:
    wall, before = time.perf_counter(), cpu()
    result = await work()
    spent = cpu() - before
    print(f"| {what} | {time.perf_counter() - wall:.2f} | {spent:.2f} | {result} |", flush=True)
    return spent


def serve(keys: int, pipe: Any) -> None:
    def key_of(index: int) -> str:
        return f"{session_id(index // len(FILES))}/0001-goto.{FILES[index % len(FILES)]}"

    with FaultyS3(buckets=["checkpoints"]) as server:
        server.generate("checkpoints", GeneratedObjects(keys, key_of))
        pipe.send(server.endpoint_url)
        pipe.recv()


async def list_keys(keys: int) -> str:
    """What a planner without a catalogue would begin with."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(keys, there))
    server.start()
    client = boto3.client(
        "s3",
        endpoint_url=here.recv(),
        region_name="us-west-2",
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 (a server of our own)
    )
    storage = StorageManager("s3://checkpoints", s3_client_factory=lambda: client)
    count = sum([len(page.objects) async for page in storage.store.list("")])
    await storage.close()
    here.send("done")
    server.join()
    return f"{count:,} keys"


async def run(sessions: int, listed: int, folder: Path) -> bool:
    storage = StorageManager(folder.as_uri())
    catalogue = Catalogue(storage)
    print(f"{sessions:,} sessions of one step, local disk\n")
    print("| | wall s | CPU s | |\n|---|---|---|---|")

    async def append_one() -> str:
        for number in range(20):
            await storage.store_step_data(f"new-{number}", "0001-goto", html_content="<p>")
            await storage.close_session(f"new-{number}")
        began = time.perf_counter()
        for number in range(20):
            await catalogue.append_session(f"new-{number}")
        return f"{(time.perf_counter() - began) * 50:.1f} ms an append"

    async def append_many() -> str:
        size = 0
        for first in range(0, sessions, A_FRAGMENT):
            data = encode(entries(first, min(A_FRAGMENT, sessions - first), sessions))
            await storage.write_object(fragment_key(f"{NOW:%Y-%m-%d}", f"bench-{first}"), data)
            size += len(data)
        return f"{size / 2**20:.0f} MiB"

    async def compact() -> str:
        report = await catalogue.compact()
        return f"{report.folded} fragments folded, {report.written} files written"

    async def steps() -> str:
        return f"{len(await catalogue.steps()):,} rows as a frame"

    async def some() -> str:
        last = session_id(sessions // 2)
        return f"{len(await catalogue.steps(first=last, last=last))} row"

    async def iterate() -> str:
        return f"{sum([len(b) async for b in catalogue.iter('steps')]):,} rows"

    async def plan() -> str:
        policies = Policies(
            [
                Policy(name="old", keep_for=timedelta(minutes=sessions * 0.9)),
                Policy(name="size", most_bytes=sessions * 44_000),
            ],
            {
                f"scenario-{n}": Policy(name=f"s{n}", keep_last=sessions // SCENARIOS - 50)
                for n in range(100)
            },
        )
        made = await make_plan(storage, catalogue, policies, most_share=0.01)
        return f"{len(made.plan.doomed):,} of {made.plan.sessions:,} sessions to delete"

    await measured("append 20 sessions", append_one)
    await measured("make and write the fragments", append_many)
    await measured("compact all of them", compact)
    await measured("append 20 more", append_one)
    await measured("compact those", compact)
    await measured("all steps", steps)
    await measured("the steps of one session", some)
    await measured("all steps in batches", iterate)
    planned = await measured("**retention plan**", plan)
    spent = await measured("list keys of the bucket", lambda: list_keys(listed))
    scaled = spent * sessions * len(FILES) / listed
    print(f"\nlisting {sessions * len(FILES):,} keys would take {scaled:.0f} s of CPU, and says ")
    print(f"neither scenario nor expiry; the plan took {planned:.1f} s (target {TARGET_CPU:g} s)")
    return planned <= TARGET_CPU


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--listed", type=int, default=100_000, help="keys to list")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = asyncio.run(run(arguments.sessions, arguments.listed, Path(folder)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
