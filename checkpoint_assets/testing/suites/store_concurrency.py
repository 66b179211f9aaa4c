# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: many writers, threads and event loops at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.store_case import (
    StoreCapabilities,
    StoreCase,
    in_threads,
    listed,
    put,
)

RACERS = 8


class ConcurrencyTests(StoreCase):
    """Races have one winner, and a store serves whoever asks from wherever."""

    async def test_store_can_do_what_it_claims(self, capabilities: StoreCapabilities) -> None:
        assert [name for name in sorted(self.claims) if not getattr(capabilities, name)] == []

    async def test_connecting_twice_is_fine(self, store: Store) -> None:
        await store.connect()
        await store.connect()
        await put(store, "k")

    async def test_url_says_where_the_store_is(self, store: Store) -> None:
        scheme, _, _ = store.url.partition("://")
        assert scheme.isalnum()
        assert store.url == store.url

    async def test_of_concurrent_creators_exactly_one_wins(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        for key in ("a/1", "a/2", "b/1"):
            outcomes = await asyncio.gather(*(_create(store, key, i) for i in range(RACERS)))
            (winner,) = [i for i in range(RACERS) if outcomes[i]]
            assert await store.get(key) == b"%d" % winner

    async def test_of_creators_in_many_threads_exactly_one_wins(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        outcomes = await in_threads(RACERS, lambda i: _create(store, "a/1", i))
        (winner,) = [i for i in range(RACERS) if outcomes[i]]
        assert await store.get("a/1") == b"%d" % winner

    async def test_of_concurrent_replacers_of_one_etag_exactly_one_wins(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        etag = (await put(store, "k", b"first")).etag
        outcomes = await asyncio.gather(*(_create(store, "k", i, etag) for i in range(RACERS)))
        (winner,) = [i for i in range(RACERS) if outcomes[i]]
        assert await store.get("k") == b"%d" % winner

    async def test_counter_that_is_swapped_by_etag_loses_no_increment(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        await put(store, "counter", b"0")

        async def increment(_: int) -> None:
            for _ in range(3):
                while True:
                    found = await store.fetch("counter")
                    number = b"%d" % (int(found.data) + 1)
                    try:
                        await put(store, "counter", number, if_match=found.info.etag)
                        break
                    except Conflict:
                        continue

        await in_threads(4, increment)
        assert await store.get("counter") == b"12"

    async def test_one_store_serves_many_threads_and_event_loops(self, store: Store) -> None:
        async def work(number: int) -> list[bytes]:
            keys = [f"{number}/{i}" for i in range(10)]
            await asyncio.gather(*(put(store, key, key.encode()) for key in keys))
            return [await store.get(key) for key in keys]

        found = await in_threads(RACERS, work)
        assert found == [[b"%d/%d" % (t, i) for i in range(10)] for t in range(RACERS)]
        assert len(await listed(store)) == 10 * RACERS

    async def test_store_outlives_the_event_loop_that_used_it_first(self, store: Store) -> None:
        await in_threads(1, lambda _: put(store, "first"))
        await in_threads(1, lambda _: put(store, "second"))
        assert await listed(store) == ["first", "second"]

    async def test_concurrent_deletes_of_one_object_all_succeed(self, store: Store) -> None:
        await put(store, "k")
        reports = await asyncio.gather(*(store.delete(["k"]) for _ in range(RACERS)))
        assert all(not report.failed for report in reports)
        assert await listed(store) == []

    async def test_writers_and_deleters_of_one_folder_do_not_hurt_each_other(
        self, store: Store
    ) -> None:
        async def churn(number: int) -> None:
            for _ in range(10):
                await put(store, f"folder/deep/{number}")
                assert not (await store.delete([f"folder/deep/{number}"])).failed

        await in_threads(4, churn)
        assert await listed(store) == []

    async def test_reader_of_an_object_that_goes_sees_all_of_it_or_none(self, store: Store) -> None:
        data = bytes(200_000)

        async def watch() -> None:
            for _ in range(20):
                # A store in memory gives nobody else a turn.
                await asyncio.sleep(0)
                with suppress(NotFound):
                    assert await store.get("k") == data

        async def churn() -> None:
            for _ in range(6):
                await put(store, "k", data)
                await asyncio.sleep(0)
                await store.delete(["k"])

        await asyncio.gather(churn(), watch(), watch())

    async def test_cancelled_put_is_whole_or_absent(self, store: Store) -> None:
        data = bytes(300_000)
        for number in range(8):
            task = asyncio.create_task(put(store, f"s/{number}", data))
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        for key in await listed(store):
            assert await store.get(key) == data

    async def test_what_one_store_acknowledged_another_one_sees(
        self, store: Store, reopen: Callable[[Store], Store] | None
    ) -> None:
        if reopen is None:
            pytest.skip("the suite was not told how to open the same place twice")
        other = reopen(store)
        await put(store, "s/k", b"1")
        assert await other.get("s/k") == b"1"
        assert await listed(other) == ["s/k"]
        await other.delete(["s/k"])
        with pytest.raises(NotFound):
            await store.get("s/k")

    async def test_of_creators_in_two_stores_exactly_one_wins(
        self,
        store: Store,
        capabilities: StoreCapabilities,
        reopen: Callable[[Store], Store] | None,
    ) -> None:
        if reopen is None:
            pytest.skip("the suite was not told how to open the same place twice")
        capabilities.require("create_only")
        stores = [store, reopen(store)]
        for key in ("a/1", "b/1"):
            outcomes = await in_threads(RACERS, lambda i, key=key: _create(stores[i % 2], key, i))
            assert sum(outcomes) == 1


async def _create(store: Store, key: str, number: int, etag: str | None = None) -> bool:
    try:
        await put(store, key, b"%d" % number, if_match=etag)
    except Conflict:
        return False
    return True
