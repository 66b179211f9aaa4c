"""What an outage costs: puts into the spool, and draining it afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from measuring import Measured, Row, at_least, at_most, measure, median_ratio, median_seconds
from storage_clients import full_steps, our_manager
from storage_disk import OnDisk
from storage_servers import Server

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.storage.location import find_location
from checkpoint_assets.storage.spool_opening import SpoolSettings
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.stores import open_store

DRAIN_TARGET = 0.85
OUTAGE_TARGET = 3
HOURS = 3600.0


class Spooling:
    """A manager whose bucket is said to be away, and is not asked whether that is so."""

    def __init__(self, server: Server, bucket: str, prefix: str, folder: Path) -> None:
        os.environ["AWS_ACCESS_KEY_ID"] = server.key
        os.environ["AWS_SECRET_ACCESS_KEY"] = server.secret
        url = f"s3://{bucket}/{prefix}"
        location = find_location(
            url,
            prefer_s3=True,
            bucket=None,
            region="us-east-1",
            endpoint_url=server.endpoint,
            local_base_path=None,
            environment={},
        )
        settings = SpoolSettings(folder, probe_every=HOURS)
        store = open_store(location, None, system_clock, spool=settings, environment={})
        assert isinstance(store, SpoolingStore)
        self.store = store
        self.manager = StorageManager(url, store=store)
        asyncio.run(self.manager.connect())

    def go_away(self) -> None:
        self.store.away(StoreUnavailable("as the benchmark wants it"))

    def put_many(self, steps: int) -> None:
        asyncio.run(self.manager.store_steps(full_steps(steps))).raise_failures()

    def put_one_by_one(self, steps: int) -> None:
        OnDisk.one_by_one(self, steps)  # pyright: ignore[reportArgumentType]

    def drain(self, steps: int) -> None:
        report = asyncio.run(self.manager.drain_spool())
        assert report.steps == steps, report


def compare_spool(server: Server, steps: int, rounds: int) -> list[Row]:
    bucket = f"spool-{uuid.uuid4().hex[:8]}"
    server.boto3().create_bucket(Bucket=bucket)
    direct: list[Measured] = []
    drained: list[Measured] = []
    outage: list[Measured] = []
    local: list[Measured] = []
    few = max(1, steps // 3)
    for number in range(rounds):
        manager = our_manager(server, bucket, f"direct{number}")
        asyncio.run(manager.connect())
        direct.append(measure(lambda m=manager: asyncio.run(m.store_steps(full_steps(steps)))))
        folder = Path(tempfile.mkdtemp())
        try:
            spooling = Spooling(server, bucket, f"drained{number}", folder)
            spooling.go_away()
            spooling.put_many(steps)
            drained.append(measure(lambda s=spooling: s.drain(steps)))
            spooling = Spooling(server, bucket, f"outage{number}", folder / "outage")
            spooling.go_away()
            outage.append(measure(lambda s=spooling: s.put_one_by_one(few)))
            disk = OnDisk(folder / "local")
            local.append(measure(lambda d=disk: d.one_by_one(few)))
        finally:
            shutil.rmtree(folder)
    ratio = median_ratio(direct, drained)
    slower = 1 / median_ratio(local, outage)
    put, plain = (median_seconds(runs) / few * 1e3 for runs in (outage, local))
    print(
        f"\n{steps} steps on {server.name}: stored directly {steps / median_seconds(direct):.0f} "
        f"steps/s, drained from the spool {steps / median_seconds(drained):.0f} steps/s\n"
        f"a put while the bucket is known to be away: {put:.1f} ms, on a local disk {plain:.1f} ms"
    )
    return [
        at_least(f"spool drain on {server.name}, of the direct rate", ratio, DRAIN_TARGET),
        at_most("put in a known outage, of a durable local put", slower, OUTAGE_TARGET, "x"),
    ]
