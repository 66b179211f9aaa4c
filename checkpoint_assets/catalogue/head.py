"""The HEAD: the small object that says which files the catalogue is made of.

It is swapped as a whole, by the etag that it was read with, so of two that publish at once one
wins and the other begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from checkpoint_assets.catalogue.parquet import REBUILD_HINT
from checkpoint_assets.model.errors import Conflict, IntegrityError, NotFound
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.keys import CATALOG_HEAD
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.storage_manager import StorageManager

VERSION = 1
TABLES = ("steps", "sessions", "gone")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a table: rows sorted by session id, ``first`` to ``last``.

    ``earliest`` and ``latest`` are the bounds of the table's time, in ISO 8601.
    """

    key: str
    rows: int
    bytes: int
    sha256: str
    first: str
    last: str
    earliest: str | None = None
    latest: str | None = None

    def may_hold(self, first: str | None, last: str | None) -> bool:
        """Whether a session of the range (both ends in it) may be in the file."""
        return (first is None or first <= self.last) and (last is None or self.first <= last)


@dataclass(frozen=True, slots=True)
class Head:
    """The published state. ``files`` by table, in the order of sessions.

    ``folded`` are fragments that are in the files, ``retired`` files that were in an earlier
    HEAD; each with the time (ISO 8601) since when, so that they go when no reader uses them.
    """

    name: str
    published_at: str
    files: Mapping[str, tuple[DataFile, ...]]
    folded: Mapping[str, str] = field(default_factory=dict[str, str])
    retired: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def keys(self) -> set[str]:
        """The keys of all files."""
        return {file.key for files in self.files.values() for file in files}

    def rows(self, table: str) -> int:
        """How many rows the table has."""
        return sum(file.rows for file in self.files[table])

    def to_json(self) -> bytes:
        """The bytes of the object."""
        files = {table: [asdict(file) for file in files] for table, files in self.files.items()}
        return encode_json({"schema_version": VERSION, **_fields(self), "files": files})


def _fields(head: Head) -> dict[str, Any]:
    return {
        "name": head.name,
        "published_at": head.published_at,
        "folded": dict(head.folded),
        "retired": dict(head.retired),
    }


EMPTY = Head("", "", dict.fromkeys(TABLES, ()))


@dataclass(frozen=True, slots=True)
class Published:
    """A HEAD and its etag; ``etag`` is ``None`` where there is no HEAD yet."""

    head: Head = EMPTY
    etag: str | None = None


async def read_head(storage: StorageManager, *, replacing: bool = False) -> Published:
    """The HEAD as it is now. Raises ``IntegrityError``, unless it is to be replaced anyway."""
    try:
        stored = await storage.read_object(CATALOG_HEAD)
    except NotFound:
        return Published()
    try:
        return Published(_parse(stored.data), stored.info.etag)
    except IntegrityError:
        if replacing:
            return Published(etag=stored.info.etag)
        raise


def _parse(data: bytes) -> Head:
    try:
        fields = json.loads(data)
        if (version := fields["schema_version"]) > VERSION:
            raise IntegrityError(
                f"{CATALOG_HEAD} has version {version}, this package reads {VERSION}",
                key=CATALOG_HEAD,
                hint="upgrade the package",
            )
        files = {
            table: tuple(DataFile(**file) for file in fields["files"][table]) for table in TABLES
        }
        return Head(
            fields["name"], fields["published_at"], files, fields["folded"], fields["retired"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{CATALOG_HEAD} cannot be read: {error}", key=CATALOG_HEAD, hint=REBUILD_HINT
        ) from error


async def publish(storage: StorageManager, head: Head, over: Published) -> bool:
    """Whether this is the HEAD now; ``False``: somebody else published since ``over`` was read."""
    data = head.to_json()
    try:
        await storage.write_object(
            CATALOG_HEAD, data, JSON, create=over.etag is None, if_match=over.etag
        )
    except Conflict:
        # Our own write, if only its answer was lost.
        return (await storage.read_object(CATALOG_HEAD)).data == data
    return True


def unreadable(error: NotFound) -> IntegrityError:
    """What it means that a file of the catalogue is missing, time and again."""
    return IntegrityError(
        f"a file of the catalogue is missing: {error.key}", key=error.key, hint=REBUILD_HINT
    )


def still_waiting(listed: Iterable[str], head: Head) -> list[str]:
    """The fragments that are not in the files."""
    return [key for key in listed if key not in head.folded]


def due(since: Mapping[str, str], before: datetime) -> list[str]:
    """The keys whose time is before that."""
    return [key for key, at in since.items() if datetime.fromisoformat(at) < before]
