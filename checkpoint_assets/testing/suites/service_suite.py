# ruff: noqa: S101 - assert is what tests are made of
"""What every error handler, event emitter and task tracker promises."""

from __future__ import annotations

import pytest

from checkpoint_assets.interfaces import IErrorHandler, IEventEmitter, ITaskTracker
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import ErrorInfo, SystemEvent
from checkpoint_assets.model.enums import ErrorPolicy, ErrorType, EventType, TaskStatus
from checkpoint_assets.model.errors import InvalidInput, NotRegistered


def event(kind: EventType = EventType.COLLECTION_START, **data: object) -> SystemEvent:
    """An event of that kind."""
    return SystemEvent(kind, system_clock.now(), "suite", dict(data))


class ErrorHandlerSuite:
    """Subclass it with a fixture ``handler``."""

    async def test_it_keeps_the_contract(self, handler: IErrorHandler) -> None:
        assert isinstance(handler, IErrorHandler)

    @pytest.mark.parametrize("kind", list(ErrorType))
    async def test_each_kind_gets_a_policy(self, handler: IErrorHandler, kind: ErrorType) -> None:
        assert handler.can_handle(kind) in (True, False)
        error = ErrorInfo(kind, system_clock.now(), "collection", "collect", "it broke")
        assert await handler.handle_error(error) in ErrorPolicy


class EventEmitterSuite:
    """Subclass it with a fixture ``emitter`` that nobody has subscribed to."""

    async def test_it_keeps_the_contract(self, emitter: IEventEmitter) -> None:
        assert isinstance(emitter, IEventEmitter)

    async def test_a_subscriber_hears_its_type_in_order(self, emitter: IEventEmitter) -> None:
        heard: list[SystemEvent] = []

        async def listen(happened: SystemEvent) -> None:
            heard.append(happened)

        await emitter.subscribe(EventType.STEP_STORED, listen)
        events = [event(EventType.STEP_STORED, number=number) for number in range(3)]
        for each in (*events, event(EventType.COLLECTION_START)):
            await emitter.emit(each)
        assert heard == events

    async def test_a_subscriber_that_fails_hurts_nobody(self, emitter: IEventEmitter) -> None:
        heard: list[SystemEvent] = []

        async def fail(happened: SystemEvent) -> None:
            raise RuntimeError("a bad subscriber")

        async def listen(happened: SystemEvent) -> None:
            heard.append(happened)

        await emitter.subscribe(EventType.COLLECTION_START, fail)
        await emitter.subscribe(EventType.COLLECTION_START, listen)
        await emitter.emit(event())
        assert len(heard) == 1

    async def test_who_has_unsubscribed_hears_nothing(self, emitter: IEventEmitter) -> None:
        heard: list[SystemEvent] = []

        async def listen(happened: SystemEvent) -> None:
            heard.append(happened)

        first = await emitter.subscribe(EventType.COLLECTION_START, listen)
        second = await emitter.subscribe(EventType.COLLECTION_START, listen)
        assert first != second
        await emitter.unsubscribe(first)
        await emitter.unsubscribe(first)
        await emitter.unsubscribe("nobody")
        await emitter.emit(event())
        assert len(heard) == 1


class TaskTrackerSuite:
    """Subclass it with a fixture ``tracker`` without tasks."""

    async def test_it_keeps_the_contract(self, tracker: ITaskTracker) -> None:
        assert isinstance(tracker, ITaskTracker)

    async def test_a_task_goes_from_pending_to_completed(self, tracker: ITaskTracker) -> None:
        task_id = await tracker.create_task("count")
        assert tracker.get_task(task_id).status is TaskStatus.PENDING
        await tracker.update_task(task_id, progress=0.5, message="half")
        half = tracker.get_task(task_id)
        assert (half.status, half.progress, half.message) == (TaskStatus.RUNNING, 0.5, "half")
        await tracker.update_task(task_id, status=TaskStatus.COMPLETED)
        done = tracker.get_task(task_id)
        assert (done.status, done.progress) == (TaskStatus.COMPLETED, 1.0)
        assert done.ended_at is not None
        assert done.ended_at >= done.created_at

    async def test_a_task_that_has_ended_stays_so(self, tracker: ITaskTracker) -> None:
        task_id = await tracker.create_task("fail")
        await tracker.update_task(task_id, status=TaskStatus.FAILED, error="broke")
        await tracker.update_task(task_id, status=TaskStatus.RUNNING, progress=0.1)
        await tracker.cancel_task(task_id)
        assert tracker.get_task(task_id).status is TaskStatus.FAILED
        assert tracker.get_task(task_id).error == "broke"

    async def test_cancelling_reaches_those_below(self, tracker: ITaskTracker) -> None:
        top = await tracker.create_task("top")
        middle = await tracker.create_task("middle", parent_id=top)
        bottom = await tracker.create_task("bottom", parent_id=middle)
        other = await tracker.create_task("other")
        await tracker.cancel_task(top)
        for task_id in (top, middle, bottom):
            assert tracker.get_task(task_id).status is TaskStatus.CANCELLED
        assert tracker.get_task(other).status is TaskStatus.PENDING
        assert [task.task_id for task in tracker.list_tasks(TaskStatus.PENDING)] == [other]
        assert [task.task_id for task in tracker.list_tasks()] == [top, middle, bottom, other]

    async def test_unknown_tasks_are_named(self, tracker: ITaskTracker) -> None:
        with pytest.raises(NotRegistered, match="nobody"):
            tracker.get_task("nobody")
        with pytest.raises(NotRegistered, match="nobody"):
            await tracker.update_task("nobody", progress=0.5)
        with pytest.raises(NotRegistered, match="nobody"):
            await tracker.cancel_task("nobody")
        with pytest.raises(NotRegistered, match="nobody"):
            await tracker.create_task("child", parent_id="nobody")

    @pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
    async def test_progress_is_a_part(self, tracker: ITaskTracker, progress: float) -> None:
        task_id = await tracker.create_task("count")
        with pytest.raises(InvalidInput, match="from 0 to 1"):
            await tracker.update_task(task_id, progress=progress)
