# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: versions, the store's clock, and what dead writers left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.store import ObjectVersion, Store
from checkpoint_assets.testing.suites.store_case import StoreCase, each, listed, put, put_all


class VersionTests(StoreCase):
    """What is replaced or deleted stays readable, until its version is deleted."""

    async def test_clock_of_the_store_is_that_of_its_objects(self, store: Store) -> None:
        before = await store.now()
        assert before.utcoffset() is not None
        assert abs(before - datetime.now(UTC)) < timedelta(minutes=5)
        await put(store, "k")
        # Servers tell the time in whole seconds.
        assert abs((await store.stat("k")).modified - before) < timedelta(seconds=30)

    async def test_nothing_is_left_over_from_writers_that_are_done(self, store: Store) -> None:
        await put_all(store, ["a/1", "a/2"])
        await store.delete(["a/1"])
        left = await store.leftovers(datetime.now(UTC) + timedelta(days=1))
        assert list(left) == []
        await store.remove_leftovers(left)
        assert await listed(store) == ["a/2"]

    async def test_turning_versions_on_twice_is_fine(self, versioned: Store) -> None:
        await versioned.enable_versions()
        assert await versioned.keeps_versions()

    async def test_each_put_makes_a_version_of_its_own(self, versioned: Store) -> None:
        infos = [await put(versioned, "k", b"%d" % i, create=i == 0) for i in range(3)]
        versions = [info.version for info in infos]
        assert len(set(versions)) == 3
        assert None not in versions
        found = await _versions(versioned, "k")
        assert [version.version for version in found] == versions[::-1]
        assert [version.latest for version in found] == [True, False, False]

    async def test_replaced_version_is_read_by_its_name(self, versioned: Store) -> None:
        first = await put(versioned, "s/k", b"first")
        await put(versioned, "s/k", b"second", create=False)
        assert await versioned.get("s/k", version=first.version) == b"first"
        assert (await versioned.stat("s/k", version=first.version)).size == 5
        chunks = [chunk async for chunk in versioned.open("s/k", start=1, version=first.version)]
        assert b"".join(chunks) == b"irst"
        assert await versioned.get("s/k") == b"second"

    async def test_deleted_object_leaves_a_marker_and_its_versions(self, versioned: Store) -> None:
        info = await put(versioned, "k", b"data")
        await versioned.delete(["k"])
        with pytest.raises(NotFound):
            await versioned.get("k")
        assert await listed(versioned) == []
        marker, kept = await _versions(versioned, "k")
        assert (marker.deleted, marker.latest) == (True, True)
        assert (kept.deleted, kept.version, kept.size) == (False, info.version, 4)
        assert await versioned.get("k", version=info.version) == b"data"

    async def test_object_that_was_deleted_can_be_created_again(self, versioned: Store) -> None:
        first = await put(versioned, "k", b"first")
        await versioned.delete(["k"])
        await put(versioned, "k", b"second")
        assert await versioned.get("k") == b"second"
        assert await versioned.get("k", version=first.version) == b"first"

    async def test_deleting_the_marker_brings_the_object_back(self, versioned: Store) -> None:
        await put(versioned, "k", b"data")
        await versioned.delete(["k"])
        marker = (await _versions(versioned, "k"))[0]
        report = await versioned.delete_versions([("k", marker.version)])
        assert report.failed == {}
        assert await versioned.get("k") == b"data"

    async def test_deleted_versions_are_gone_for_good(self, versioned: Store) -> None:
        info = await put(versioned, "s/k", b"first")
        await put(versioned, "s/k", b"second", create=False)
        await versioned.delete(["s/k"])
        found = await _versions(versioned, "s/")
        report = await versioned.delete_versions([(v.key, v.version) for v in found])
        assert (set(report.deleted), report.failed) == ({"s/k"}, {})
        assert await _versions(versioned, "s/") == []
        with pytest.raises(NotFound):
            await versioned.get("s/k", version=info.version)

    async def test_deleting_the_current_version_shows_the_one_before(
        self, versioned: Store
    ) -> None:
        await put(versioned, "k", b"first")
        second = await put(versioned, "k", b"second", create=False)
        await versioned.delete_versions([("k", second.version or "")])
        assert await versioned.get("k") == b"first"

    async def test_absent_version_counts_as_deleted(self, versioned: Store) -> None:
        info = await put(versioned, "k")
        await put(versioned, "k", b"second", create=False)
        for _ in range(2):
            report = await versioned.delete_versions([("k", info.version or "")])
            assert (list(report.deleted), report.failed) == (["k"], {})
        assert list((await versioned.delete_versions([])).deleted) == []

    async def test_versions_are_those_of_the_prefix_alone(self, versioned: Store) -> None:
        await put_all(versioned, ["abc/1", "abc/1.html", "abcd/1", "ab/1"])
        assert [version.key for version in await _versions(versioned, "abc/")] == [
            "abc/1",
            "abc/1.html",
        ]
        assert [version.key for version in await _versions(versioned, "abc/1")] == [
            "abc/1",
            "abc/1.html",
        ]
        assert await _versions(versioned, "absent/") == []

    async def test_versions_of_many_keys_come_in_order_and_pages_part_no_key(
        self, versioned: Store
    ) -> None:
        keys = [f"s/{i:03d}" for i in range(self.page // 16 + 5)]

        async def write(key: str) -> None:
            for number in range(16):
                await put(versioned, key, b"%d" % number, create=False)

        await each(keys, write)
        pages = [page async for page in versioned.list_versions("s/")]
        found = [version.key for page in pages for version in page]
        assert found == sorted(found)
        assert len(found) == len(keys) * 16
        ends = [(page[0].key, page[-1].key) for page in pages]
        assert all(last < first for (_, last), (first, _) in pairwise(ends))


async def _versions(store: Store, prefix: str) -> list[ObjectVersion]:
    return [version async for page in store.list_versions(prefix) for version in page]
