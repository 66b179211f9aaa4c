"""A fixed number of workers over many items."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def run_all(work: Callable[[T], Awaitable[R]], items: Iterable[T], workers: int) -> list[R]:
    """The results, in the order of the items; ``workers`` are under way at a time.

    The first error is raised, and by then nothing runs any more.
    """
    todo = list(enumerate(items))
    results: dict[int, R] = {}
    left = iter(todo)

    async def worker() -> None:
        for number, item in left:
            results[number] = await work(item)

    tasks = [asyncio.ensure_future(worker()) for _ in range(min(workers, len(todo)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [results[number] for number, _ in todo]
