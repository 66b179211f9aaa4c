"""The portal: blocking code gets a coroutine's result, error and clean-up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from checkpoint_assets.runtime.portal import Portal


async def double(number: int, *, times: int = 2) -> int:
    await asyncio.sleep(0)
    return number * times


async def fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("nothing there")


def interrupt_main_thread() -> None:
    """What Ctrl-C does."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_the_result_comes_back():
    with Portal() as portal:
        assert portal.call(double, 21) == 42
        assert portal.call(double, 21, times=3) == 63


def test_what_the_coroutine_raises_comes_back_with_its_traceback():
    with Portal() as portal, pytest.raises(LookupError, match="nothing there") as caught:
        portal.call(fail)
    assert any(entry.name == "fail" for entry in caught.traceback)


def test_a_call_goes_on_after_one_that_failed():
    with Portal() as portal:
        with pytest.raises(LookupError):
            portal.call(fail)
        assert portal.call(double, 1) == 2


async def test_it_works_inside_a_running_loop():
    with Portal() as portal:
        assert portal.call(double, 21) == 42


def test_an_interrupt_cancels_the_coroutine_and_waits_for_its_clean_up():
    cleaned = []

    async def work() -> None:
        try:
            interrupt_main_thread()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            cleaned.append(True)

    with Portal() as portal:
        with pytest.raises(KeyboardInterrupt):
            portal.call(work)
        assert cleaned == [True]
        assert portal.call(double, 1) == 2


def test_an_interrupt_of_a_coroutine_that_ends_well_all_the_same_is_raised():
    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            interrupt_main_thread()
            await asyncio.Event().wait()
        return "done"

    with Portal() as portal, pytest.raises(KeyboardInterrupt):
        portal.call(work)


def test_many_threads_call_at_once():
    together = threading.Barrier(16)

    async def number(n: int) -> int:
        await asyncio.sleep(0.001)
        return n

    def call(n: int) -> int:
        together.wait()
        return portal.call(number, n)

    with Portal() as portal, ThreadPoolExecutor(16) as threads:
        assert list(threads.map(call, range(16))) == list(range(16))


def test_calls_of_two_threads_run_side_by_side():
    async def meet(mine: asyncio.Event, other: asyncio.Event) -> None:
        mine.set()
        await other.wait()

    with Portal() as portal, ThreadPoolExecutor(2) as threads:
        one, other = asyncio.Event(), asyncio.Event()
        calls = [
            threads.submit(portal.call, meet, one, other),
            threads.submit(portal.call, meet, other, one),
        ]
        for call in calls:
            call.result(timeout=10)


def test_a_call_from_its_own_loop_is_refused_instead_of_waiting_for_ever():
    async def call_again() -> int:
        return portal.call(double, 1)

    with Portal() as portal, pytest.raises(RuntimeError, match="wait for itself"):
        portal.call(call_again)


def test_after_close_a_call_is_an_error_and_close_is_fine():
    portal = Portal()
    portal.close()
    portal.close()
    assert portal.closed
    with pytest.raises(RuntimeError):
        portal.call(double, 1)


def test_closing_cancels_what_still_runs():
    portal = Portal()
    running = threading.Event()

    async def work() -> None:
        running.set()
        await asyncio.Event().wait()

    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(portal.call, work)
        assert running.wait(10)
        portal.close()
        with pytest.raises(asyncio.CancelledError):
            call.result(timeout=10)


def test_a_call_while_another_thread_closes_ends_one_way_or_the_other():
    def call_until_closed(portal: Portal) -> None:
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            while True:
                portal.call(double, 1)

    with ThreadPoolExecutor(4) as threads:
        for _ in range(100):
            portal = Portal()
            calls = [threads.submit(call_until_closed, portal) for _ in range(4)]
            portal.call(double, 1)
            portal.close()
            for each in calls:
                each.result(timeout=10)


def test_its_thread_is_gone_after_close():
    with Portal("portal-of-this-test"):
        assert "portal-of-this-test" in {thread.name for thread in threading.enumerate()}
    assert "portal-of-this-test" not in {thread.name for thread in threading.enumerate()}
