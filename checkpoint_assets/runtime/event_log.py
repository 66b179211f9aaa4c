"""Events as lines of JSON in a file, for whoever comes later."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType


def event_line(event: SystemEvent) -> bytes:
    """The event as one line of JSON with its newline."""
    record = {
        "event_type": str(event.event_type),
        "timestamp": isoformat(event.timestamp),
        "source": event.source,
        "data": event.data,
    }
    # Escaped: a page's broken text, as of a lone surrogate, must not cost the line.
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@asynccontextmanager
async def logged_events(
    events: IEventEmitter, path: Path, kinds: Collection[EventType] = tuple(EventType)
) -> AsyncGenerator[None]:
    """Append each event to the file while the block runs.

    A line is written with one call: several processes may append to one file. The file is made
    with mode 0600.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    async def write(event: SystemEvent) -> None:
        await asyncio.to_thread(os.write, descriptor, event_line(event))

    subscriptions = [await events.subscribe(kind, write) for kind in kinds]
    try:
        yield
    finally:
        for subscription in subscriptions:
            await events.unsubscribe(subscription)
        os.close(descriptor)
