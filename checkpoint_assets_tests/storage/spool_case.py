"""A faulty S3 server with managers that spool before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from checkpoint_assets.model.clock import ManualClock, system_clock
from checkpoint_assets.storage.retrying import RetryPolicy
from checkpoint_assets.storage.s3_clients import S3Client
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_events import SpoolEvent
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3

BUCKET = "checkpoints"
HTML = "<!doctype html><title>Grüße</title>"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8L" + bytes(range(64))
# Gives up at once; a request that hangs is cut off after a second.
IMPATIENT = RetryPolicy(attempts=2, first_delay=0.001, longest_delay=0.002, deadline=1.0)


class SpoolSite:
    """One bucket, one spool path, a clock that tests move, and all events that were told."""

    def __init__(self, server: FaultyS3, client: S3Client, folder: Path) -> None:
        self.server = server
        self.client = client
        self.spool_path = folder / "spool"
        self.clock = ManualClock(system_clock.now())
        self.events: list[SpoolEvent] = []

    def manager(self, url: str = f"s3://{BUCKET}", **options: Any) -> StorageManager:
        """A manager as another process would have it: it knows of no outage yet."""
        given: dict[str, Any] = {
            "s3_client_factory": lambda: self.client,
            "s3_endpoint_url": self.server.endpoint_url,
            "retry": IMPATIENT,
            "spool_path": self.spool_path,
            "spool_floor_bytes": 0,
            "spool_listener": self.events.append,
            "clock": self.clock,
            "environment": {},
            **options,
        }
        return StorageManager(url, **given)

    def stored(self) -> list[str]:
        """The keys of all sessions in the bucket, in order."""
        return sorted(key for key in self.server.objects(BUCKET) if key[0] != "_")

    def written(self) -> list[str]:
        """The keys that were successfully put, in the order of the requests."""
        return [
            request.key
            for request in self.server.requests
            if request.operation == "PutObject" and request.key[0] != "_" and request.status == 200
        ]


def spooling(manager: StorageManager) -> SpoolingStore:
    """The manager's store."""
    assert isinstance(manager.store, SpoolingStore)
    return manager.store


def spool_of(manager: StorageManager) -> Spool:
    """The manager's spool."""
    return spooling(manager).spool


async def store_step(
    manager: StorageManager, session_id: str = "s1", step_id: str = "0001-goto", **given: Any
) -> dict[str, str | None]:
    """Store a whole step; ``given`` replaces parts of it."""
    parts: dict[str, Any] = {
        "html_content": f"{HTML}{session_id}/{step_id}",
        "screenshot_bytes": WEBP,
        "action_data": {"type": "goto", "step": step_id},
        "metadata": {"title": "Grüße"},
        **given,
    }
    return await manager.store_step_data(session_id, step_id, **parts)


def step_ids(count: int) -> list[str]:
    """``0001-goto``, ``0002-goto``, ..."""
    return [f"{number:04d}-goto" for number in range(1, count + 1)]


async def store_session(manager: StorageManager, session_id: str, count: int) -> None:
    """Store so many steps, one after the other, and close the session."""
    for step_id in step_ids(count):
        await store_step(manager, session_id, step_id)
    await manager.close_session(session_id)


async def assert_whole(manager: StorageManager, session_id: str, step_id: str) -> None:
    """The step reads back as ``store_step`` stored it."""
    html, screenshot, action, metadata = await manager.retrieve_step_data(session_id, step_id)
    assert html == f"{HTML}{session_id}/{step_id}"
    assert screenshot == WEBP
    assert action == {"type": "goto", "step": step_id}
    assert metadata == {"title": "Grüße"}


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Return when the condition holds. Fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.01)
