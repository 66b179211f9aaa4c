"""What the parts of the store suite share: the store under test, what it can do, small verbs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import pytest

from checkpoint_assets.model.errors import Conflict, NotFound, NotSupported
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.store import ObjectInfo, Store

T = TypeVar("T")

# How many requests a test keeps under way at once.
CONCURRENCY = 32


@dataclass(frozen=True, slots=True)
class StoreCapabilities:
    """What a store does beyond what all do, found out by trying.

    A test of something that is missing is skipped, and the reason names it.
    """

    url: str
    create_only: bool
    if_match: bool
    media_types: bool
    digests: bool
    case: bool
    versions: bool

    def require(self, *names: str) -> None:
        """Skip the test unless the store can do all of these."""
        meanings = {
            "create_only": "create-only puts are not honoured",
            "if_match": "if_match is not honoured",
            "media_types": "media types are not kept",
            "digests": "digests are not kept",
            "case": "keys that differ in case are the same",
            "versions": "versions are not kept",
        }
        missing = [meanings[name] for name in names if not getattr(self, name)]
        if missing:
            pytest.skip(f"{self.url.partition('://')[0]} store: {', '.join(missing)}")


async def put(
    store: Store,
    key: str,
    data: bytes = b"data",
    *,
    media_type: str = "text/plain",
    create: bool = True,
    if_match: str | None = None,
) -> ObjectInfo:
    """``store.put`` with what a test does not care for filled in."""
    return await store.put(
        key,
        data,
        media_type=media_type,
        sha256=sha256_hex(data),
        create=create,
        if_match=if_match,
    )


async def put_all(store: Store, keys: Sequence[str]) -> None:
    """Objects under all of the keys; each one's bytes are its key."""
    await each(keys, lambda key: put(store, key, key.encode()))


async def each(items: Sequence[T], work: Callable[[T], Awaitable[object]]) -> None:
    """Do the work on each item, some at a time."""
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(item: T) -> None:
        async with gate:
            await work(item)

    await asyncio.gather(*map(one, items))


async def listed(store: Store, prefix: str = "", after: str | None = None) -> list[str]:
    """The keys of all objects below the prefix, in the order of the listing."""
    return [info.key async for page in store.list(prefix, after=after) for info in page.objects]


async def children(
    store: Store, prefix: str = "", after: str | None = None
) -> tuple[list[str], list[str]]:
    """Objects and folders directly below the prefix."""
    objects: list[str] = []
    folders: list[str] = []
    async for page in store.list(prefix, after=after, recursive=False):
        objects += [info.key for info in page.objects]
        folders += page.folders
    return objects, folders


async def read(store: Store, key: str, *, start: int = 0, length: int | None = None) -> bytes:
    """What ``open`` gives, joined."""
    return b"".join([chunk async for chunk in store.open(key, start=start, length=length)])


async def in_threads(count: int, work: Callable[[int], Awaitable[T]]) -> list[T]:
    """Run ``work(0)``, ``work(1)``, ... each in a thread with an event loop of its own."""

    async def run(number: int) -> T:
        return await work(number)

    def thread(number: int) -> T:
        return asyncio.run(run(number))

    return await asyncio.gather(*(asyncio.to_thread(thread, i) for i in range(count)))


async def probe(store: Store) -> StoreCapabilities:
    """Find out what the store can do. Leaves it as it was."""
    keys = ["_probe/object", "_probe/OBJECT"]
    info = await put(store, keys[0], b"1", create=False)
    stat = await store.stat(keys[0])
    try:
        return StoreCapabilities(
            url=store.url,
            create_only=await _refused(put(store, keys[0], b"2")),
            if_match=await _refused(put(store, keys[0], b"3", if_match='"0123456789abcdef"'))
            and not await _refused(put(store, keys[0], b"4", if_match=stat.etag)),
            media_types=stat.media_type is not None,
            digests=stat.sha256 is not None,
            case=await _absent(store, keys[1]),
            versions=info.version is not None,
        )
    finally:
        await store.delete(keys)


async def _refused(attempt: Awaitable[object]) -> bool:
    try:
        await attempt
    except Conflict:
        return True
    except NotSupported:
        return False
    return False


async def _absent(store: Store, key: str) -> bool:
    try:
        await store.stat(key)
    except NotFound:
        return True
    return False


class StoreCase:
    """A store that is empty, and what it can do.

    ``claims`` names capabilities that the store says it has: one that is missing is a failure then,
    not a reason to skip.
    """

    claims: ClassVar[frozenset[str]] = frozenset()

    # How many objects a page of the store's listings holds; some tests store a few more.
    page: ClassVar[int] = 1000

    _probed: ClassVar[StoreCapabilities | None] = None

    @pytest.fixture
    def store(self) -> Any:
        """An empty store, new for each test. To be overridden; may be async."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture 'store'")

    @pytest.fixture
    def reopen(self) -> Callable[[Store], Store] | None:
        """Opens the same place a second time, as another process would. To be overridden."""
        return None

    @pytest.fixture
    async def capabilities(self, store: Store) -> StoreCapabilities:
        """What the store can do: probed once for a class, while the store is still empty."""
        owner = type(self)
        if owner._probed is None:
            owner._probed = await probe(store)
        return owner._probed

    @pytest.fixture
    async def versioned(self, store: Store) -> Store:
        """The store with versions on. To be overridden where a test may turn them on."""
        if not await store.keeps_versions():
            pytest.skip(f"{store.url.partition('://')[0]} store: versions are off")
        return store
