"""Work that has to be finished although the task it belongs to is being cancelled."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(work: asyncio.Future[T]) -> T:
    """Wait for ``work`` through cancellations; a cancellation is raised again when it is done."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as err:
            # Also when the work is done by now: it can be both in one turn of the loop.
            if not work.cancelled():
                cancelled = err
        except BaseException:  # noqa: BLE001 (the result below raises it again)
            break
    result = work.result()
    if cancelled is not None:
        raise cancelled
    return result
