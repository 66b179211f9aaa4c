"""A store whose every operation waits until the explorer lets it happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject

T = TypeVar("T")

DeleteOrder = Literal["given", "reversed"]


@dataclass(frozen=True, slots=True)
class Call:
    """What a program asks of a store. ``changes`` is false for what leaves the store as it is."""

    operation: str
    place: str
    key: str
    changes: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.place}{self.key}"


class Gate(Protocol):
    """Lets the operations of one program happen, each in its turn."""

    async def pass_through(self, call: Call, work: Callable[[], Awaitable[T]]) -> T:
        """The result of ``work``, done when the explorer says so."""
        ...

    def changed(self, call: Call, what: str) -> None:
        """An operation that is being done has changed the object."""
        ...

    def told(self, place: str, info: ObjectInfo) -> None:
        """A write is known by this etag from now on."""
        ...


class ExploredStore(Store):
    """Passes everything on to ``inner``, one operation at a time, when ``gate`` lets it.

    A delete of several keys is one operation for each: S3 promises no more, and a folder neither.
    ``delete_order`` says which comes first. A listing is one operation for each page; ``page`` cuts
    the pages short, so that the store changes between them.
    """

    def __init__(
        self,
        inner: Store,
        gate: Gate,
        *,
        place: str = "",
        page: int | None = None,
        delete_order: DeleteOrder = "given",
    ) -> None:
        self.inner = inner
        self._gate = gate
        self._place = place
        self._page = page
        self._delete_order = delete_order

    @property
    def url(self) -> str:
        return self.inner.url

    def _call(self, operation: str, key: str, *, changes: bool = False) -> Call:
        return Call(operation, self._place, key, changes)

    async def connect(self) -> None:
        await self._gate.pass_through(self._call("connect", ""), self.inner.connect)

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
        call = self._call("put", key, changes=True)

        async def work() -> ObjectInfo:
            info = await self.inner.put(
                key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
            )
            self._gate.changed(call, f"put {sha256} {media_type}")
            self._gate.told(self._place, info)
            return info

        return await self._gate.pass_through(call, work)

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self._gate.pass_through(
            self._call("fetch", key), lambda: self.inner.fetch(key, version=version)
        )

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        async def work() -> bytes:
            chunks = self.inner.open(key, start=start, length=length, version=version)
            return b"".join([chunk async for chunk in chunks])

        yield await self._gate.pass_through(self._call("open", key), work)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self._gate.pass_through(
            self._call("stat", key), lambda: self.inner.stat(key, version=version)
        )

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        while True:

            async def work(after: str | None = after) -> Page | None:
                pages = self.inner.list(prefix, after=after, recursive=recursive)
                return await anext(aiter(pages), None)

            page = await self._gate.pass_through(self._call("list", prefix), work)
            if page is None:
                return
            entries = sorted([*(info.key for info in page.objects), *page.folders])
            kept = set(entries[: self._page])
            yield Page(
                [info for info in page.objects if info.key in kept],
                [folder for folder in page.folders if folder in kept],
            )
            if self._page is None and len(entries) < 1000:
                return
            after = max(kept)

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        deleted: list[str] = []
        failed: dict[str, Exception] = {}
        for key in keys if self._delete_order == "given" else reversed(keys):
            report = await self._delete_one(key)
            deleted += report.deleted
            failed |= report.failed
        return DeleteReport(deleted, failed)

    async def _delete_one(self, key: str) -> DeleteReport:
        call = self._call("delete", key, changes=True)

        async def work() -> DeleteReport:
            try:
                await self.inner.stat(key)
            except NotFound:
                return DeleteReport([key])
            self._gate.changed(call, "delete")
            return await self.inner.delete([key])

        return await self._gate.pass_through(call, work)
