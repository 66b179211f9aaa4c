"""A process that forks programs which use one catalogue: they append, compact, rebuild, retain.

It imports everything once and forks for each order that it reads from its standard input. Run as
``python -m``; orders are lines of JSON, answers are the pid, and later the exit code.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.retention.execute import execute
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.fault.writer_process import client

# Long enough for a reader on a busy machine, short enough that files go during a test.
GRACE = timedelta(seconds=3)
STEPS = 2


def manager(url: str, endpoint: str | None) -> StorageManager:
    made = client(endpoint) if endpoint else None
    return StorageManager(url, s3_client_factory=(lambda: made) if endpoint else None)


async def append(storage: StorageManager, who: str, sessions: int) -> None:
    catalogue = Catalogue(storage, grace=GRACE)
    for number in range(sessions):
        session = f"{who}-{number:03d}"
        for step in range(STEPS):
            await storage.store_step_data(session, f"{step:04d}-goto", html_content=session)
        await storage.close_session(session)
        await catalogue.append_session(session, "run")


async def work(order: dict[str, Any]) -> None:
    storage = manager(order["url"], order.get("endpoint"))
    try:
        if order["do"] == "append":
            await append(storage, order["who"], order["sessions"])
            return
        catalogue = Catalogue(storage, grace=GRACE, file_rows=order.get("file_rows", 20))
        if order["do"] == "retain":
            await execute(storage, catalogue, order["plan"])
            return
        while True:
            await (catalogue.compact() if order["do"] == "compact" else catalogue.rebuild())
            if await asyncio.to_thread(os.path.exists, order["until"]):
                return
    finally:
        await storage.close()


class Programs:
    """Starts programs, and waits for them or kills them."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "checkpoint_assets_tests.catalogue.programs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def start(self, do: str, **order: Any) -> int:
        return self._ask({"do": do, **order})

    def wait(self, pid: int) -> int:
        return self._ask({"do": "wait", "pid": pid})

    def close(self) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "wait":
            _, status = os.waitpid(order["pid"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                asyncio.run(work(order))
                os._exit(0)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
