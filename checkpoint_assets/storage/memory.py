"""A store in memory, for tests and trials: the same promises as the others, but durability."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject

CHUNK = 1 << 20
PAGE = 1000


@dataclass(slots=True)
class _Shelf:
    """What the stores of one name share inside the process."""

    objects: dict[str, StoredObject] = field(default_factory=dict[str, StoredObject])
    lock: threading.Lock = field(default_factory=threading.Lock)
    writes: count[int] = field(default_factory=count)


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
            info = ObjectInfo(
                key=key,
                size=len(data),
                modified=self._clock.now(),
                etag=f'"{next(shelf.writes)}"',
                media_type=media_type,
                sha256=sha256,
            )
            shelf.objects[key] = StoredObject(info, bytes(data))
        return info

    def _find(self, key: str, version: str | None) -> StoredObject:
        found = self._shelf.objects.get(key)
        if found is None or (version is not None and found.info.version != version):
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
        with self._shelf.lock:
            for key in keys:
                self._shelf.objects.pop(key, None)
        return DeleteReport(list(keys))
