"""The task tracker: what is going on, how far it is, and how it ended."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import SystemEvent, TaskInfo
from checkpoint_assets.model.enums import EventType, TaskStatus
from checkpoint_assets.model.errors import InvalidInput, NotRegistered

T = TypeVar("T")

# Tasks that have ended are remembered up to this number, the latest ones.
KEPT = 1000


class TaskTracker:
    """Keeps the contract of ``ITaskTracker``, and tells ``events`` of each change.

    Of tasks that have ended the latest ``kept`` are remembered.
    """

    def __init__(
        self,
        events: IEventEmitter | None = None,
        *,
        clock: Clock = system_clock,
        kept: int = KEPT,
    ) -> None:
        self._events = events
        self._clock = clock
        self._kept = kept
        self._tasks: OrderedDict[str, TaskInfo] = OrderedDict()
        self._stops: dict[str, Callable[[], object]] = {}
        self._numbers = itertools.count(1)

    async def create_task(self, name: str, *, parent_id: str | None = None) -> str:
        if parent_id is not None:
            self.get_task(parent_id)
        task_id = f"task-{next(self._numbers)}"
        self._tasks[task_id] = TaskInfo(
            task_id, name, TaskStatus.PENDING, self._clock.now(), parent_id=parent_id
        )
        await self._tell(task_id)
        return task_id

    async def update_task(
        self,
        task_id: str,
        *,
        status: TaskStatus | None = None,
        progress: float | None = None,
        message: str | None = None,
        error: str | None = None,
    ) -> None:
        task = self.get_task(task_id)
        if progress is not None and not 0 <= progress <= 1:
            raise InvalidInput(f"progress is from 0 to 1, not {progress}")
        if task.status.is_final:
            return
        status = status or (TaskStatus.RUNNING if progress is not None else task.status)
        self._tasks[task_id] = replace(
            task,
            status=status,
            progress=1.0 if status is TaskStatus.COMPLETED else _or(progress, task.progress),
            message=_or(message, task.message),
            error=_or(error, task.error),
            ended_at=self._clock.now() if status.is_final else None,
        )
        if status.is_final:
            self._stops.pop(task_id, None)
        await self._tell(task_id)
        self._forget()

    async def cancel_task(self, task_id: str) -> None:
        below = [task.task_id for task in self._tasks.values() if task.parent_id == task_id]
        for child in below:
            await self.cancel_task(child)
        stop = self._stops.pop(task_id, None)
        await self.update_task(task_id, status=TaskStatus.CANCELLED)
        if stop is not None:
            stop()

    def get_task(self, task_id: str) -> TaskInfo:
        if task_id not in self._tasks:
            raise NotRegistered(f"there is no task {task_id!r}")
        return self._tasks[task_id]

    def list_tasks(self, status: TaskStatus | None = None) -> Sequence[TaskInfo]:
        return [task for task in self._tasks.values() if status in (None, task.status)]

    def on_cancel(self, task_id: str, stop: Callable[[], object]) -> None:
        """Call ``stop`` when the task is cancelled before it has ended."""
        self.get_task(task_id)
        self._stops[task_id] = stop

    @asynccontextmanager
    async def tracked(self, name: str, *, parent_id: str | None = None) -> AsyncGenerator[str]:
        """A task that is the block, run by the current asyncio task; yields its id.

        It ends as the block does; cancelling it cancels the block.
        """
        task_id = await self.create_task(name, parent_id=parent_id)
        here = asyncio.current_task()
        assert here is not None  # noqa: S101 (this is a coroutine)
        self.on_cancel(task_id, here.cancel)
        await self.update_task(task_id, status=TaskStatus.RUNNING)
        try:
            yield task_id
        except asyncio.CancelledError:
            self._stops.pop(task_id, None)
            await self.update_task(task_id, status=TaskStatus.CANCELLED)
            raise
        except BaseException as err:
            await self.update_task(task_id, status=TaskStatus.FAILED, error=str(err))
            raise
        await self.update_task(task_id, status=TaskStatus.COMPLETED)

    async def _tell(self, task_id: str) -> None:
        if self._events is None:
            return
        task = self._tasks[task_id]
        kind = EventType.TASK_COMPLETE if task.status.is_final else EventType.TASK_PROGRESS
        data = {
            "task_id": task.task_id,
            "name": task.name,
            "status": str(task.status),
            "progress": task.progress,
            "message": task.message,
            "error": task.error,
            "parent_id": task.parent_id,
        }
        await self._events.emit(SystemEvent(kind, self._clock.now(), "tasks", data))

    def _forget(self) -> None:
        ended = [task.task_id for task in self._tasks.values() if task.status.is_final]
        for task_id in ended[: max(0, len(ended) - self._kept)]:
            del self._tasks[task_id]


def _or(new: T | None, old: T | None) -> T | None:
    return old if new is None else new
