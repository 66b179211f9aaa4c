# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: what ``delete`` promises."""

from __future__ import annotations

import pytest

from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.store_case import StoreCase, listed, put, put_all


class DeletingTests(StoreCase):
    """One and many, present and absent; nothing beside them."""

    async def test_deleted_object_is_gone(self, store: Store) -> None:
        await put(store, "k")
        report = await store.delete(["k"])
        assert (list(report.deleted), report.failed) == (["k"], {})
        assert await listed(store) == []

    async def test_absent_object_counts_as_deleted(self, store: Store) -> None:
        report = await store.delete(["absent", "absent/folder/k"])
        assert sorted(report.deleted) == ["absent", "absent/folder/k"]
        assert report.failed == {}

    async def test_present_and_absent_objects_go_together(self, store: Store) -> None:
        await put_all(store, ["a/1", "a/2", "b/1"])
        report = await store.delete(["a/1", "a/absent", "b/1", "c/1"])
        assert sorted(report.deleted) == ["a/1", "a/absent", "b/1", "c/1"]
        assert await listed(store) == ["a/2"]

    async def test_deleting_nothing_does_nothing(self, store: Store) -> None:
        await put(store, "k")
        report = await store.delete([])
        assert (list(report.deleted), report.failed) == ([], {})
        assert await listed(store) == ["k"]

    async def test_deleting_twice_is_fine(self, store: Store) -> None:
        await put(store, "k")
        await store.delete(["k"])
        assert list((await store.delete(["k"])).deleted) == ["k"]

    async def test_key_that_is_named_twice_is_fine(self, store: Store) -> None:
        await put(store, "k")
        report = await store.delete(["k", "k"])
        assert (set(report.deleted), report.failed) == ({"k"}, {})

    async def test_more_than_a_thousand_keys_go_in_one_call(self, store: Store) -> None:
        present = [f"s/{i:04d}" for i in range(0, 1010, 101)]
        await put_all(store, present)
        keys = [f"s/{i:04d}" for i in range(1010)]
        report = await store.delete(keys)
        assert sorted(report.deleted) == keys
        assert await listed(store) == []

    async def test_neighbours_stay(self, store: Store) -> None:
        kept = ["abc/10", "abc/1.html", "abc/1-2", "abcd/1", "ab/1", "abc/1_/2"]
        await put_all(store, [*kept, "abc/1"])
        await store.delete(["abc/1"])
        assert sorted(await listed(store)) == sorted(kept)

    @pytest.mark.parametrize("key", ["a", "a/1"])
    async def test_name_of_a_folder_deletes_nothing_in_it(self, store: Store, key: str) -> None:
        await put_all(store, ["a/1/2", "a/3"])
        report = await store.delete([key])
        assert list(report.deleted) == [key]
        assert await listed(store) == ["a/1/2", "a/3"]

    async def test_key_below_an_object_is_absent(self, store: Store) -> None:
        await put(store, "a/1")
        assert list((await store.delete(["a/1/2"])).deleted) == ["a/1/2"]
        assert await listed(store) == ["a/1"]
