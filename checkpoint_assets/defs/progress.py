"""The collector's events, in the run's log."""

from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import dagster as dg

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.model.records import SystemEvent
from checkpoint_assets.runtime.event_log import logged_events
from checkpoint_assets.runtime.portal import Portal

# Metadata of the observation that a session has begun: its id.
SESSION_BEGUN = "session_begun"


@contextmanager
def log_steps(
    context: dg.AssetExecutionContext, events: IEventEmitter, file: Path | None = None
) -> Generator[None, None, None]:
    """Log the begin of each session, and a line for each step as it is stored.

    The begin is an observation of ``capture_session``: it says which session a run that dies has
    left behind. Every event is appended to ``file``, if there is one.
    """

    async def begin(event: SystemEvent) -> None:
        context.log_event(
            dg.AssetObservation(
                "capture_session",
                partition=event.data["scenario"],
                metadata={SESSION_BEGUN: dg.MetadataValue.text(event.data["session_id"])},
            )
        )

    async def log(event: SystemEvent) -> None:
        context.log.info(step_line(event))

    with Portal() as portal:
        stack = AsyncExitStack()
        if file is not None:
            portal.call(stack.enter_async_context, logged_events(events, file))
        subscriptions = [
            portal.call(events.subscribe, EventType.COLLECTION_START, begin),
            portal.call(events.subscribe, EventType.STEP_STORED, log),
        ]
        try:
            yield
        finally:
            for subscription in subscriptions:
                portal.call(events.unsubscribe, subscription)
            portal.call(stack.aclose)


def step_line(event: SystemEvent) -> str:
    """``shop-checkout 0003-fill #email ok 312 ms 48 kB`` from a ``STEP_STORED`` event."""
    data = event.data
    selector = f" {data['selector']}" if data.get("selector") else ""
    return (
        f"{data['scenario']} {data['step_id']}{selector} {data['outcome']} "
        f"{data['milliseconds']} ms {data['bytes'] / 1000:.0f} kB"
    )
