"""Lists all steps of a bucket in a process of its own, and prints their count and its peak memory.

Run as ``python -m``, with the endpoint and the store's URL.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import boto3

from checkpoint_assets.storage.storage_manager import StorageManager


async def count_steps(manager: StorageManager) -> int:
    steps = 0
    async for session in manager.iter_sessions():
        async for _ in manager.iter_steps(session):
            steps += 1
    return steps


def peak_memory() -> int:
    # Not getrusage: what that tells of a new process includes its parent at the time.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell the peak memory")


def main(endpoint: str, url: str) -> None:
    def client() -> object:
        session = boto3.Session("testing-access-key", "testing-secret-key", region_name="us-east-1")
        return session.client("s3", endpoint_url=endpoint)

    manager = StorageManager(url, s3_client_factory=client)
    sys.stdout.write(f"{asyncio.run(count_steps(manager))} {peak_memory()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
