"""A store whose every operation waits until the explorer lets it happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)

T = TypeVar("T")

DeleteOrder = Literal["given", "reversed"]

# A page of fewer entries than every store gives is the last one.
_FULL_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """What a program asks of a store.

    ``changes`` is false for what leaves the store as it is, ``detail`` says what would be written,
    ``name`` is the etag or version that the call is about. What ``fails`` may be refused, and its
    answer lost.
    """

    operation: str
    place: str
    key: str
    changes: bool = False
    detail: str = ""
    name: str | None = field(default=None, compare=False)
    fails: bool = False

    def __str__(self) -> str:
        return f"{self.operation} {self.place}{self.key}"


def always() -> bool:
    """Ready at any time."""
    return True


class Gate(Protocol):
    """Lets the operations of one program happen, each in its turn."""

    @property
    def alive(self) -> bool:
        """Whether the program has not been killed."""
        ...

    async def pass_through(
        self, call: Call, work: Callable[[], Awaitable[T]], *, ready: Callable[[], bool] = always
    ) -> T:
        """The result of ``work``, done when the explorer says so; not before it is ``ready``."""
        ...

    def learn(self, call: Call, answer: Hashable) -> None:
        """The program was told this, at once."""
        ...

    def changed(self, call: Call, what: str) -> None:
        """An operation that is being done has changed the object."""
        ...

    def told(self, call: Call, *names: str | None) -> None:
        """What the object is now is known by these names: an etag, a version."""
        ...


class ExploredStore(Store):
    """Passes everything on to ``inner``, one operation at a time, when ``gate`` lets it.

    A delete of several keys is one operation for each: S3 promises no more, and a folder neither.
    ``delete_order`` says which comes first. A listing is one operation for each page; ``page`` cuts
    the pages short, so that the store changes between them. ``fails`` is false for a store that is
    never away. What is the same in all states of a
    world (the clock, whether versions are kept) is answered at once.
    """

    def __init__(
        self,
        inner: Store,
        gate: Gate,
        *,
        place: str = "",
        page: int | None = None,
        delete_order: DeleteOrder = "given",
        fails: bool = True,
    ) -> None:
        self.explored = inner
        self._gate = gate
        self._place = place
        self._page = page
        self._delete_order = delete_order
        self._fails = fails

    @property
    def url(self) -> str:
        return self.explored.url

    def _look(self, operation: str, key: str) -> Call:
        return Call(operation, self._place, key, fails=self._fails)

    def _change(self, operation: str, key: str, detail: str = "", name: str | None = None) -> Call:
        return Call(operation, self._place, key, True, detail, name, self._fails)

    async def connect(self) -> None:
        await self.explored.connect()

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
        detail = f"{sha256} {media_type} {create}"
        call = self._change("put", key, detail, if_match)

        async def work() -> ObjectInfo:
            info = await self.explored.put(
                key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
            )
            self._gate.changed(call, f"put {sha256} {media_type}")
            self._gate.told(call, info.etag, info.version)
            return info

        return await self._gate.pass_through(call, work)

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self._gate.pass_through(
            self._look("fetch", key), lambda: self.explored.fetch(key, version=version)
        )

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        async def work() -> bytes:
            chunks = self.explored.open(key, start=start, length=length, version=version)
            return b"".join([chunk async for chunk in chunks])

        yield await self._gate.pass_through(self._look("open", key), work)

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self._gate.pass_through(
            self._look("stat", key), lambda: self.explored.stat(key, version=version)
        )

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        while True:

            async def work(after: str | None = after) -> Page | None:
                pages = self.explored.list(prefix, after=after, recursive=recursive)
                return await anext(aiter(pages), None)

            page = await self._gate.pass_through(self._look("list", prefix), work)
            if page is None:
                return
            entries = sorted([*(info.key for info in page.objects), *page.folders])
            kept = set(entries[: self._page])
            yield Page(
                [info for info in page.objects if info.key in kept],
                [folder for folder in page.folders if folder in kept],
            )
            if len(entries) < _FULL_PAGE and len(kept) == len(entries):
                return
            after = max(kept)

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return await self._each(keys, self._delete_one)

    async def _each(
        self, items: Sequence[T], delete: Callable[[T], Awaitable[DeleteReport]]
    ) -> DeleteReport:
        deleted: list[str] = []
        failed: dict[str, Exception] = {}
        for item in items if self._delete_order == "given" else reversed(items):
            report = await delete(item)
            deleted += report.deleted
            failed |= report.failed
        return DeleteReport(deleted, failed)

    async def _delete_one(self, key: str) -> DeleteReport:
        call = self._change("delete", key)

        async def work() -> DeleteReport:
            versions = await self.explored.keeps_versions()
            if not versions:
                try:
                    await self.explored.stat(key)
                except NotFound:
                    return DeleteReport([key])
            self._gate.changed(call, "delete")
            report = await self.explored.delete([key])
            if versions:
                newest = await anext(aiter(self.explored.list_versions(key)))
                self._gate.told(call, newest[0].version)
            return report

        return await self._gate.pass_through(call, work)

    async def now(self) -> datetime:
        return await self.explored.now()

    async def keeps_versions(self) -> bool:
        return await self.explored.keeps_versions()

    async def enable_versions(self) -> None:
        await self.explored.enable_versions()

    async def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        async def work() -> Sequence[ObjectVersion]:
            pages = self.explored.list_versions(prefix)
            return [version async for page in pages for version in page]

        yield await self._gate.pass_through(self._look("list versions", prefix), work)

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        return await self._each(versions, self._delete_version)

    async def _delete_version(self, version: tuple[str, str]) -> DeleteReport:
        key, name = version
        call = self._change("delete version", key, name=name)

        async def work() -> DeleteReport:
            before = [v.version async for page in self.explored.list_versions(key) for v in page]
            report = await self.explored.delete_versions([version])
            if name in before:
                self._gate.changed(call, f"without its version {before.index(name)}")
            return report

        return await self._gate.pass_through(call, work)

    async def leftovers(self, older_than: datetime) -> Sequence[str]:
        return await self.explored.leftovers(older_than)

    async def remove_leftovers(self, names: Sequence[str]) -> None:
        await self.explored.remove_leftovers(names)
