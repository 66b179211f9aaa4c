"""What the parts of the manager suite share: a manager over the store under test, samples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

import pytest

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.capabilities import RESULT_KEY
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.store_case import StoreCase, listed, put

T = TypeVar("T")

HTML = "<!doctype html><title>Grüße</title><p>\u2028 \U0001f600</p>"
SCREENSHOT = b"RIFF\x24\x00\x00\x00WEBPVP8L" + bytes(range(256))
ACTION = {"type": "click", "selector": "text=Sign in", "box": [1, 2.5, None, True], "né": {}}
METADATA = {"url": "https://shop.example/?q=ü", "title": "Grüße", "viewport": {"width": 1280}}

# The keys of one whole step, as the flat layout has them.
FLAT = [
    "s1/0001-goto.action.json",
    "s1/0001-goto.html",
    "s1/0001-goto.metadata.json",
    "s1/0001-goto.webp",
]


class ManagerCase(StoreCase):
    """A StorageManager over an empty store."""

    _probe_result: ClassVar[bytes | None] = None

    @pytest.fixture(autouse=True)
    async def remembered_probe(self, store: Store) -> AsyncIterator[None]:
        """A bucket is probed once: the answer of the first test's store goes into the others."""
        owner = type(self)
        if owner._probe_result is not None:
            await put(store, RESULT_KEY, owner._probe_result, create=False)
        yield
        if owner._probe_result is None:
            with suppress(NotFound):
                owner._probe_result = await store.get(RESULT_KEY)

    def make_manager(self, store: Store, **options: Any) -> StorageManager:
        """A manager over the store. To be overridden where one needs more than that."""
        return StorageManager(store.url, store=store, **options)

    @pytest.fixture
    def manager(self, store: Store) -> StorageManager:
        """A manager as it comes."""
        return self.make_manager(store)


async def store_step(
    manager: StorageManager, session_id: str = "s1", step_id: str = "0001-goto", **given: Any
) -> dict[str, str | None]:
    """Store a whole step; ``given`` replaces parts of it."""
    parts: dict[str, Any] = {
        "html_content": HTML,
        "screenshot_bytes": SCREENSHOT,
        "action_data": ACTION,
        "metadata": METADATA,
        **given,
    }
    return await manager.store_step_data(session_id, step_id, **parts)


async def store_steps(manager: StorageManager, session_id: str, step_ids: Sequence[str]) -> None:
    """Store small steps: an action each."""
    for step_id in step_ids:
        await manager.store_step_data(session_id, step_id, action_data={"step": step_id})


async def overwrite(store: Store, key: str, data: bytes) -> None:
    """Put other bytes under a key, as a failing disk would."""
    await put(store, key, data, create=False)


async def eventually(ask: Callable[[], Awaitable[T]], accepted: Callable[[T], bool]) -> T:
    """The first answer that is accepted, or the last one before the deadline.

    Servers tell the time in whole seconds: what is due now may be due for them a second later.
    """
    deadline = system_clock.monotonic() + 5
    while True:
        answer = await ask()
        if accepted(answer) or system_clock.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.1)


async def keys_of(store: Store, prefix: str = "") -> list[str]:
    """The keys below the prefix. Without one, those of sessions: no reserved areas."""
    keys = await listed(store, prefix)
    return keys if prefix else [key for key in keys if not key.startswith("_")]


async def contents(store: Store, prefix: str = "") -> dict[str, bytes]:
    """The bytes of these objects."""
    return {key: await store.get(key) for key in await keys_of(store, prefix)}
