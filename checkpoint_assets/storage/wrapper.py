"""A store that passes everything on to another; wrappers change the part that they are about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)


class WrappedStore(Store):
    """Keeps the contract by asking ``inner``."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

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
        return await self.inner.put(
            key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
        )

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self.inner.fetch(key, version=version)

    def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        return self.inner.open(key, start=start, length=length, version=version)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self.inner.stat(key, version=version)

    def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        return self.inner.list(prefix, after=after, recursive=recursive)

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return await self.inner.delete(keys)

    async def now(self) -> datetime:
        return await self.inner.now()

    async def keeps_versions(self) -> bool:
        return await self.inner.keeps_versions()

    async def enable_versions(self) -> None:
        await self.inner.enable_versions()

    def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        return self.inner.list_versions(prefix)

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        return await self.inner.delete_versions(versions)

    async def leftovers(self, older_than: datetime) -> Sequence[str]:
        return await self.inner.leftovers(older_than)

    async def remove_leftovers(self, names: Sequence[str]) -> None:
        await self.inner.remove_leftovers(names)


def innermost(store: Store) -> Store:
    """The store below all wrappers."""
    while isinstance(store, WrappedStore):
        store = store.inner
    return store
