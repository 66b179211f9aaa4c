"""Stores, reads, lists and deletes step-like objects with each client, in turns, on one server.

    python bench/storage.py --server ceph --steps 750 --rounds 3

A step is four objects: 60 KB HTML, 40 KB WebP, 1 KB action, 1 KB record. Ours writes them as a
step, with create-only keys, digests and the commit record last; the others write the same four
objects in any order. Rates depend on the machine and on what else it does: compare the ratios of
one run. ``CPU`` is the client's own user and system time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import obstore
from botocore.config import Config
from obstore.store import S3Store

from checkpoint_assets.storage.batches import Step
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.ceph import Ceph

CONCURRENCY = 64
THREADS = 16
KEYS_A_DELETE = 1000
HTML = (b"<!doctype html><title>bench</title>" + b"<p>text of a page</p>" * 4000)[:60_000]
WEBP = b"RIFF\x38\x9c\x00\x00WEBPVP8L" + bytes(range(256)) * 156
ACTION = {"kind": "click", "selector": "#buy", "note": "x" * 950}
RECORD = json.dumps({"metadata": "x" * 950}).encode()
ACTION_JSON = json.dumps(ACTION).encode()
OPERATIONS = ("put", "get", "list", "delete")


@dataclass(frozen=True)
class Server:
    endpoint: str
    key: str
    secret: str

    def boto3(self) -> Any:
        config = Config(max_pool_connections=THREADS, retries={"mode": "standard"})
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            config=config,
        )


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu: float


def objects(prefix: str, steps: int) -> Iterator[tuple[str, bytes]]:
    for number in range(steps):
        step = f"{prefix}/s{number // 50:05d}/{number % 50:04d}-click"
        yield f"{step}.html", HTML
        yield f"{step}.webp", WEBP
        yield f"{step}.action.json", ACTION_JSON
        yield f"{step}.metadata.json", RECORD


async def bounded(calls: Iterator[Callable[[], Any]]) -> None:
    async def worker() -> None:
        for call in calls:
            await call()

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


class Plain:
    """obstore, as it comes."""

    name = "obstore"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.prefix, self.steps = prefix, steps
        self.store = S3Store(
            bucket,
            endpoint=server.endpoint,
            region="us-east-1",
            access_key_id=server.key,
            secret_access_key=server.secret,
            client_options={"allow_http": True},
        )

    def put(self) -> None:
        store = self.store
        items = objects(self.prefix, self.steps)
        asyncio.run(
            bounded(
                lambda k=k, d=d: obstore.put_async(store, k, d, use_multipart=False)
                for k, d in items
            )
        )

    def get(self) -> None:
        async def read(key: str) -> None:
            await (await obstore.get_async(self.store, key)).bytes_async()

        items = objects(self.prefix, self.steps)
        asyncio.run(bounded(lambda k=k: read(k) for k, _ in items))

    def list(self) -> int:
        return sum(len(page) for page in obstore.list(self.store, self.prefix, chunk_size=1000))

    def delete(self) -> None:
        keys = [key for key, _ in objects(self.prefix, self.steps)]
        for at in range(0, len(keys), KEYS_A_DELETE):
            obstore.delete(self.store, keys[at : at + KEYS_A_DELETE])


class Boto3:
    """boto3 with threads."""

    name = "boto3"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.prefix, self.steps, self.bucket = prefix, steps, bucket
        self.client = server.boto3()

    def _all(self, call: Callable[[tuple[str, bytes]], Any]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(call, objects(self.prefix, self.steps)):
                pass

    def put(self) -> None:
        self._all(lambda o: self.client.put_object(Bucket=self.bucket, Key=o[0], Body=o[1]))

    def get(self) -> None:
        self._all(lambda o: self.client.get_object(Bucket=self.bucket, Key=o[0])["Body"].read())

    def list(self) -> int:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/"
        )
        return sum(len(page.get("Contents", [])) for page in pages)

    def delete(self) -> None:
        keys = [{"Key": key} for key, _ in objects(self.prefix, self.steps)]
        for at in range(0, len(keys), KEYS_A_DELETE):
            batch = {"Objects": keys[at : at + KEYS_A_DELETE], "Quiet": True}
            self.client.delete_objects(Bucket=self.bucket, Delete=batch)


class S5cmd:
    """s5cmd, a folder at a time; its CPU is that of its process."""

    name = "s5cmd"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.program = shutil.which("s5cmd", path=Path(sys.executable).parent)
        self.url = f"s3://{bucket}/{prefix}/"
        self.folder = Path(tempfile.mkdtemp())
        self.command = [self.program, "--endpoint-url", server.endpoint, "--log", "error"]
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": server.key,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_REGION": "us-east-1",
        }
        for key, data in objects("in", steps):
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def _run(self, *words: str) -> bytes:
        run = [*self.command, *words]
        return subprocess.run(run, env=self.environment, check=True, capture_output=True).stdout

    def put(self) -> None:
        self._run("cp", f"{self.folder}/in/", self.url)

    def get(self) -> None:
        self._run("cp", f"{self.url}*", f"{self.folder}/out/")

    def list(self) -> int:
        return self._run("ls", f"{self.url}*").count(b"\n")

    def delete(self) -> None:
        self._run("rm", f"{self.url}*")
        shutil.rmtree(self.folder)


class Ours:
    """The StorageManager, with everything on."""

    name = "ours"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.steps = steps
        os.environ["AWS_ACCESS_KEY_ID"] = server.key
        os.environ["AWS_SECRET_ACCESS_KEY"] = server.secret
        self.manager = StorageManager(
            f"s3://{bucket}/{prefix}",
            s3_endpoint_url=server.endpoint,
            s3_region_name="us-east-1",
            concurrency=CONCURRENCY,
        )
        asyncio.run(self.manager.connect())

    def _names(self) -> Iterator[tuple[str, str]]:
        for number in range(self.steps):
            yield f"s{number // 50:05d}", f"{number % 50:04d}-click"

    def put(self) -> None:
        batch = (Step(s, t, HTML, WEBP, ACTION, {"note": "x" * 700}) for s, t in self._names())
        asyncio.run(self.manager.store_steps(batch)).raise_failures()

    def get(self) -> None:
        async def read() -> None:
            async for step in self.manager.retrieve_steps(self._names()):
                step.get()

        asyncio.run(read())

    def list(self) -> int:
        async def count() -> int:
            steps = 0
            async for session in self.manager.iter_sessions():
                async for _ in self.manager.iter_steps(session):
                    steps += 1
            return steps

        return asyncio.run(count())

    def delete(self) -> None:
        async def delete() -> None:
            for session in dict.fromkeys(session for session, _ in self._names()):
                await self.manager.delete_session(session, permanent=True)

        asyncio.run(delete())


def measure(call: Callable[[], Any]) -> Measured:
    def cpu() -> float:
        both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))

    cpu_before, before = cpu(), time.perf_counter()
    call()
    return Measured(time.perf_counter() - before, cpu() - cpu_before)


@contextmanager
def serve(name: str) -> Iterator[Server]:
    if name == "ceph":
        with Ceph() as ceph:
            yield Server(ceph.endpoint_url, ceph.access_key, ceph.secret_key)
        return
    module = "checkpoint_assets.testing.faulty_s3"
    command = [sys.executable, "-m", module, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = (process.stdout.readline() if process.stdout else "").strip()
        try:
            yield Server(line.split()[-1], "bench", "bench-secret")
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", choices=("ceph", "memory"), default="memory")
    parser.add_argument("--steps", type=int, default=750)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    clients = [Plain, Boto3, S5cmd, Ours]
    if not shutil.which("s5cmd", path=Path(sys.executable).parent):
        clients.remove(S5cmd)
    count = arguments.steps * 4
    found: dict[tuple[str, str], list[Measured]] = {}
    with ExitStack() as stack:
        server = stack.enter_context(serve(arguments.server))
        bucket = f"bench-{uuid.uuid4().hex[:8]}"
        server.boto3().create_bucket(Bucket=bucket)
        for number in range(arguments.rounds):
            for make in clients:
                client = make(server, bucket, f"{make.name}{number}", arguments.steps)
                for operation in OPERATIONS:
                    measured = measure(getattr(client, operation))
                    found.setdefault((operation, make.name), []).append(measured)
    print(f"{count} objects, {arguments.rounds} rounds, medians; server: {arguments.server}")
    print(f"{'':8} {'client':8} {'objects/s':>10} {'of obstore':>10} {'CPU us/object':>14}")
    for operation in OPERATIONS:
        base = statistics.median(m.seconds for m in found[operation, "obstore"])
        for client in clients:
            runs = found[operation, client.name]
            seconds = statistics.median(m.seconds for m in runs)
            cpu = statistics.median(m.cpu for m in runs) / count * 1e6
            rate = f"{count / seconds:10.0f} {base / seconds:10.2f}"
            print(f"{operation:8} {client.name:8} {rate} {cpu:14.0f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
