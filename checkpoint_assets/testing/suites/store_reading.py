# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: what ``fetch``, ``get``, ``open`` and ``stat`` promise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from checkpoint_assets.model.errors import NotFound, StorageManagerError
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.store_case import StoreCase, put, read

MEBIBYTE = 1024 * 1024
LARGEST_CHUNK = 16 * MEBIBYTE
READERS = ["get", "fetch", "stat", "open"]


class ReadingTests(StoreCase):
    """Whole objects, ranges, what is absent, and what a store knows of an object."""

    async def test_fetch_gives_bytes_and_what_stat_says(self, store: Store) -> None:
        await put(store, "k", b"<p>")
        found = await store.fetch("k")
        stat = await store.stat("k")
        assert found.data == b"<p>"
        assert (found.info.key, found.info.size, found.info.etag) == ("k", 3, stat.etag)

    async def test_absent_object_is_not_found(self, store: Store) -> None:
        await put(store, "s/present")
        for reader in READERS:
            with pytest.raises(NotFound) as error:
                await _use(store, reader, "s/absent")
            assert error.value.key == "s/absent"
            assert isinstance(error.value, FileNotFoundError)
            assert isinstance(error.value, StorageManagerError)

    async def test_neither_a_folder_nor_what_is_below_an_object_is_found(
        self, store: Store
    ) -> None:
        await put(store, "s/k")
        for reader in READERS:
            for key in ("s", "s/k/below", "absent/folder/k"):
                with pytest.raises(NotFound):
                    await _use(store, reader, key)

    async def test_deleted_object_is_not_found(self, store: Store) -> None:
        await put(store, "k")
        await store.delete(["k"])
        with pytest.raises(NotFound):
            await store.get("k")

    async def test_version_that_does_not_exist_is_an_error(self, store: Store) -> None:
        await put(store, "k")
        with pytest.raises(StorageManagerError):
            await store.get("k", version="3sL4kqtJlcpXroDTDmJrmSpXd3dIbrHY")

    async def test_modified_is_aware_and_about_now(self, store: Store) -> None:
        before = datetime.now(UTC)
        await put(store, "k")
        modified = (await store.stat("k")).modified
        assert modified.utcoffset() is not None
        assert abs(modified - before) < timedelta(minutes=5)

    async def test_object_that_is_replaced_later_is_not_older(self, store: Store) -> None:
        await put(store, "k", b"first")
        first = (await store.stat("k")).modified
        await put(store, "k", b"second", create=False)
        # A file system's clock ticks some hundred times a second.
        assert (await store.stat("k")).modified > first - timedelta(seconds=0.1)

    async def test_reading_changes_nothing(self, store: Store) -> None:
        await put(store, "k")
        before = await store.stat("k")
        await store.get("k")
        await read(store, "k")
        assert await store.stat("k") == before

    async def test_open_gives_all_bytes_in_bounded_chunks(self, store: Store) -> None:
        data = bytes(range(256)) * (17 * MEBIBYTE // 256)
        await put(store, "k", data)
        chunks = [chunk async for chunk in store.open("k")]
        assert b"".join(chunks) == data
        assert max(map(len, chunks)) <= LARGEST_CHUNK
        assert min(map(len, chunks)) > 0

    async def test_range_gives_just_these_bytes(self, store: Store) -> None:
        data = b"0123456789"
        await put(store, "k", data)
        for start in (0, 4, 9, 10, 99):
            for length in (None, 0, 1, 3, 6, 10, 99):
                end = None if length is None else start + length
                found = await read(store, "k", start=start, length=length)
                assert found == data[start:end], f"{length} from {start}"

    @pytest.mark.parametrize("start", [0, 7])
    async def test_range_of_an_empty_object_is_empty(self, store: Store, start: int) -> None:
        await put(store, "k", b"")
        assert await read(store, "k", start=start) == b""

    async def test_range_across_chunks_is_seamless(self, store: Store) -> None:
        data = bytes(range(256)) * (10 * MEBIBYTE // 256)
        await put(store, "k", data)
        start, length = MEBIBYTE - 1, 8 * MEBIBYTE + 2
        assert await read(store, "k", start=start, length=length) == data[start : start + length]

    async def test_reading_can_be_given_up_in_the_middle(self, store: Store) -> None:
        await put(store, "k", bytes(10 * MEBIBYTE))
        chunks = cast("AsyncGenerator[bytes]", store.open("k"))
        assert await anext(chunks)
        await chunks.aclose()
        assert (await store.stat("k")).size == 10 * MEBIBYTE

    async def test_many_readers_of_one_object_all_see_it(self, store: Store) -> None:
        data = bytes(range(256)) * 256
        await put(store, "k", data)
        assert await asyncio.gather(*(store.get("k") for _ in range(32))) == [data] * 32

    async def test_reader_sees_old_or_new_bytes_and_no_mixture(self, store: Store) -> None:
        old, new = b"o" * 100_000, b"n" * 70_001
        await put(store, "k", old)
        done = asyncio.Event()

        async def write() -> None:
            for data in [new, old] * 5:
                await put(store, "k", data, create=False)
                await asyncio.sleep(0)
            done.set()

        async def watch() -> None:
            while not done.is_set():
                # A store in memory gives nobody else a turn.
                await asyncio.sleep(0)
                found = await store.fetch("k")
                assert found.data in (old, new)
                assert found.info.size == len(found.data)

        await asyncio.gather(write(), watch(), watch())


async def _use(store: Store, reader: str, key: str) -> None:
    if reader == "open":
        await read(store, key)
    else:
        await getattr(store, reader)(key)
