"""The event emitter: everyone hears, in order, and nobody's fault is another's."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.events import EventEmitter

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def event(kind: EventType = EventType.STEP_STORED, number: int = 0) -> SystemEvent:
    return SystemEvent(kind, NOW, "test", {"number": number})


class Listener:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    async def __call__(self, event: SystemEvent) -> None:
        await asyncio.sleep(0)
        self.heard.append(event.data["number"])


async def test_it_keeps_the_contract():
    assert isinstance(EventEmitter(), IEventEmitter)


async def test_events_arrive_in_order_and_before_emit_returns():
    events, listener = EventEmitter(), Listener()
    await events.subscribe(EventType.STEP_STORED, listener)
    for number in range(5):
        await events.emit(event(number=number))
        assert listener.heard[-1] == number
    assert listener.heard == [0, 1, 2, 3, 4]


async def test_subscribers_are_called_in_the_order_they_came():
    events, order = EventEmitter(), []

    def named(name: str):
        async def hear(_: SystemEvent) -> None:
            order.append(name)

        return hear

    for name in "abc":
        await events.subscribe(EventType.STEP_STORED, named(name))
    await events.emit(event())
    assert order == ["a", "b", "c"]


async def test_only_the_type_that_was_asked_for_is_heard():
    events, listener = EventEmitter(), Listener()
    await events.subscribe(EventType.COLLECTION_ERROR, listener)
    await events.emit(event(EventType.STEP_STORED, 1))
    await events.emit(event(EventType.COLLECTION_ERROR, 2))
    assert listener.heard == [2]


async def test_a_subscriber_that_fails_hurts_nobody_and_is_logged(
    caplog: pytest.LogCaptureFixture,
):
    events, listener = EventEmitter(), Listener()

    async def fail(_: SystemEvent) -> None:
        raise LookupError("its own fault")

    await events.subscribe(EventType.STEP_STORED, fail)
    await events.subscribe(EventType.STEP_STORED, listener)
    with caplog.at_level(logging.ERROR):
        await events.emit(event(number=7))
    assert listener.heard == [7]
    assert "its own fault" in caplog.text


async def test_after_unsubscribe_nothing_is_heard_and_an_unknown_id_is_fine():
    events, listener = EventEmitter(), Listener()
    subscription = await events.subscribe(EventType.STEP_STORED, listener)
    await events.unsubscribe(subscription)
    await events.unsubscribe(subscription)
    await events.unsubscribe("never was one")
    await events.emit(event())
    assert listener.heard == []


async def test_a_subscriber_may_unsubscribe_while_it_is_called():
    events, heard = EventEmitter(), []

    async def once(each: SystemEvent) -> None:
        heard.append(each.data["number"])
        await events.unsubscribe(subscription)

    subscription = await events.subscribe(EventType.STEP_STORED, once)
    await events.emit(event(number=1))
    await events.emit(event(number=2))
    assert heard == [1]


async def test_cancelling_the_emitter_is_no_subscriber_s_fault():
    events, waiting = EventEmitter(), asyncio.Event()

    async def wait(_: SystemEvent) -> None:
        waiting.set()
        await asyncio.Event().wait()

    await events.subscribe(EventType.STEP_STORED, wait)
    task = asyncio.ensure_future(events.emit(event()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
