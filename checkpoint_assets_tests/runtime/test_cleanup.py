"""Clean-up is finished although its task is being cancelled, and the cancellation is not lost."""

from __future__ import annotations

import asyncio

import pytest

from checkpoint_assets.runtime.cleanup import to_the_end


async def test_the_result_comes_back():
    async def work() -> int:
        return 42

    assert await to_the_end(asyncio.ensure_future(work())) == 42


async def test_what_the_work_raises_comes_back():
    async def work() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await to_the_end(asyncio.ensure_future(work()))


async def test_work_is_finished_through_any_number_of_cancellations():
    may_end, finished = asyncio.Event(), []

    async def work() -> None:
        await may_end.wait()
        finished.append(True)

    task = asyncio.ensure_future(to_the_end(asyncio.ensure_future(work())))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert finished == [True]


async def test_a_cancellation_in_the_moment_the_work_ends_is_not_lost():
    work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(to_the_end(work))
    await asyncio.sleep(0)
    # Behind the callback of whoever waits: the result is there, the waiter has not seen it yet.
    work.add_done_callback(lambda _: task.cancel())
    work.set_result(42)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_failure_after_a_cancellation_is_told():
    may_end = asyncio.Event()

    async def work() -> None:
        await may_end.wait()
        raise LookupError("could not clean up")

    task = asyncio.ensure_future(to_the_end(asyncio.ensure_future(work())))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(LookupError, match="clean up"):
        await task


async def test_work_that_is_cancelled_itself_ends_the_waiting():
    work = asyncio.ensure_future(asyncio.Event().wait())
    task = asyncio.ensure_future(to_the_end(work))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_around_it_is_kept_when_the_work_is_done():
    async def work() -> str:
        await asyncio.sleep(0.05)
        return "done"

    running = asyncio.ensure_future(work())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await to_the_end(running)
    assert running.result() == "done"
