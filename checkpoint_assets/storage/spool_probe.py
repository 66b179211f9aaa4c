"""Asks a store that was away, in the background, whether it takes writes again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import PROBE
from checkpoint_assets.storage.media import BINARY
from checkpoint_assets.storage.outage import Outage
from checkpoint_assets.storage.store import Store

logger = logging.getLogger(__name__)

# A probe tries to replace an object that is never there: it must be refused, and writes nothing.
_KEY = f"{PROBE}/spool"
_TIMEOUT = 10.0


class StoreProbe:
    """Tries one write without retries whenever the outage says that it is time to.

    A write, because a store that is overloaded still answers reads. ``back`` is called when the
    store has answered, with whatever but a plea to come back later.
    """

    def __init__(self, store: Store, outage: Outage, back: Callable[[], None]) -> None:
        self._store = store
        self._outage = outage
        self._back = back
        self._tasks: set[asyncio.Task[None]] = set()

    def start_if_due(self) -> None:
        """Begin to ask, without waiting for the answer."""
        if self._outage.probe_due():
            task = asyncio.get_running_loop().create_task(self._ask(), name="spool-probe")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop asking in this event loop."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in list(self._tasks) if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await self._write()
        except (StoreUnavailable, TimeoutError):
            return
        except StorageManagerError as error:
            # It answers. What is wrong with the answer, the next write will tell its caller.
            logger.info("the probe of %s was refused: %s", self._store.url, error)
        finally:
            self._outage.probed()
        self._back()

    async def _write(self) -> None:
        with suppress(Conflict, NotFound):
            await self._store.put(
                _KEY, b"", media_type=BINARY, sha256=sha256_hex(b""), if_match='"none"'
            )
            # Here conditions are not honoured.
            await self._store.delete([_KEY])
