"""A store that notes what is asked of it: tests read off the order of writes and deletes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject


class Call(NamedTuple):
    """One operation on one key (or, for ``list``, on a prefix)."""

    operation: str
    key: str


class RecordingStore(Store):
    """Passes everything on to ``store``. ``calls`` holds what was asked, in order."""

    def __init__(self, store: Store) -> None:
        self.inner = store
        self.calls: list[Call] = []

    def keys(self, operation: str) -> list[str]:
        """The keys that the operation was asked for, in order."""
        return [call.key for call in self.calls if call.operation == operation]

    @property
    def url(self) -> str:
        return self.inner.url

    async def connect(self) -> None:
        await self.inner.connect()

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        self.calls.append(Call("put", key))
        return await self.inner.put(
            key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
        )

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        self.calls.append(Call("fetch", key))
        return await self.inner.fetch(key, version=version)

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        self.calls.append(Call("open", key))
        async for chunk in self.inner.open(key, start=start, length=length, version=version):
            yield chunk

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        self.calls.append(Call("stat", key))
        return await self.inner.stat(key, version=version)

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        self.calls.append(Call("list", prefix))
        async for page in self.inner.list(prefix, after=after, recursive=recursive):
            yield page

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        self.calls.extend(Call("delete", key) for key in keys)
        return await self.inner.delete(keys)
