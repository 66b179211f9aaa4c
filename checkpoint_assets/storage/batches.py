"""Many steps at once: a fixed number of workers, a bounded number of bytes, a report at the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from checkpoint_assets.model.errors import CheckpointError, InvalidInput, PartialFailure

T = TypeVar("T")
R = TypeVar("R")

# Steps that are being read ahead of the one that the caller has, at most.
READ_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Step:
    """A step to be stored: what ``store_step_data`` takes."""

    session_id: str
    step_id: str
    html_content: str | bytes | None = None
    screenshot_bytes: bytes | None = None
    action_data: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    timings: Mapping[str, float] | None = None

    @property
    def name(self) -> str:
        """``session/step``, for reports."""
        return f"{self.session_id}/{self.step_id}"


def as_step(item: Step | Mapping[str, Any]) -> Step:
    """The item as a ``Step``. Raises ``InvalidInput`` for unknown or missing members."""
    if isinstance(item, Step):
        return item
    try:
        return Step(**item)
    except TypeError as error:
        raise InvalidInput(f"this is no step: {error}") from error


@dataclass(slots=True)
class BatchReport:
    """What became of each step of a batch, by ``session/step``."""

    stored: list[str] = field(default_factory=list[str])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])

    def raise_failures(self) -> None:
        """Raises ``PartialFailure`` with all errors, if there is one."""
        if self.failed:
            name, error = next(iter(self.failed.items()))
            raise PartialFailure(
                f"{len(self.failed)} of {len(self.failed) + len(self.stored)} steps could not be "
                f"stored, the first of them {name}: {error}",
                self.failed,
                hint="store the failed ones again",
            ) from error


async def store_all(
    steps: Iterable[Step | Mapping[str, Any]] | AsyncIterable[Step | Mapping[str, Any]],
    store: Callable[[Step], Awaitable[object]],
    workers: int,
) -> BatchReport:
    """Store each step. One that fails hinders no other; ``steps`` is taken from as room is.

    An error of ``steps`` itself is raised, after what had been taken is stored.
    """
    report = BatchReport()
    source = steps if isinstance(steps, AsyncIterable) else _as_async(steps)
    items = aiter(source)
    taking = asyncio.Lock()
    ended = False

    async def work() -> None:
        nonlocal ended
        while True:
            # An iterator takes one question at a time.
            async with taking:
                if ended:
                    return
                try:
                    item = await anext(items)
                except BaseException as error:
                    ended = True
                    if isinstance(error, StopAsyncIteration):
                        return
                    raise
            name = _name(item)
            try:
                await store(as_step(item))
            except CheckpointError as error:
                report.failed[name] = error
            else:
                report.stored.append(name)

    results = await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return report


def _name(item: Step | Mapping[str, Any]) -> str:
    if isinstance(item, Step):
        return item.name
    return f"{item.get('session_id')}/{item.get('step_id')}"


async def _as_async(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item


@dataclass(frozen=True, slots=True)
class Retrieved(Generic[R]):
    """A step that was read, or the error of one that could not be."""

    session_id: str
    step_id: str
    value: R | None = None
    error: Exception | None = None

    def get(self) -> R:
        """What was read. Raises the error."""
        if self.error is not None:
            raise self.error
        if self.value is None:
            raise AssertionError("neither value nor error")
        return self.value


async def retrieve_all(
    names: Iterable[tuple[str, str]] | AsyncIterable[tuple[str, str]],
    retrieve: Callable[[str, str], Awaitable[R]],
    ahead: int = READ_AHEAD,
) -> AsyncIterator[Retrieved[R]]:
    """Each step in the order of ``names``; at most ``ahead`` are read before they are taken."""
    source = names if isinstance(names, AsyncIterable) else _as_async(names)
    reading: deque[asyncio.Task[Retrieved[R]]] = deque()

    async def read(session_id: str, step_id: str) -> Retrieved[R]:
        try:
            return Retrieved(session_id, step_id, await retrieve(session_id, step_id))
        except CheckpointError as error:
            failed: Retrieved[R] = Retrieved(session_id, step_id, None, error)
            return failed

    try:
        async for session_id, step_id in source:
            reading.append(asyncio.create_task(read(session_id, step_id)))
            if len(reading) >= ahead:
                yield await reading.popleft()
        while reading:
            yield await reading.popleft()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
