"""The event emitter: tells subscribers what happens, and is never hurt by one."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Awaitable, Callable

from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType

Subscriber = Callable[[SystemEvent], Awaitable[None]]

logger = logging.getLogger(__name__)


class EventEmitter:
    """Hands each event to its subscribers, in the order they came.

    A subscriber that raises is logged with its traceback; the others and the emitter go on.
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, tuple[EventType, Subscriber]] = {}
        self._numbers = itertools.count(1)

    async def emit(self, event: SystemEvent) -> None:
        for event_type, callback in list(self._subscribers.values()):
            if event_type is not event.event_type:
                continue
            try:
                await callback(event)
            except Exception:  # a listener's fault must never stop the work that it listens to
                logger.exception("a subscriber to %s failed", event.event_type)

    async def subscribe(self, event_type: EventType, callback: Subscriber) -> str:
        subscription_id = f"subscription-{next(self._numbers)}"
        self._subscribers[subscription_id] = (event_type, callback)
        return subscription_id

    async def unsubscribe(self, subscription_id: str) -> None:
        self._subscribers.pop(subscription_id, None)
