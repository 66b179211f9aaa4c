"""Small and large artifacts with plain obstore and with ours: rate, and peak memory of each.

Each run is a process of its own, since a process's peak memory never goes down again. A step is
one artifact and its record.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator

import obstore
from measuring import measure, peak_memory
from storage_clients import CONCURRENCY, RECORD, bounded, obstore_client, our_manager
from storage_servers import Server

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.storage.batches import BYTES_AT_ONCE, Step
from checkpoint_assets.storage.storage_manager import StorageManager

SIZES = {"1 KB": (1 << 10, 500), "1 MB": (1 << 20, 100), "100 MB": (100 << 20, 3)}
WAYS = ("put", "get", "stream")


def artifact(size: int) -> bytes:
    return b"RIFF\x38\x9c\x00\x00WEBPVP8L" + bytes(size - 16)


def plain_run(server: Server, bucket: str, way: str, size: int, count: int) -> None:
    store = obstore_client(server, bucket)
    # As many at once as ours has in memory.
    concurrency = max(1, min(CONCURRENCY, BYTES_AT_ONCE // size))

    def objects(data: bytes) -> Iterator[tuple[str, bytes]]:
        for number in range(count):
            yield f"plain/{size}/{number:04d}.webp", data
            yield f"plain/{size}/{number:04d}.metadata.json", RECORD

    async def put(key: str, data: bytes) -> None:
        await obstore.put_async(store, key, data, use_multipart=False)

    async def get(key: str, _: bytes) -> None:
        found = await obstore.get_async(store, key)
        if way == "stream":
            async for _ in found.stream():
                pass
        else:
            await found.bytes_async()

    if way == "put":
        asyncio.run(bounded(objects(artifact(size)), put, concurrency))
    else:
        asyncio.run(bounded(objects(b""), get, concurrency))


async def our_run(manager: StorageManager, way: str, size: int, count: int) -> None:
    names = [("s1", f"{number:04d}-shot") for number in range(count)]
    if way == "put":
        data = artifact(size)
        steps = (Step(*name, screenshot_bytes=data) for name in names)
        (await manager.store_steps(steps)).raise_failures()
    elif way == "get":
        async for step in manager.retrieve_steps(names):
            step.get()
    else:
        for name in names:
            async for _ in manager.open_artifact(*name, Artifact.SCREENSHOT):
                pass


def main(client: str, way: str, size: int, count: int, bucket: str, *server: str) -> None:
    """One run; prints its seconds and the MB that the process had at most."""
    at = Server(*server)
    if client == "ours":
        manager = our_manager(at, bucket, f"ours/{size}")
        asyncio.run(manager.connect())
        measured = measure(lambda: asyncio.run(our_run(manager, way, size, count)))
    else:
        measured = measure(lambda: plain_run(at, bucket, way, size, count))
    print(json.dumps([measured.seconds, peak_memory()]))


def compare_sizes(server: Server) -> None:
    bucket = f"sizes-{uuid.uuid4().hex[:8]}"
    server.boto3().create_bucket(Bucket=bucket)
    print(f"\none artifact and its record a step, on {server.name}; peak memory of the process")
    print("| size   | way    | obstore MB/s | ours MB/s | obstore peak MB | ours peak MB |")
    print("|--------|--------|--------------|-----------|-----------------|--------------|")
    for name, (size, count) in SIZES.items():
        for way in WAYS:
            found: dict[str, tuple[float, float]] = {}
            for client in ("obstore", "ours"):
                words = [client, way, str(size), str(count), bucket]
                about = [server.name, server.endpoint, server.key, server.secret]
                # The line counts, not how the process ended: obstore 0.12 may abort after a stream,
                # while its threads and the interpreter shut down.
                run = subprocess.run(
                    [sys.executable, __file__, *words, *about], check=False, capture_output=True
                )
                seconds, peak = json.loads(run.stdout.splitlines()[-1])
                found[client] = (size * count / seconds / 1e6, peak)
            rates = f"{found['obstore'][0]:12.1f} | {found['ours'][0]:9.1f}"
            peaks = f"{found['obstore'][1]:15.0f} | {found['ours'][1]:12.0f}"
            print(f"| {name:6} | {way:6} | {rates} | {peaks} |")


if __name__ == "__main__":
    _, client, way, size, count, *rest = sys.argv
    main(client, way, int(size), int(count), *rest)
