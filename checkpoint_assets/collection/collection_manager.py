"""The collection manager: runs sources, each in a task of its own, and always disconnects them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from checkpoint_assets.interfaces import IDataSource, IEventEmitter, ITaskTracker
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import CollectedData, SystemEvent
from checkpoint_assets.model.enums import CollectionStatus, EventType, TaskStatus
from checkpoint_assets.model.errors import InvalidInput, NotRegistered
from checkpoint_assets.runtime.cleanup import to_the_end
from checkpoint_assets.runtime.plugins import keeping
from checkpoint_assets.runtime.tasks import TaskTracker

# Takes what a source collected: its id and the thing. The source waits until it returns.
Sink = Callable[[str, CollectedData], Awaitable[None]]

_UNDER_WAY = {CollectionStatus.RUNNING, CollectionStatus.PAUSED}


class CollectionManager:
    """Keeps the contract of ``ICollectionManager``, for one event loop.

    ``sink`` gets everything that is collected, in the order of its source. ``events`` hears of
    begin, progress, pause, resume, end and errors, or of those that are ``told``; a task in
    ``tasks`` stands for each run, and cancelling it stops the source.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        events: IEventEmitter | None = None,
        told: Collection[EventType] = tuple(EventType),
        tasks: ITaskTracker | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._sink = sink
        self._events = events
        self._told = frozenset(told)
        self._tasks = tasks or TaskTracker(clock=clock)
        self._clock = clock
        self._sources: dict[str, _Registered] = {}

    async def register_source(
        self,
        source: IDataSource,
        sink: Sink | None = None,
        *,
        source_id: str | None = None,
        parent_id: str | None = None,
        expected: int | None = None,
    ) -> str:
        """Take the source in, with a sink and an id of its own if they are given.

        Its task is below that of ``parent_id``, and says how far it is if ``expected`` says how
        many things there will be.
        """
        keeping(IDataSource, source, "data source")
        source_id = source_id or source.get_source_id()
        if not isinstance(source_id, str) or not source_id:  # pyright: ignore[reportUnnecessaryIsInstance] (somebody else's)
            raise InvalidInput(f"{type(source).__name__} has no source id")
        if source_id in self._sources:
            raise InvalidInput(
                f"a source {source_id!r} is registered already", hint="unregister it first"
            )
        self._sources[source_id] = _Registered(source, sink or self._sink, parent_id, expected)
        return source_id

    async def unregister_source(self, source_id: str) -> None:
        if source_id not in self._sources:
            return
        await self.stop(source_id)
        self._sources.pop(source_id, None)

    async def start(self, source_id: str) -> None:
        entry = self._entry(source_id)
        if entry.status in _UNDER_WAY:
            raise InvalidInput(f"source {source_id!r} runs already", hint="stop it first")
        entry.begin()
        task_id = await self._tasks.create_task(f"collect {source_id}", parent_id=entry.parent_id)
        await self._tasks.update_task(task_id, status=TaskStatus.RUNNING)
        await self._tell(EventType.COLLECTION_START, source_id)
        entry.work = asyncio.create_task(self._run(source_id, entry, task_id))
        # Its error is told by the status, an event and ``wait``; none has to be asked.
        entry.work.add_done_callback(lambda work: work.cancelled() or work.exception())
        if isinstance(self._tasks, TaskTracker):
            self._tasks.on_cancel(task_id, entry.end)

    async def pause(self, source_id: str) -> None:
        entry = self._entry(source_id)
        if entry.status is CollectionStatus.RUNNING:
            entry.status = CollectionStatus.PAUSED
            entry.may_go_on.clear()
            await self._tell(EventType.COLLECTION_PAUSED, source_id)

    async def resume(self, source_id: str) -> None:
        entry = self._entry(source_id)
        if entry.status is CollectionStatus.PAUSED:
            entry.status = CollectionStatus.RUNNING
            await self._tell(EventType.COLLECTION_RESUMED, source_id)
            entry.may_go_on.set()

    async def stop(self, source_id: str) -> None:
        entry = self._entry(source_id)
        entry.end()
        if entry.work is not None:
            # What it ended with is told by ``wait``.
            await to_the_end(asyncio.ensure_future(asyncio.wait([entry.work])))

    async def cancel(self, source_id: str) -> None:
        """End it at once: what is being stored may be stored or not. Disconnected on return."""
        entry = self._entry(source_id)
        if entry.work is not None:
            entry.work.cancel()
            await to_the_end(asyncio.ensure_future(asyncio.wait([entry.work])))

    async def wait(self, source_id: str) -> CollectionStatus:
        entry = self._entry(source_id)
        if entry.work is not None:
            await asyncio.wait([entry.work])
            if not entry.work.cancelled():
                entry.work.result()
        return entry.status

    def get_status(self, source_id: str) -> CollectionStatus:
        return self._entry(source_id).status

    def was_stopped(self, source_id: str) -> bool:
        """Whether the last run was ended before its source's own end."""
        return self._entry(source_id).ended.is_set()

    def list_sources(self) -> Sequence[str]:
        return list(self._sources)

    async def close(self) -> None:
        """Stop and forget all sources."""
        for source_id in self.list_sources():
            await self.unregister_source(source_id)

    def _entry(self, source_id: str) -> _Registered:
        if source_id not in self._sources:
            known = ", ".join(self._sources) or "none"
            raise NotRegistered(f"there is no source {source_id!r}", hint=f"registered: {known}")
        return self._sources[source_id]

    async def _run(self, source_id: str, entry: _Registered, task_id: str) -> None:
        try:
            try:
                await self._collect(source_id, entry, task_id)
            finally:
                await to_the_end(asyncio.ensure_future(entry.source.disconnect()))
        except asyncio.CancelledError:
            entry.ended.set()
            await to_the_end(asyncio.ensure_future(self._end(source_id, entry, task_id)))
            raise
        except BaseException as err:
            entry.status = CollectionStatus.ERROR
            entry.may_go_on.set()
            await self._tasks.update_task(task_id, status=TaskStatus.FAILED, error=str(err))
            await self._tell(
                EventType.COLLECTION_ERROR, source_id, error=str(err), exception=type(err).__name__
            )
            raise
        await self._end(source_id, entry, task_id)

    async def _end(self, source_id: str, entry: _Registered, task_id: str) -> None:
        stopped = entry.ended.is_set()
        entry.status = CollectionStatus.STOPPED
        entry.may_go_on.set()
        await self._tasks.update_task(
            task_id, status=TaskStatus.CANCELLED if stopped else TaskStatus.COMPLETED
        )
        await self._tell(
            EventType.COLLECTION_COMPLETE, source_id, items=entry.items, stopped=stopped
        )

    async def _collect(self, source_id: str, entry: _Registered, task_id: str) -> None:
        if not await entry.unless_ended(entry.source.connect()):
            return
        async with contextlib.aclosing(entry.source.collect_stream()) as stream:
            while True:
                try:
                    found = await entry.unless_ended(anext(stream))
                except StopAsyncIteration:
                    return
                if not found:
                    return
                await entry.sink(source_id, found[0])
                entry.items += 1
                if entry.expected:
                    progress = min(1.0, entry.items / entry.expected)
                    await self._tasks.update_task(task_id, progress=progress)
                await self._tell(EventType.COLLECTION_PROGRESS, source_id, items=entry.items)
                await entry.may_go_on.wait()

    async def _tell(self, kind: EventType, source_id: str, **data: Any) -> None:
        if self._events is not None and kind in self._told:
            told = {"source_id": source_id, **data}
            await self._events.emit(SystemEvent(kind, self._clock.now(), source_id, told))


