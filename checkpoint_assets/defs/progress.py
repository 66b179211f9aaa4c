"""The collector's events, as lines of the run's log."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.model.records import SystemEvent
from checkpoint_assets.runtime.portal import Portal


@contextmanager
def log_steps(
    context: dg.AssetExecutionContext, events: IEventEmitter
) -> Generator[None, None, None]:
    """Log a line for each step as it is stored, for as long as the block runs."""

    async def log(event: SystemEvent) -> None:
        context.log.info(step_line(event))

    with Portal() as portal:
        subscription = portal.call(events.subscribe, EventType.STEP_STORED, log)
        try:
            yield
        finally:
            portal.call(events.unsubscribe, subscription)


def step_line(event: SystemEvent) -> str:
    """``shop-checkout 0003-fill #email ok 312 ms 48 kB`` from a ``STEP_STORED`` event."""
    data = event.data
    selector = f" {data['selector']}" if data.get("selector") else ""
    return (
        f"{data['scenario']} {data['step_id']}{selector} {data['outcome']} "
        f"{data['milliseconds']} ms {data['bytes'] / 1000:.0f} kB"
    )
