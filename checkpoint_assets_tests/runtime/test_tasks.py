from __future__ import annotations

import asyncio

import pytest

from checkpoint_assets.model.enums import EventType, TaskStatus
from checkpoint_assets.runtime.tasks import TaskTracker
from checkpoint_assets.testing.mocks import MockEventEmitter


async def test_a_block_is_a_task_that_ends_as_it_does() -> None:
    tracker = TaskTracker()
    async with tracker.tracked("good") as good:
        assert tracker.get_task(good).status is TaskStatus.RUNNING
    assert tracker.get_task(good).status is TaskStatus.COMPLETED
    with pytest.raises(RuntimeError, match="broke"):
        async with tracker.tracked("bad") as bad:
            raise RuntimeError("it broke")
    assert (tracker.get_task(bad).status, tracker.get_task(bad).error) == (
        TaskStatus.FAILED,
        "it broke",
    )


async def test_cancelling_a_task_cancels_its_block() -> None:
    tracker = TaskTracker()

    async def work() -> None:
        async with tracker.tracked("long"):
            await asyncio.sleep(60)

    running = asyncio.create_task(work())
    await asyncio.sleep(0)
    (task,) = tracker.list_tasks()
    await tracker.cancel_task(task.task_id)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert tracker.get_task(task.task_id).status is TaskStatus.CANCELLED


async def test_a_block_that_is_cancelled_is_a_cancelled_task() -> None:
    tracker = TaskTracker()

    async def work() -> None:
        async with tracker.tracked("long"):
            await asyncio.sleep(60)

    running = asyncio.create_task(work())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (task,) = tracker.list_tasks()
    assert task.status is TaskStatus.CANCELLED


async def test_each_change_is_told() -> None:
    events = MockEventEmitter()
    tracker = TaskTracker(events)
    task_id = await tracker.create_task("count")
    await tracker.update_task(task_id, progress=0.5, message="half")
    await tracker.update_task(task_id, status=TaskStatus.COMPLETED)
    told = [
        (event.event_type, event.data["status"], event.data["progress"]) for event in events.events
    ]
    assert told == [
        (EventType.TASK_PROGRESS, "pending", None),
        (EventType.TASK_PROGRESS, "running", 0.5),
        (EventType.TASK_COMPLETE, "completed", 1.0),
    ]


async def test_only_the_latest_of_those_that_have_ended_are_remembered() -> None:
    tracker = TaskTracker(kept=3)
    running = await tracker.create_task("running")
    ids = []
    for number in range(10):
        ids.append(await tracker.create_task(f"short {number}"))
        await tracker.update_task(ids[-1], status=TaskStatus.COMPLETED)
    assert [task.task_id for task in tracker.list_tasks()] == [running, *ids[-3:]]
