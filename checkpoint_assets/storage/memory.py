"""A store in memory, for tests and trials: the same promises as the others, but durability."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)

CHUNK = 1 << 20
PAGE = 1000


@dataclass(slots=True)
class _Shelf:
    """What the stores of one name share inside the process.

    ``history`` holds the versions of each key, the newest first; the bytes of a delete marker are
    ``None``. It is only written to while ``versioned`` is set.
    """

    objects: dict[str, StoredObject] = field(default_factory=dict[str, StoredObject])
    history: dict[str, list[tuple[ObjectVersion, StoredObject | None]]] = field(
        default_factory=dict[str, list[tuple[ObjectVersion, StoredObject | None]]]
    )
    versioned: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    writes: count[int] = field(default_factory=lambda: count(1))


_shelves: dict[str, _Shelf] = {}
_shelves_lock = threading.Lock()


class MemoryStore(Store):
    """Keeps objects in this process. Stores of one name share them; no name shares nothing."""

    def __init__(self, name: str = "", *, clock: Clock = system_clock) -> None:
        self._name = name
        self._clock = clock
        with _shelves_lock:
            self._shelf = _shelves.setdefault(name, _Shelf()) if name else _Shelf()

    @property
    def url(self) -> str:
        return f"memory://{self._name}"

    async def connect(self) -> None:
        return None

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
        shelf = self._shelf
        with shelf.lock:
            present = shelf.objects.get(key)
            if if_match is not None:
                if present is None or present.info.etag != if_match:
                    raise Conflict(f"{key} is not what it was", key=key)
            elif create and present is not None:
                raise Conflict(f"{key} exists", key=key)
            number = next(shelf.writes)
            info = ObjectInfo(
                key=key,
                size=len(data),
                modified=self._clock.now(),
                etag=f'"{number}"',
                version=f"{number:016x}" if shelf.versioned else None,
                media_type=media_type,
                sha256=sha256,
            )
            stored = StoredObject(info, bytes(data))
            if shelf.versioned:
                self._remember(key, _version_of(info), stored)
            shelf.objects[key] = stored
        return info

    def _history(self, key: str) -> list[tuple[ObjectVersion, StoredObject | None]]:
        history = self._shelf.history.get(key)
        present = self._shelf.objects.get(key)
        if history or present is None:
            return history or []
        # It was stored while no versions were kept: S3 calls such a version "null".
        old = replace(present, info=replace(present.info, version="null"))
        return [(_version_of(old.info), old)]

    def _remember(self, key: str, version: ObjectVersion, stored: StoredObject | None) -> None:
        older = [(replace(v, latest=False), s) for v, s in self._history(key)]
        self._shelf.history[key] = [(version, stored), *older]

    def _find(self, key: str, version: str | None) -> StoredObject:
        found = self._shelf.objects.get(key)
        if version is not None:
            for candidate, stored in self._history(key):
                if candidate.version == version and stored is not None:
                    return stored
            raise NotFound(f"no version {version} of {key}", key=key)
        if found is None:
            raise NotFound(f"no object {key}", key=key)
        return found

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return self._find(key, version)

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        data = self._find(key, version).data
        end = len(data) if length is None else min(len(data), start + length)
        for begin in range(start, end, CHUNK):
            yield data[begin : min(end, begin + CHUNK)]

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return self._find(key, version).info

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        with self._shelf.lock:
            keys = sorted(key for key in self._shelf.objects if key.startswith(prefix))
        objects: list[ObjectInfo] = []
        folders: list[str] = []
        at = 0 if after is None else bisect_right(keys, after)
        while at < len(keys):
            key = keys[at]
            slash = -1 if recursive else key.find("/", len(prefix))
            if slash < 0:
                found = self._shelf.objects.get(key)
                if found is not None:
                    objects.append(replace(found.info, media_type=None, sha256=None))
                at += 1
            else:
                folder = key[: slash + 1]
                if after is None or folder > after:
                    folders.append(folder)
                # "0" follows "/" in UTF-8: the next key outside of the folder.
                at = bisect_left(keys, folder[:-1] + "0", lo=at)
            if len(objects) + len(folders) >= PAGE:
                yield Page(objects, folders)
                objects, folders = [], []
        if objects or folders:
            yield Page(objects, folders)

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        shelf = self._shelf
        with shelf.lock:
            for key in keys:
                if shelf.versioned and key in shelf.objects:
                    name = f"{next(shelf.writes):016x}"
                    now = self._clock.now()
                    marker = ObjectVersion(key, name, now, latest=True, deleted=True)
                    self._remember(key, marker, None)
                shelf.objects.pop(key, None)
        return DeleteReport(list(keys))

    async def now(self) -> datetime:
        return self._clock.now()

    async def keeps_versions(self) -> bool:
        return self._shelf.versioned

    async def enable_versions(self) -> None:
        self._shelf.versioned = True

    async def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        with self._shelf.lock:
            keys = {*self._shelf.history, *self._shelf.objects}
            found = [
                version
                for key in sorted(key for key in keys if key.startswith(prefix))
                for version, _ in self._history(key)
            ]
        if found:
            yield found

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        shelf = self._shelf
        with shelf.lock:
            for key, version in versions:
                left = [(v, s) for v, s in self._history(key) if v.version != version]
                if not left:
                    shelf.history.pop(key, None)
                    shelf.objects.pop(key, None)
                    continue
                # What was below the version that went is the current one now.
                newest, stored = left[0]
                shelf.history[key] = [(replace(newest, latest=True), stored), *left[1:]]
                if stored is None:
                    shelf.objects.pop(key, None)
                else:
                    shelf.objects[key] = stored
        return DeleteReport(list(dict.fromkeys(key for key, _ in versions)))


def _version_of(info: ObjectInfo) -> ObjectVersion:
    name = info.version or "null"
    return ObjectVersion(info.key, name, info.modified, info.size, True, False, info.etag)
