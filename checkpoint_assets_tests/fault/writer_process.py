"""A process that forks writers, each of them to be killed while it writes.

It imports everything once and forks for each order that it reads from its standard input, so that
a hundred writers start in milliseconds. Run as ``python -m``; orders are lines of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import boto3

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.fault.ledger import Content

WRITERS = 3


def content(session: str, step: str) -> Content:
    """What the writers store under these ids; whoever checks it makes it anew."""
    chance = random.Random(f"{session}/{step}")
    html = f"<p>{session}/{step} " + "x" * chance.choice([0, 100, 5_000, 60_000])
    screenshot = chance.randbytes(chance.choice([1, 1_000, 40_000]))
    return html, screenshot, {"type": "click", "step": step}, {"session": session}


class Acknowledgements:
    """Lines in a file, each of them durable before the writer goes on."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, what: str, step: str = "") -> None:
        os.write(self._file, f"{what} {step}\n".encode())
        os.fsync(self._file)


async def write(manager: StorageManager, session: str, ledger: Acknowledgements) -> None:
    """Store steps for ever, several at a time, and delete some of them again."""
    ledger.note("begun")

    async def work(writer: int) -> None:
        number = 0
        while True:
            number += 1
            step = f"{writer}-{number:06d}"
            await manager.store_step_data(session, step, *content(session, step))
            ledger.note("stored", step)
            if number % 4 == 0:
                ledger.note("deleting", step)
                await manager.delete_step(session, step)
                ledger.note("deleted", step)

    await asyncio.gather(*map(work, range(WRITERS)))


def client(endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-west-2",
        aws_access_key_id="testing-access-key",
        aws_secret_access_key="testing-secret-key",
    )


def main() -> None:
    clients: dict[str, Any] = {}
    for line in sys.stdin:
        order = json.loads(line)
        endpoint = order.get("endpoint")
        if endpoint and endpoint not in clients:
            clients[endpoint] = client(endpoint)
        child = os.fork()
        if not child:
            factory = (lambda made: lambda: made)(clients.get(endpoint))
            manager = StorageManager(order["url"], s3_client_factory=factory if endpoint else None)
            asyncio.run(write(manager, order["session"], Acknowledgements(Path(order["ledger"]))))
            os._exit(1)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
