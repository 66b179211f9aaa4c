"""The contract that every store keeps. Wrappers keep it too, by composition.

Keys are relative, ``/``-separated, printable, and made by ``storage/keys.py`` alone. All methods
may be called from many threads and event loops at once.

Guarantees, on every store:

- ``put`` is atomic: a reader sees all bytes or no object. When it returned, the bytes are durable.
- ``put(create=True)`` writes only where nothing is. On what is there it raises ``Conflict``;
  whether the bytes are ours is for the caller to compare (a lost answer makes our own write look
  like somebody else's). A ``put`` that raised anything else may or may not have happened.
- ``fetch``, ``get`` and ``open`` return stored bytes or raise; a short body is never returned as
  whole.
- ``delete`` of what is absent is a success. Each key that failed is in the report, none is hidden.
- ``list`` yields in order of the key's UTF-8 bytes, with what was put before it began. A folder
  takes part in that order as its name with the ``/``. No page is empty.

Errors: ``NotFound``, ``Conflict``, ``StoreUnavailable`` (worth a retry), ``S3ConfigError`` (never
retried), ``StorageFull``, ``S3OperationError`` / ``LocalStorageError`` (anything else).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from checkpoint_assets.model.errors import NotSupported


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object. ``etag`` is opaque; ``modified`` is by the store's clock."""

    key: str
    size: int
    modified: datetime
    etag: str | None = None
    version: str | None = None
    media_type: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Bytes and what the store knows of them, from one read: both are of the same write.

    ``info.sha256`` is what the writer said. ``digest`` is the SHA-256 of ``data`` as computed on
    this read, where somebody did.
    """

    info: ObjectInfo
    data: bytes
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class NewObject:
    """What ``put`` takes to write an object where nothing is."""

    key: str
    data: bytes
    media_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """The keys that are gone now, and the error of each that is not."""

    deleted: Sequence[str]
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object: the current one, one that was replaced, or a delete marker."""

    key: str
    version: str
    modified: datetime
    size: int = 0
    latest: bool = False
    deleted: bool = False
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing: objects, and the folders directly below the prefix (with ``/``)."""

    objects: Sequence[ObjectInfo]
    folders: Sequence[str] = ()


class Store(Protocol):
    """A place for immutable objects."""

    @property
    def url(self) -> str:
        """Where the store is: ``s3://bucket/prefix``, ``file:///path`` or ``memory://name``."""
        ...

    async def connect(self) -> None:
        """Make sure the store can be used. Raises ``S3ConfigError`` where it never will be."""
        ...

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
        """Store ``data`` under ``key``.

        With ``if_match`` only over the object with that etag, and then ``create`` does not count;
        else with ``create=True`` only where nothing is; otherwise raises ``Conflict``. With
        neither, whatever is there is replaced.
        """
        ...

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        """All bytes of the object, with its etag and digest. Raises ``NotFound``."""
        ...

    async def get(self, key: str, *, version: str | None = None) -> bytes:
        """All bytes of the object. Raises ``NotFound``."""
        return (await self.fetch(key, version=version)).data

    def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes from ``start``, in chunks of at most a few MiB. Raises ``NotFound``.

        A range that ends beyond the object ends with it; one that begins there is empty.
        """
        ...

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        """Size, times and digest without the bytes. Raises ``NotFound``."""
        ...

    def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        """Objects whose key starts with ``prefix`` (empty, or ending in ``/``) and is > ``after``.

        With ``recursive=False`` only what is directly below the prefix: objects and folders, the
        latter as full keys with a final ``/``. A folder is there iff an object is below it.
        Memory stays flat: one page at a time.
        """
        ...

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        """Remove the objects. Absent is fine. Raises only where nothing could be tried."""
        ...

    # What follows has a default for stores that keep no versions and leave nothing lying about.

    async def now(self) -> datetime:
        """The store's own clock, which ``modified`` is told by."""
        return datetime.now(UTC)

    async def keeps_versions(self) -> bool:
        """Whether what is replaced or deleted from now on is kept as a version."""
        return False

    async def enable_versions(self) -> None:
        """From now on versions are kept. Raises ``NotSupported`` where that can't be."""
        raise NotSupported(f"{self.url} keeps no versions")

    async def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        """All versions of all keys that start with ``prefix`` (also a whole key), in pages.

        In the order of keys; of one key the newest first, and never parted by a page. What was
        stored while no versions were kept is one version.
        """
        return
        yield []

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        """Remove these (key, version) for good, delete markers too. Absent is fine.

        The report names keys; one of which any version could not be removed is in ``failed``.
        """
        raise NotSupported(f"{self.url} keeps no versions")

    async def leftovers(self, older_than: datetime) -> Sequence[str]:
        """Names of what dead writers left: temporary files, unfinished multipart uploads."""
        return ()

    async def remove_leftovers(self, names: Sequence[str]) -> None:
        """Remove these leftovers. Absent is fine."""
        return


@runtime_checkable
class PutsTogether(Protocol):
    """A store that can make several objects durable for little more than the price of one."""

    async def put_together(
        self,
        objects: Sequence[NewObject],
        last: Callable[[Sequence[ObjectInfo]], NewObject] | None = None,
    ) -> Sequence[ObjectInfo]:
        """``put`` each, create-only; then, when all are durable, what ``last`` makes of them.

        After an error any of them may be there, as after ``put``; the last one only if all are.
        """
        ...
