"""A store that notes what is asked of it: tests read off the order of writes and deletes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore


class Call(NamedTuple):
    """One operation on one key (or, for ``list``, on a prefix)."""

    operation: str
    key: str


class RecordingStore(WrappedStore):
    """Passes everything on to ``inner``. ``calls`` holds what was asked, in order."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.calls: list[Call] = []

    def keys(self, operation: str) -> list[str]:
        """The keys that the operation was asked for, in order."""
        return [call.key for call in self.calls if call.operation == operation]

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
        return await super().put(
            key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
        )

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        self.calls.append(Call("fetch", key))
        return await super().fetch(key, version=version)

    def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        self.calls.append(Call("open", key))
        return super().open(key, start=start, length=length, version=version)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        self.calls.append(Call("stat", key))
        return await super().stat(key, version=version)

    def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        self.calls.append(Call("list", prefix))
        return super().list(prefix, after=after, recursive=recursive)

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        self.calls.extend(Call("delete", key) for key in keys)
        return await super().delete(keys)
