# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: what ``put`` promises."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.errors import Conflict, StorageManagerError
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.store_case import (
    StoreCapabilities,
    StoreCase,
    listed,
    put,
    read,
)

MEBIBYTE = 1024 * 1024


class WritingTests(StoreCase):
    """Create-only, if-match and plain puts; odd sizes and odd keys."""

    async def test_put_object_is_read_back(self, store: Store) -> None:
        await put(store, "s/1.html", b"<p>")
        assert await store.get("s/1.html") == b"<p>"

    async def test_put_says_key_and_size(self, store: Store) -> None:
        info = await put(store, "s/1.html", b"<p>")
        assert (info.key, info.size) == ("s/1.html", 3)

    async def test_put_says_what_stat_says(self, store: Store) -> None:
        info = await put(store, "s/1.html", b"<p>")
        stat = await store.stat("s/1.html")
        assert (info.key, info.size, info.etag) == (stat.key, stat.size, stat.etag)

    @pytest.mark.parametrize("data", [b"first", b"other"], ids=["same_bytes", "other_bytes"])
    async def test_create_only_put_refuses_a_key_that_exists(
        self, store: Store, capabilities: StoreCapabilities, data: bytes
    ) -> None:
        capabilities.require("create_only")
        await put(store, "k", b"first")
        with pytest.raises(Conflict):
            await put(store, "k", data)
        assert await store.get("k") == b"first"

    async def test_conflict_names_the_key_and_is_a_builtin_error_too(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        await put(store, "s/k")
        with pytest.raises(FileExistsError) as error:
            await put(store, "s/k")
        assert isinstance(error.value, StorageManagerError)
        assert error.value.key == "s/k"

    async def test_key_can_be_created_again_after_a_delete(self, store: Store) -> None:
        await put(store, "k", b"first")
        await store.delete(["k"])
        await put(store, "k", b"second")
        assert await store.get("k") == b"second"

    async def test_replacing_put_creates_what_is_absent(self, store: Store) -> None:
        await put(store, "k", b"first", create=False)
        assert await store.get("k") == b"first"

    async def test_replacing_put_leaves_nothing_of_longer_bytes(self, store: Store) -> None:
        await put(store, "k", bytes(100_000))
        await put(store, "k", b"short", create=False)
        assert await store.get("k") == b"short"
        assert (await store.stat("k")).size == 5

    async def test_replacing_put_changes_the_etag(self, store: Store) -> None:
        first = await put(store, "k", b"first")
        second = await put(store, "k", b"second", create=False)
        assert first.etag != second.etag

    async def test_put_over_the_etag_that_is_there_replaces(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        first = await put(store, "k", b"first")
        second = await put(store, "k", b"second", if_match=first.etag)
        third = await put(store, "k", b"third", if_match=second.etag)
        assert await store.get("k") == b"third"
        assert third.etag == (await store.stat("k")).etag

    async def test_put_over_an_etag_that_is_no_longer_there_is_refused(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        first = await put(store, "k", b"first")
        await put(store, "k", b"second", if_match=first.etag)
        with pytest.raises(Conflict):
            await put(store, "k", b"third", if_match=first.etag)
        assert await store.get("k") == b"second"

    async def test_put_over_an_etag_of_an_absent_object_is_refused(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        first = await put(store, "k", b"first")
        await store.delete(["k"])
        with pytest.raises(Conflict):
            await put(store, "k", b"second", if_match=first.etag)
        assert await listed(store) == []

    async def test_etag_from_a_listing_serves_as_if_match(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        await put(store, "k", b"first")
        (info,) = [info async for page in store.list("") for info in page.objects]
        await put(store, "k", b"second", if_match=info.etag)
        assert await store.get("k") == b"second"

    async def test_etag_from_a_fetch_serves_as_if_match(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        await put(store, "k", b"first")
        found = await store.fetch("k")
        await put(store, "k", found.data + b"!", if_match=found.info.etag)
        assert await store.get("k") == b"first!"

    async def test_put_leaves_other_objects_alone(self, store: Store) -> None:
        await put(store, "s/1", b"one")
        before = await store.stat("s/1")
        await put(store, "s/2", b"two")
        assert await store.stat("s/1") == before

    async def test_empty_object_is_an_object(self, store: Store) -> None:
        await put(store, "k", b"")
        assert await store.get("k") == b""
        assert (await store.stat("k")).size == 0
        assert await listed(store) == ["k"]

    async def test_every_byte_value_comes_back(self, store: Store) -> None:
        data = bytes(range(256)) * 3
        await put(store, "k", data)
        assert await store.get("k") == data

    @pytest.mark.parametrize("size", [1, 65_537, 5 * MEBIBYTE, 9 * MEBIBYTE + 1])
    async def test_object_of_any_size_comes_back(self, store: Store, size: int) -> None:
        data = (b"0123456789abcde" * (size // 15 + 1))[:size]
        await put(store, "k", data)
        assert sha256_hex(await store.get("k")) == sha256_hex(data)
        assert sha256_hex(await read(store, "k")) == sha256_hex(data)
        assert (await store.stat("k")).size == size

    @pytest.mark.parametrize(
        "media_type", ["text/html; charset=utf-8", "image/webp", "application/json"]
    )
    async def test_media_type_is_kept(
        self, store: Store, capabilities: StoreCapabilities, media_type: str
    ) -> None:
        capabilities.require("media_types")
        await put(store, "k", media_type=media_type)
        assert (await store.stat("k")).media_type == media_type
        assert (await store.fetch("k")).info.media_type == media_type

    async def test_digest_is_kept(self, store: Store, capabilities: StoreCapabilities) -> None:
        capabilities.require("digests")
        await put(store, "k", b"<p>")
        assert (await store.stat("k")).sha256 == sha256_hex(b"<p>")
        assert (await store.fetch("k")).info.sha256 == sha256_hex(b"<p>")

    async def test_digest_is_that_of_the_last_put(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("digests")
        await put(store, "k", b"first")
        await put(store, "k", b"second", create=False)
        assert (await store.stat("k")).sha256 == sha256_hex(b"second")

    async def test_neighbouring_keys_are_different_objects(self, store: Store) -> None:
        keys = ["abc/k", "abcd/k", "ab/k", "abc-d/k", "abc_d/k", "abc/k.html", "abc/k-1", "abc/k0"]
        for key in keys:
            await put(store, key, key.encode())
        assert [await store.get(key) for key in keys] == [key.encode() for key in keys]

    async def test_keys_that_differ_in_case_are_different_objects(
        self, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("case")
        await put(store, "Session/Step", b"upper")
        await put(store, "session/step", b"lower")
        assert await store.get("Session/Step") == b"upper"
        assert await store.get("session/step") == b"lower"

    async def test_object_may_stand_beside_a_folder_of_its_stem(self, store: Store) -> None:
        await put(store, "s/0001-goto.html", b"flat")
        await put(store, "s/0001-goto/observation.html", b"nested")
        assert await store.get("s/0001-goto.html") == b"flat"
        assert await store.get("s/0001-goto/observation.html") == b"nested"

    async def test_longest_key_that_is_ever_built_works(self, store: Store) -> None:
        key = f"{'s' * 96}/_derived/{'t' * 96}.{'n' * 40}.json"
        await put(store, key)
        assert await listed(store) == [key]

    async def test_deep_key_works(self, store: Store) -> None:
        key = "/".join(["folder"] * 12) + "/k"
        await put(store, key)
        assert await store.get(key) == b"data"
        assert await listed(store, "folder/folder/") == [key]

    async def test_reserved_names_are_keys_like_others(self, store: Store) -> None:
        key = "_catalog/fragments/date=2026-01-31/a-b.parquet"
        await put(store, key)
        assert await listed(store, "_catalog/") == [key]
