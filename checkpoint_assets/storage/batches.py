"""Many steps at once: a fixed number of workers, a bounded number of bytes, a report at the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from checkpoint_assets.model.errors import CheckpointError, InvalidInput, PartialFailure

T = TypeVar("T")
L = TypeVar("L")
R = TypeVar("R")

# Bytes of a batch that are in memory at a time, at most, but for one step that is larger.
BYTES_AT_ONCE = 128 << 20


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


class ByteBudget:
    """Room for so many bytes; one piece that is larger than all of it has it for itself."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._given_back = asyncio.Event()

    async def take(self, count: int) -> None:
        """Wait until there is room for them."""
        while self._used and self._used + count > self._size:
            self._given_back.clear()
            await self._given_back.wait()
        self._used += count

    def give_back(self, count: int) -> None:
        """They are not in memory any more."""
        self._used -= count
        self._given_back.set()


async def store_all(
    steps: Iterable[Step | Mapping[str, Any]] | AsyncIterable[Step | Mapping[str, Any]],
    store: Callable[[Step], Awaitable[object]],
    workers: int,
    bytes_at_once: int = BYTES_AT_ONCE,
) -> BatchReport:
    """Store each step. One that fails hinders no other.

    A step is taken from ``steps`` when a worker is free and those under way leave room for it.
    An error of ``steps`` itself is raised, after what had been taken is stored.
    """
    report = BatchReport()
    source = steps if isinstance(steps, AsyncIterable) else _as_async(steps)
    items = aiter(source)
    taking = asyncio.Lock()
    budget = ByteBudget(bytes_at_once)
    ended = False

    async def next_step() -> tuple[Step | Mapping[str, Any], int] | None:
        nonlocal ended
        # An iterator takes one question at a time; whoever waits for room keeps others from
        # taking more.
        async with taking:
            if ended:
                return None
            try:
                item = await anext(items)
            except BaseException as error:
                ended = True
                if isinstance(error, StopAsyncIteration):
                    return None
                raise
            size = _size(item)
            await budget.take(size)
            return item, size

    async def work() -> None:
        while taken := await next_step():
            item, size = taken
            name = _name(item)
            try:
                await store(as_step(item))
            except CheckpointError as error:
                report.failed[name] = error
            else:
                report.stored.append(name)
            finally:
                budget.give_back(size)

    results = await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return report


def _size(item: Step | Mapping[str, Any]) -> int:
    if isinstance(item, Step):
        parts = (item.html_content, item.screenshot_bytes)
    else:
        parts = (item.get("html_content"), item.get("screenshot_bytes"))
    return sum(len(part) for part in parts if isinstance(part, (str, bytes)))


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
    look: Callable[[str, str], Awaitable[L]],
    size: Callable[[L], int],
    read: Callable[[L], Awaitable[R]],
    *,
    ahead: int,
    bytes_at_once: int = BYTES_AT_ONCE,
) -> AsyncIterator[Retrieved[R]]:
    """Each step in the order of ``names``.

    ``look`` finds it, ``size`` says how many bytes ``read`` will bring. At most ``ahead`` are
    under way before they are taken, and no more bytes than there is room for.
    """
    source = names if isinstance(names, AsyncIterable) else _as_async(names)
    reading: deque[asyncio.Task[tuple[Retrieved[R], int]]] = deque()
    budget = ByteBudget(bytes_at_once)

    async def retrieve(
        session_id: str, step_id: str, turn: asyncio.Event, next_turn: asyncio.Event
    ) -> tuple[Retrieved[R], int]:
        count = 0
        try:
            try:
                found = await look(session_id, step_id)
            finally:
                # Room is given in order, or the one that is waited for might get none.
                await turn.wait()
            count = size(found)
            await budget.take(count)
            next_turn.set()
            return Retrieved(session_id, step_id, await read(found)), count
        except CheckpointError as error:
            failed: Retrieved[R] = Retrieved(session_id, step_id, None, error)
            return failed, count
        finally:
            next_turn.set()

    turn = asyncio.Event()
    turn.set()
    try:
        async for session_id, step_id in source:
            next_turn = asyncio.Event()
            work = retrieve(session_id, step_id, turn, next_turn)
            reading.append(asyncio.create_task(work))
            turn = next_turn
            if len(reading) >= ahead:
                item, count = await reading.popleft()
                yield item
                budget.give_back(count)
        while reading:
            item, count = await reading.popleft()
            yield item
            budget.give_back(count)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
