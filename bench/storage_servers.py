"""The servers of the storage benchmark, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from checkpoint_assets.testing import ceph
from checkpoint_assets.testing.faulty_s3 import HOST, FaultyS3, GeneratedObjects

LISTED_BUCKET = "listed"
LISTED_SESSIONS = 100
# As a session of 50 steps: four objects each.
KEYS_A_SESSION = 200
_SUFFIXES = ("action.json", "html", "metadata.json", "webp")


@dataclass(frozen=True)
class Server:
    name: str
    endpoint: str
    key: str
    secret: str

    def boto3(self, connections: int = 16) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=Config(max_pool_connections=connections, retries={"mode": "standard"}),
        )


@contextmanager
def serve(name: str) -> Iterator[Server]:
    if name == "ceph":
        with ceph.Ceph() as running:
            yield Server(name, running.endpoint_url, ceph.ACCESS_KEY, ceph.SECRET_KEY)
        return
    command = [sys.executable, __file__]
    pipe = subprocess.PIPE
    # It ends with our end of its standard input, however we end.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        line = (process.stdout.readline() if process.stdout else "").strip()
        try:
            yield Server(name, line, "bench", "bench-secret")
        finally:
            process.kill()


def listed_key(number: int) -> str:
    session, rest = divmod(number, KEYS_A_SESSION)
    return f"s{session:06d}/{rest // 4:04d}-click.{_SUFFIXES[rest % 4]}"


def main() -> None:
    """Serve from memory, with a bucket to be listed, until standard input ends."""
    server = FaultyS3(buckets=[LISTED_BUCKET])
    server.generate(LISTED_BUCKET, GeneratedObjects(LISTED_SESSIONS * KEYS_A_SESSION, listed_key))
    with server:
        assert HOST in server.endpoint_url
        print(server.endpoint_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
