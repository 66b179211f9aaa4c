"""Browsers are shared, take no more than they may, give way in time, and are always ended."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from typing import Any

import pytest

from checkpoint_assets.collection.browser.browser_pool import BrowserPool, Lease
from checkpoint_assets.config import Browsers
from checkpoint_assets_tests.children import (
    all_gone,
    browser_pid,
    descendants,
    kill_renderers,
)
from checkpoint_assets_tests.pages import hermetic_settings

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def pool_of(**limits: Any) -> BrowserPool:
    settings = hermetic_settings(close=1)
    return BrowserPool(settings.model_copy(update={"browsers": Browsers(**limits)}))


async def use(lease: Lease) -> None:
    """Open a page, and close it."""
    context = await lease.new_context()
    await (await context.new_page()).goto("about:blank")
    await context.close()


# Places. No browser starts before it is asked for a page.


async def test_a_browser_is_filled_before_another_is_begun():
    async with pool_of(size=2, sessions=2) as pool, AsyncExitStack() as stack:
        leases = [await stack.enter_async_context(pool.lease()) for _ in range(4)]
        first, second, third, fourth = (lease.chromium for lease in leases)
        assert first is second
        assert third is fourth
        assert first is not third


async def test_one_too_many_waits_for_a_place():
    async with pool_of(size=1, sessions=2) as pool, AsyncExitStack() as stack:
        await stack.enter_async_context(pool.lease())
        async with pool.lease():
            waiting = asyncio.ensure_future(stack.enter_async_context(pool.lease()))
            await asyncio.sleep(0)
            assert not waiting.done()
        async with asyncio.timeout(5):
            await waiting


async def test_one_that_gives_up_waiting_takes_no_place():
    async with pool_of(size=1, sessions=1) as pool:
        async with pool.lease():
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.lease().__aenter__(), 0.05)
        async with asyncio.timeout(5), pool.lease():
            pass


async def test_one_that_wants_to_be_alone_is():
    async with pool_of(size=2, sessions=4) as pool, AsyncExitStack() as stack:
        first = await stack.enter_async_context(pool.lease())
        alone = await stack.enter_async_context(pool.lease(alone=True))
        third = await stack.enter_async_context(pool.lease())
        assert first.chromium is third.chromium
        assert alone.chromium is not first.chromium
        assert not alone.had_company
        assert first.had_company
        assert third.had_company


async def test_one_that_wants_to_be_alone_waits_for_a_browser_that_is_left():
    async with pool_of(size=1, sessions=4) as pool:
        async with pool.lease() as first:
            waiting = asyncio.ensure_future(pool.lease(alone=True).__aenter__())
            await asyncio.sleep(0)
            assert not waiting.done()
        async with asyncio.timeout(5):
            assert (await waiting).chromium is first.chromium


# Browsers


async def test_sessions_share_a_browser_one_after_another_and_at_once():
    before = descendants()
    async with pool_of() as pool:
        async with pool.lease() as one, pool.lease() as other:
            await asyncio.gather(use(one), use(other))
            first = browser_pid(before)
        async with pool.lease() as later:
            await use(later)
        assert browser_pid(before) == first
    assert await all_gone(before) == {}


@pytest.mark.parametrize("limit", [{"recycle_after": 1}, {"recycle_above": 1}])
async def test_a_browser_beyond_its_limit_gives_way_when_its_last_session_has_left(
    limit: dict[str, int],
):
    before = descendants()
    async with pool_of(**limit, size=2) as pool:
        async with pool.lease() as staying:
            await use(staying)
            first = browser_pid(before)
            async with pool.lease() as leaving:
                await use(leaving)
            await use(staying)
            assert first in descendants()
        assert first not in descendants()
        async with pool.lease() as later:
            await use(later)
            assert browser_pid(before) != first
    assert await all_gone(before) == {}


async def test_the_memory_of_a_browser_is_that_of_all_its_processes():
    async with pool_of() as pool, pool.lease() as lease:
        context = await lease.new_context()
        page = await context.new_page()
        empty = await lease.chromium.memory()
        assert 10_000_000 < empty < 1_000_000_000
        await page.evaluate("globalThis.kept = new Uint8Array(100_000_000).fill(1); 0")
        assert await lease.chromium.memory() > empty + 90_000_000
        await context.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_browser_that_is_gone_or_hangs_gives_way(how: signal.Signals):
    before = descendants()
    async with pool_of() as pool:
        async with pool.lease() as lease:
            await use(lease)
            first = browser_pid(before)
            os.kill(first, how)
        async with asyncio.timeout(30), pool.lease() as later:
            await use(later)
            assert browser_pid(before) != first
    assert await all_gone(before) == {}


async def test_a_renderer_that_crashes_harms_no_browser():
    before = descendants()
    async with pool_of() as pool:
        async with pool.lease() as lease:
            context = await lease.new_context()
            await (await context.new_page()).goto("about:blank")
            first = browser_pid(before)
            kill_renderers(before)
            await context.close()
            assert not lease.lost
        async with pool.lease() as later:
            await use(later)
            assert browser_pid(before) == first


async def test_a_pool_that_is_closed_with_sessions_in_it_leaves_nothing():
    before = descendants()
    pool = pool_of()
    async with pool.lease() as lease:
        await use(lease)
        await pool.close()
        assert await all_gone(before) == {}
        assert lease.lost
    await pool.close()
