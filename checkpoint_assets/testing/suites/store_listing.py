# ruff: noqa: S101 - assert is what tests are made of
"""Store conformance: what ``list`` promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

from checkpoint_assets.storage.store import Page, Store
from checkpoint_assets.testing.suites.store_case import (
    StoreCase,
    children,
    each,
    listed,
    put,
    put_all,
)

# In the order of their UTF-8 bytes: '-' '.' '/' '0' 'A' '_' 'a'. Folders take part with their '/'.
KEYS = [
    "B/1.html",
    "_catalog/HEAD",
    "a-b/1.html",
    "a.json",
    "a/1.action.json",
    "a/1.html",
    "a/1/2/3.html",
    "a/10.html",
    "a/2.html",
    "a/_derived/1.text.txt",
    "a0/1.html",
    "b.json",
    "b/1.html",
]


class ListingTests(StoreCase):
    """Order, prefixes, places to begin after, folders, pages."""

    async def test_empty_store_lists_no_page(self, store: Store) -> None:
        assert [page async for page in store.list("")] == []
        assert [page async for page in store.list("", recursive=False)] == []

    async def test_keys_come_in_the_order_of_their_bytes(self, store: Store) -> None:
        await put_all(store, KEYS[::-1])
        assert await listed(store) == KEYS

    async def test_listing_says_what_stat_says(self, store: Store) -> None:
        await put_all(store, KEYS)
        infos = [info async for page in store.list("") for info in page.objects]
        for info in infos[:3]:
            stat = await store.stat(info.key)
            assert (info.size, info.etag) == (stat.size, stat.etag)
            assert abs((info.modified - stat.modified).total_seconds()) < 1

    async def test_prefix_lists_its_folder_alone(self, store: Store) -> None:
        await put_all(store, KEYS)
        assert await listed(store, "a/") == [key for key in KEYS if key.startswith("a/")]
        assert await listed(store, "a/1/") == ["a/1/2/3.html"]
        assert await listed(store, "a/1/2/") == ["a/1/2/3.html"]

    async def test_prefix_of_a_longer_name_is_another_folder(self, store: Store) -> None:
        await put_all(store, ["abc/1", "abcd/1", "ab/1"])
        assert await listed(store, "abc/") == ["abc/1"]

    async def test_folder_that_is_not_there_lists_nothing(self, store: Store) -> None:
        await put_all(store, KEYS)
        for prefix in ["absent/", "a/2.html/", "a/1.html/below/", "a/absent/"]:
            for recursive in (True, False):
                assert [page async for page in store.list(prefix, recursive=recursive)] == []

    async def test_listing_begins_after_the_key(self, store: Store) -> None:
        await put_all(store, KEYS)
        for after in [*KEYS, "A", "a", "a/", "a/1/", "a/1/2", "a/1/9", "zzz"]:
            found = await listed(store, after=after)
            assert found == [key for key in KEYS if key > after], f"after {after}"

    async def test_prefix_and_after_hold_together(self, store: Store) -> None:
        await put_all(store, KEYS)
        for after in ["A", "a/", "a/1.html", "a/1/9", "a/9", "a0", "b/2"]:
            expected = [key for key in KEYS if key.startswith("a/") and key > after]
            assert await listed(store, "a/", after=after) == expected, f"after {after}"

    async def test_root_shows_its_objects_and_folders(self, store: Store) -> None:
        await put_all(store, KEYS)
        objects, folders = await children(store)
        assert objects == ["a.json", "b.json"]
        assert folders == ["B/", "_catalog/", "a-b/", "a/", "a0/", "b/"]

    async def test_folder_shows_what_is_directly_below_it(self, store: Store) -> None:
        await put_all(store, KEYS)
        objects, folders = await children(store, "a/")
        assert objects == ["a/1.action.json", "a/1.html", "a/10.html", "a/2.html"]
        assert folders == ["a/1/", "a/_derived/"]

    async def test_folder_shows_folders_that_hold_only_folders(self, store: Store) -> None:
        await put_all(store, KEYS)
        assert await children(store, "a/1/") == ([], ["a/1/2/"])

    async def test_children_come_after_the_key(self, store: Store) -> None:
        await put_all(store, KEYS)
        for after in ["A", "B/", "_", "a", "a.json", "a/", "a0/", "b.json", "z"]:
            expected = (
                [key for key in ["a.json", "b.json"] if key > after],
                [f for f in ["B/", "_catalog/", "a-b/", "a/", "a0/", "b/"] if f > after],
            )
            assert await children(store, after=after) == expected, f"after {after}"

    async def test_folder_that_the_key_is_in_is_not_after_it(self, store: Store) -> None:
        await put_all(store, KEYS)
        for after in ["a/1.html", "a/0", "a/zzz"]:
            found = await children(store, after=after)
            assert found == (["b.json"], ["a0/", "b/"]), f"after {after}"

    async def test_children_of_a_folder_come_after_the_key(self, store: Store) -> None:
        await put_all(store, KEYS)
        names = ["a/1.action.json", "a/1.html", "a/10.html", "a/2.html"]
        for after in ["a/1.html", "a/1/", "a/_derived/"]:
            expected = (
                [key for key in names if key > after],
                [folder for folder in ["a/1/", "a/_derived/"] if folder > after],
            )
            assert await children(store, "a/", after=after) == expected, f"after {after}"

    async def test_folder_goes_with_its_last_object(self, store: Store) -> None:
        await put_all(store, ["a/1", "a/2", "b/c/1"])
        await store.delete(["a/1", "b/c/1"])
        assert await children(store) == ([], ["a/"])
        await store.delete(["a/2"])
        assert await children(store) == ([], [])

    async def test_replaced_object_is_listed_once(self, store: Store) -> None:
        await put(store, "k", b"1")
        await put(store, "k", b"22", create=False)
        infos = [info async for page in store.list("") for info in page.objects]
        assert [(info.key, info.size) for info in infos] == [("k", 2)]

    async def test_more_than_a_page_is_listed_in_order_and_without_empty_pages(
        self, store: Store
    ) -> None:
        sessions = [f"s{i:04d}" for i in range(self.page + 10)]
        keys = [f"{session}/1" for session in sessions]
        await put_all(store, keys)
        pages = [page async for page in store.list("")]
        assert [info.key for page in pages for info in page.objects] == keys
        folds = [page async for page in store.list("", recursive=False)]
        folders = [folder for page in folds for folder in page.folders]
        assert folders == [f"{session}/" for session in sessions]
        assert all(_size(page) for page in pages + folds)
        assert await children(store, after=folders[self.page]) == ([], folders[self.page + 1 :])
        assert await listed(store, after=keys[self.page]) == keys[self.page + 1 :]

    async def test_listing_can_be_given_up_in_the_middle(self, store: Store) -> None:
        await put_all(store, KEYS)
        pages = cast("AsyncGenerator[Page]", store.list(""))
        assert _size(await anext(pages))
        await pages.aclose()
        assert await listed(store) == KEYS

    async def test_listing_shows_all_that_was_there_before_it_began(self, store: Store) -> None:
        before = [f"s/{i:03d}" for i in range(0, 200, 2)]
        meanwhile = [f"s/{i:03d}" for i in range(1, 200, 2)]
        await put_all(store, before)
        seen, _ = await asyncio.gather(listed(store), put_all(store, meanwhile))
        assert set(before) <= set(seen) <= set(before + meanwhile)
        assert seen == sorted(seen)

    async def test_listing_goes_on_while_objects_are_deleted(self, store: Store) -> None:
        doomed = [f"a{i:02d}/1" for i in range(60)]
        kept = [f"k{i:02d}/1" for i in range(60)]
        await put_all(store, doomed + kept)

        async def delete(key: str) -> None:
            await store.delete([key])

        seen, _ = await asyncio.gather(listed(store), each(doomed, delete))
        assert [key for key in seen if key in kept] == kept
        assert await listed(store) == kept


def _size(page: Page) -> int:
    return len(page.objects) + len(page.folders)
