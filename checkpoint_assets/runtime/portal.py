"""From blocking code into an event loop in a thread of its own, also where a loop already runs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Portal:
    """An event loop in a daemon thread; :meth:`call` runs a coroutine there and waits for it.

    May be called from many threads. ``close`` cancels what runs and ends the loop; calling after
    that is an error.
    """

    def __init__(self, name: str = "checkpoint-portal") -> None:
        self._loop = asyncio.new_event_loop()
        # What is scheduled before the end is seen by the loop; nothing is scheduled after it.
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self._stop = asyncio.Event()
            runner.run(self._stop.wait())

    def call(
        self, function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The coroutine's result, or what it raised.

        An interrupt of the waiting thread (Ctrl-C, a terminated run) cancels the coroutine, waits
        until it has cleaned up, and is raised again.
        """
        if threading.get_ident() == self._thread.ident:
            raise RuntimeError("a blocking call from inside the event loop would wait for itself")
        accepted = False
        finished = threading.Event()
        task: Future[asyncio.Task[T]] = Future()

        def start() -> None:
            running = self._loop.create_task(function(*args, **kwargs))
            running.add_done_callback(lambda _: finished.set())
            task.set_result(running)

        def stop() -> None:
            # Runs behind `start`, if that was ever scheduled: the interrupt may come before it.
            if task.done():
                task.result().cancel()
            else:
                finished.set()

        try:
            with self._lock:
                if not self._closing:
                    accepted = True
                    self._loop.call_soon_threadsafe(start)
            if accepted:
                finished.wait()
        except BaseException:
            if accepted:
                with contextlib.suppress(RuntimeError):  # closed in between, and so cancelled
                    self._loop.call_soon_threadsafe(stop)
                finished.wait()
            raise
        if not accepted:
            raise RuntimeError("the portal is closed")
        return task.result().result()

    @property
    def closed(self) -> bool:
        """Whether the loop has ended."""
        return not self._thread.is_alive()

    def close(self) -> None:
        """End the loop and its thread. Safe to call twice."""
        with self._lock:
            if not self._closing:
                self._closing = True
                self._loop.call_soon_threadsafe(lambda: self._stop.set())
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
