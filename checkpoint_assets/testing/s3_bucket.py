"""Buckets in memory: objects with their versions, uploads under way, and what they list.

A bucket may hold objects that are only computed (:class:`GeneratedObjects`): a million keys cost
nothing until they are listed, and then one page at a time.
"""

from __future__ import annotations

import heapq
import secrets
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from checkpoint_assets.testing.s3_checksums import md5

NO_VERSION = "null"


def new_id() -> str:
    """An id that was never used before: of a version, of an upload."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object, or (``deleted``) a delete marker. ``headers`` are given back."""

    key: str
    id: str
    data: bytes
    etag: str
    modified: datetime
    headers: dict[str, str] = field(default_factory=dict[str, str])
    checksums: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    deleted: bool = False


class Entry(NamedTuple):
    """What a listing says of an object. Ordered by key."""

    key: str
    etag: str
    size: int
    modified: datetime


@dataclass(slots=True)
class Upload:
    """A multipart upload under way. ``parts`` maps the part's number to its ETag and bytes."""

    id: str
    key: str
    started: datetime
    headers: dict[str, str]
    tags: dict[str, str]
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict[int, tuple[str, bytes]])


@lru_cache(maxsize=256)
def _etag(data: bytes) -> str:
    return md5(data).hex()


@dataclass(frozen=True, slots=True)
class GeneratedObjects:
    """``count`` objects that exist by rule: ``key_of(i)`` must grow with ``i``."""

    count: int
    key_of: Callable[[int], str]
    body_of: Callable[[str], bytes] = lambda key: b"{}"
    modified: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def find(self, key: str) -> Version | None:
        index = self.first(key)
        if index == self.count or self.key_of(index) != key:
            return None
        data = self.body_of(key)
        return Version(key, NO_VERSION, data, _etag(data), self.modified)

    def first(self, start: str) -> int:
        """The index of the first key that is not before ``start``."""
        return bisect_left(range(self.count), start, key=self.key_of)


class Bucket:
    """Objects by key. ``versioning`` is empty, ``Enabled`` or ``Suspended``."""

    def __init__(self, name: str, created: datetime) -> None:
        self.name = name
        self.created = created
        self.versioning = ""
        self.lifecycle: bytes | None = None
        self.tagging: bytes | None = None
        self.uploads: dict[str, Upload] = {}
        self._versions: dict[str, list[Version]] = {}
        self._keys: list[str] = []
        self._generated: list[GeneratedObjects] = []
        # Generated keys that were deleted or written since: the rule no longer speaks for them.
        self._superseded: set[str] = set()

    def generate(self, objects: GeneratedObjects) -> None:
        """From now on the bucket also holds these."""
        self._generated.append(objects)

    @property
    def empty(self) -> bool:
        return not self._keys and next(self.entries(""), None) is None

    def current(self, key: str) -> Version | None:
        """The object as a plain GET sees it."""
        versions = self._versions.get(key)
        if versions:
            return None if versions[-1].deleted else versions[-1]
        return self._find_generated(key)

    def version(self, key: str, version_id: str) -> Version | None:
        """That version of the key, which may be a delete marker."""
        for version in self._versions.get(key, ()):
            if version.id == version_id:
                return version
        return self._find_generated(key) if version_id == NO_VERSION else None

    def versions(self, key: str) -> Sequence[Version]:
        """All versions and delete markers of the key, the newest first."""
        return self._versions.get(key, [])[::-1]

    def put(self, version: Version) -> Version:
        """Make this the current version, under an id that the bucket's versioning asks for."""
        return self._append(version)

    def delete(self, key: str, now: datetime) -> Version | None:
        """Delete as a plain DELETE does; the delete marker where that made one."""
        if self.versioning:
            return self._append(Version(key, NO_VERSION, b"", "", now, deleted=True))
        self._remove(key, NO_VERSION)
        return None

    def delete_version(self, key: str, version_id: str) -> Version | None:
        """Remove one version for good; what was removed, if it was there."""
        found = self.version(key, version_id)
        self._remove(key, version_id)
        return found

    def retag(self, version: Version, tags: dict[str, str]) -> None:
        """Give a version other tags."""
        versions = self._versions.get(version.key, [])
        versions[:] = [replace(old, tags=tags) if old.id == version.id else old for old in versions]

    def entries(self, start: str) -> Iterator[Entry]:
        """The current objects from ``start`` on, in order of their keys."""
        sources = [self._stored(start), *(self._computed(rule, start) for rule in self._generated)]
        return heapq.merge(*sources)

    def keys(self, start: str) -> Iterator[str]:
        """The keys from ``start`` on that have any version or delete marker."""
        for index in range(bisect_left(self._keys, start), len(self._keys)):
            yield self._keys[index]

    def _append(self, version: Version) -> Version:
        if self.versioning == "Enabled":
            version = replace(version, id=new_id())
        else:
            self._remove(version.key, NO_VERSION)
            version = replace(version, id=NO_VERSION)
        if version.key not in self._versions:
            self._versions[version.key] = []
            insort(self._keys, version.key)
        self._supersede(version.key)
        self._versions[version.key].append(version)
        return version

    def _remove(self, key: str, version_id: str) -> None:
        self._supersede(key)
        versions = self._versions.get(key)
        if versions is None:
            return
        versions[:] = [version for version in versions if version.id != version_id]
        if not versions:
            del self._versions[key]
            del self._keys[bisect_left(self._keys, key)]

    def _supersede(self, key: str) -> None:
        if self._find_generated(key):
            self._superseded.add(key)

    def _find_generated(self, key: str) -> Version | None:
        if key in self._superseded:
            return None
        return next((found for rule in self._generated if (found := rule.find(key))), None)

    def _stored(self, start: str) -> Iterator[Entry]:
        for index in range(bisect_left(self._keys, start), len(self._keys)):
            version = self._versions[self._keys[index]][-1]
            if not version.deleted:
                yield Entry(version.key, version.etag, len(version.data), version.modified)

    def _computed(self, rule: GeneratedObjects, start: str) -> Iterator[Entry]:
        key_of, body_of, superseded = rule.key_of, rule.body_of, self._superseded
        for index in range(rule.first(start), rule.count):
            key = key_of(index)
            if key not in superseded:
                data = body_of(key)
                yield Entry(key, _etag(data), len(data), rule.modified)
