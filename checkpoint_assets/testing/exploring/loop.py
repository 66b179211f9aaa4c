"""An event loop that runs only when it is told to: no threads, no files, no clock but its own."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
Lineage = tuple[object, ...]


def at_once(work: Awaitable[T]) -> T:
    """The result of ``work``, which must not wait for anything."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    raise RuntimeError(f"{work} waits")


class _Call(asyncio.Handle):
    """A callback that waits for its turn."""

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self.context = context or contextvars.copy_context()
        super().__init__(callback, args, loop, self.context)
        self.callback = callback
        self.args = args

    def run(self) -> None:
        if not self.cancelled():
            self.context.run(self.callback, *self.args)


class SteppingLoop(asyncio.AbstractEventLoop):
    """Enough of an event loop for tasks, futures, timeouts and what asyncio builds of them.

    Work for a thread is done at once, on the spot. Time stands still until ``advance``.
    """

    def __init__(self) -> None:
        self._ready: deque[_Call] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, _Call]] = []
        self._added = 0
        self._now = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self._lineages: dict[asyncio.Task[Any] | None, Lineage] = {}
        self._children: dict[Lineage, int] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Inside the block this is the thread's running loop, also within another one."""
        # asyncio's own hooks for those who write event loops; documented in asyncio.events.
        outer = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]
        asyncio._set_running_loop(self)  # pyright: ignore[reportPrivateUsage]
        try:
            yield
        finally:
            asyncio._set_running_loop(outer)  # pyright: ignore[reportPrivateUsage]

    def run_until_idle(self) -> None:
        """Run callbacks until there is none; what waits for a future or a timer stays waiting."""
        while self._ready:
            self._ready.popleft().run()

    def advance(self) -> bool:
        """Let time pass until the next timer has fired. False if there is none."""
        while self._timers:
            when, _, timer, call = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(call)
                self.run_until_idle()
                return True
        return False

    def complete(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, run here and now. It must wait for nobody but itself."""
        task = self.create_task(work)
        self.run_until_idle()
        while not task.done() and self.advance():
            pass
        if not task.done():
            task.cancel()
            self.run_until_idle()
            raise RuntimeError(f"{work} waits for somebody else")
        return task.result()

    def cancel_all(self) -> None:
        """End all tasks."""
        while unfinished := [task for task in self._tasks if not task.done()]:
            for task in unfinished:
                task.cancel()
            self.run_until_idle()
        for task in self._tasks:
            if not task.cancelled():
                task.exception()  # Somebody has looked: asyncio need not warn.
        self._tasks.clear()

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        call = _Call(callback, args, self, context)
        self._ready.append(call)
        return call

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        call = _Call(callback, args, self, context)
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._added += 1
        heapq.heappush(self._timers, (when, self._added, timer, call))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio tells of each cancelled timer; ``advance`` passes over them."""

    def time(self) -> float:
        return self._now

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        # A task is known by its parent and by which of its children it is: the same in any run.
        parent = asyncio.current_task(self)
        lineage = self._lineages.get(parent, ())
        number = self._children[lineage] = self._children.get(lineage, 0) + 1
        self._lineages[task] = (*lineage, name or "", number)
        return task

    def lineage(self) -> Lineage:
        """Which task is running: equal for the same one in another run."""
        return self._lineages.get(asyncio.current_task(self), ())

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the result
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise RuntimeError(str(context.get("message"))) from context.get("exception")
