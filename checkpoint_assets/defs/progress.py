"""The collector's events, in the run's log."""

from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import dagster as dg

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.event_log import logged_events
from checkpoint_assets.runtime.portal import Portal

# Metadata of the observation that a session has begun: its id.
SESSION_BEGUN = "session_begun"


@contextmanager
def log_steps(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    events: IEventEmitter,
    file: Path | None = None,
) -> Generator[None, None, None]:
    """Log the begin of each session, a line for each step as it is stored, and how far tasks are.

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

    async def tell(event: SystemEvent) -> None:
        if event.data["progress"] is not None:
            context.log.debug(task_line(event))

    with Portal() as portal:
        stack = AsyncExitStack()
        if file is not None:
            portal.call(stack.enter_async_context, logged_events(events, file))
        subscriptions = [
            portal.call(events.subscribe, EventType.COLLECTION_START, begin),
            portal.call(events.subscribe, EventType.STEP_STORED, log),
            portal.call(events.subscribe, EventType.TASK_PROGRESS, tell),
            portal.call(events.subscribe, EventType.TASK_COMPLETE, tell),
        ]
        try:
            yield
        finally:
            for subscription in subscriptions:
                portal.call(events.unsubscribe, subscription)
            portal.call(stack.aclose)


def begun_sessions(instance: dg.DagsterInstance, run_id: str) -> dict[str, str | None]:
    """The sessions that a run has begun, each with its scenario if it has one, in their order."""
    records = instance.get_records_for_run(
        run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION
    ).records
    found: dict[str, str | None] = {}
    for record in records:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        observation = event.asset_observation_data.asset_observation
        session = observation.metadata.get(SESSION_BEGUN)
        if session is not None:
            found[str(session.value)] = observation.partition
    return found


def task_line(event: SystemEvent) -> str:
    """``task-2 collect 0199-... running 60%`` from an event of a task."""
    data = event.data
    return f"{data['task_id']} {data['name']} {data['status']} {data['progress']:.0%}"


def step_line(event: SystemEvent) -> str:
    """``shop-checkout 0003-fill #email ok 312 ms 48 kB`` from a ``STEP_STORED`` event."""
    data = event.data
    selector = f" {data['selector']}" if data.get("selector") else ""
    return (
        f"{data['scenario'] or data['session_id']} {data['step_id']}{selector} {data['outcome']} "
        f"{data['milliseconds']} ms {data['bytes'] / 1000:.0f} kB"
    )
