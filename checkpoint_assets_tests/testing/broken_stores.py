"""Stores that break one promise each; the conformance suite must fail every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore
from checkpoint_assets.testing.suites.store_case import listed


class BrokenStore(WrappedStore):
    def __init__(self) -> None:
        super().__init__(MemoryStore())

    async def _exists(self, key: str) -> bool:
        try:
            await self.inner.stat(key)
        except NotFound:
            return False
        return True


class OverwritesOnCreate(BrokenStore):
    async def put(self, key: str, data: bytes, **given: Any) -> ObjectInfo:
        return await self.inner.put(key, data, **{**given, "create": False})


class LooksBeforeItCreates(BrokenStore):
    async def put(self, key: str, data: bytes, **given: Any) -> ObjectInfo:
        if given.get("create") and not given.get("if_match"):
            if await self._exists(key):
                raise Conflict(f"{key} exists", key=key)
            await asyncio.sleep(0)
            given["create"] = False
        return await self.inner.put(key, data, **given)


class ComparesAndThenSwaps(BrokenStore):
    async def put(self, key: str, data: bytes, **given: Any) -> ObjectInfo:
        if etag := given.get("if_match"):
            if not await self._exists(key) or (await self.inner.stat(key)).etag != etag:
                raise Conflict(f"{key} is not what it was", key=key)
            await asyncio.sleep(0)
            given.update(create=False, if_match=None)
        return await self.inner.put(key, data, **given)


class WritesInTwoGoes(BrokenStore):
    async def put(self, key: str, data: bytes, **given: Any) -> ObjectInfo:
        half = data[: len(data) // 2]
        await self.inner.put(key, half, **{**given, "sha256": sha256_hex(half)})
        await asyncio.sleep(0)
        return await self.inner.put(key, data, **{**given, "create": False, "if_match": None})


class RaisesKeyErrors(BrokenStore):
    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        try:
            return await self.inner.fetch(key, version=version)
        except NotFound as error:
            raise KeyError(key) from error


class IgnoresTheLengthOfARange(BrokenStore):
    def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        return self.inner.open(key, start=start, version=version)


class ListsFromTheKeyOn(BrokenStore):
    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        if after is not None and recursive and await self._exists(after):
            yield Page([await self.inner.stat(after)])
        async for page in self.inner.list(prefix, after=after, recursive=recursive):
            yield page


class ListsBackwards(BrokenStore):
    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        async for page in self.inner.list(prefix, after=after, recursive=recursive):
            yield Page(page.objects[::-1], page.folders[::-1])


class ListsNeighboursOfThePrefix(BrokenStore):
    def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        return self.inner.list(prefix.rstrip("/"), after=after, recursive=recursive)


class DeletesByPrefix(BrokenStore):
    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        everything = await listed(self.inner)
        doomed = [found for found in everything if any(found.startswith(key) for key in keys)]
        await self.inner.delete(doomed)
        return DeleteReport(keys)


class SaysDeletedAndKeeps(BrokenStore):
    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return DeleteReport(keys)


class ForgetsAbsentKeysInItsReport(BrokenStore):
    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        present = [key for key in keys if await self._exists(key)]
        await self.inner.delete(present)
        return DeleteReport(present)


# The test of the suite that must fail each of them.
CAUGHT_BY: dict[type[BrokenStore], str] = {
    OverwritesOnCreate: "test_store_can_do_what_it_claims",
    LooksBeforeItCreates: "test_of_concurrent_creators_exactly_one_wins",
    ComparesAndThenSwaps: "test_of_concurrent_replacers_of_one_etag_exactly_one_wins",
    WritesInTwoGoes: "test_cancelled_put_is_whole_or_absent",
    RaisesKeyErrors: "test_absent_object_is_not_found",
    IgnoresTheLengthOfARange: "test_range_gives_just_these_bytes",
    ListsFromTheKeyOn: "test_listing_begins_after_the_key",
    ListsBackwards: "test_keys_come_in_the_order_of_their_bytes",
    ListsNeighboursOfThePrefix: "test_prefix_of_a_longer_name_is_another_folder",
    DeletesByPrefix: "test_neighbours_stay",
    SaysDeletedAndKeeps: "test_deleted_object_is_gone",
    ForgetsAbsentKeysInItsReport: "test_absent_object_counts_as_deleted",
}
