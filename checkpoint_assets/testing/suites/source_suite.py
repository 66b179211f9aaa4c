# ruff: noqa: S101 - assert is what tests are made of
"""What every data source promises."""

from __future__ import annotations

import asyncio
import contextlib

from checkpoint_assets.interfaces import IDataSource
from checkpoint_assets.model.contract_records import CollectedData


class DataSourceSuite:
    """Subclass it with a fixture ``source``: not connected, with at least two things to collect."""

    async def test_it_keeps_the_contract(self, source: IDataSource) -> None:
        assert isinstance(source, IDataSource)
        assert isinstance(source.get_source_id(), str)
        assert source.get_source_id()

    async def test_a_stream_yields_whole_records_in_order(self, source: IDataSource) -> None:
        await source.connect()
        try:
            async with contextlib.aclosing(source.collect_stream()) as stream:
                found = [data async for data in stream]
        finally:
            await source.disconnect()
        assert len(found) >= 2
        for data in found:
            assert isinstance(data, CollectedData)
            assert data.source_id == source.get_source_id()
            assert data.timestamp.utcoffset() is not None
            assert data.data_format
            assert data.collection_method
        times = [data.timestamp for data in found]
        assert times == sorted(times)

    async def test_single_things_end_with_stop_async_iteration(self, source: IDataSource) -> None:
        await source.connect()
        try:
            count = 0
            with contextlib.suppress(StopAsyncIteration):
                while count < 1000:
                    await source.collect()
                    count += 1
        finally:
            await source.disconnect()
        assert 2 <= count < 1000

    async def test_connect_and_disconnect_may_be_called_twice(self, source: IDataSource) -> None:
        await source.disconnect()
        await source.connect()
        await source.connect()
        await source.disconnect()
        await source.disconnect()

    async def test_a_stream_can_be_left_early(self, source: IDataSource) -> None:
        await source.connect()
        try:
            async with contextlib.aclosing(source.collect_stream()) as stream:
                async for _ in stream:
                    break
        finally:
            await source.disconnect()

    async def test_nothing_is_left_when_it_is_cancelled(self, source: IDataSource) -> None:
        before = asyncio.all_tasks()

        async def collect() -> None:
            try:
                await source.connect()
                async for _ in source.collect_stream():
                    pass
            finally:
                await source.disconnect()

        work = asyncio.create_task(collect())
        await asyncio.sleep(0)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        left = asyncio.all_tasks() - before - {work}
        if left:
            await asyncio.wait(left, timeout=5)
        assert not [task for task in left if not task.done()]