class _Registered:
    """A source and what it is doing."""

    def __init__(
        self, source: IDataSource, sink: Sink, parent_id: str | None, expected: int | None
    ) -> None:
        self.source = source
        self.sink = sink
        self.parent_id = parent_id
        self.expected = expected
        self.status = CollectionStatus.IDLE
        self.work: asyncio.Task[None] | None = None
        self.begin()
        self.status = CollectionStatus.IDLE

    def begin(self) -> None:
        self.status = CollectionStatus.RUNNING
        self.items = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.ended = asyncio.Event()

    def end(self) -> None:
        """Take nothing more from the source; what is being stored is stored to its end."""
        if self.status in _UNDER_WAY:
            self.ended.set()
            self.may_go_on.set()

    async def unless_ended(self, work: Awaitable[Any]) -> tuple[Any] | None:
        """The result in a tuple of one, or ``None`` if the end came first."""
        doing = asyncio.ensure_future(work)
        end = asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait({doing, end}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done() and not self.ended.is_set():
                return (doing.result(),)
        finally:
            end.cancel()
            doing.cancel()
            # Not left behind in the middle: what is cancelled may take a moment to let go.
            await to_the_end(asyncio.ensure_future(asyncio.wait({doing, end})))
        if not doing.cancelled() and (error := doing.exception()) is not None:
            raise error
        return None
