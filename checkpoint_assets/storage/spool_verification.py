"""Is what was drained really in the store? Asked of the store, not of what it answered before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.store import Store


@dataclass(frozen=True, slots=True)
class Sent:
    """An object that was written, or was there. ``md5`` is what most servers make its etag of."""

    key: str
    size: int
    sha256: str
    md5: str | None = None


async def unverified(store: Store, sent: Sequence[Sent], *, concurrency: int) -> dict[str, str]:
    """What is wrong with the objects in the store, by key; empty where they are what was sent.

    One listing tells the size and the server's own digest (the MD5 that is an etag) of a thousand
    objects. Where an etag is something else, the object's stored SHA-256 counts, and where there
    is none the object is read back.
    """
    expected = {one.key: one for one in sent}
    for top, keys in groupby(sorted(expected), lambda key: key.partition("/")[0]):
        for key in await _listed(store, f"{top}/", {key: expected[key] for key in keys}):
            del expected[key]
    gate = asyncio.Semaphore(concurrency)

    async def check(one: Sent) -> str | None:
        async with gate:
            return await problem(store, one)

    problems = await asyncio.gather(*map(check, expected.values()))
    return {key: why for key, why in zip(expected, problems, strict=True) if why is not None}


async def _listed(store: Store, prefix: str, expected: dict[str, Sent]) -> list[str]:
    """The keys that a listing vouches for."""
    found: list[str] = []
    first, last = min(expected), max(expected)
    async for page in store.list(prefix, after=first[:-1]):
        for info in page.objects:
            one = expected.get(info.key)
            if one is None or one.md5 is None or info.etag is None:
                continue
            if info.size == one.size and info.etag.strip('"').lower() == one.md5:
                found.append(info.key)
        if page.objects and page.objects[-1].key >= last:
            break
    return found


async def problem(store: Store, one: Sent) -> str | None:
    """What is wrong with one object in the store; ``None`` if it is what was sent."""
    try:
        info = await store.stat(one.key)
        found = info.sha256 or await digest(await store.get(one.key))
    except NotFound:
        return f"{one.key} is not in the store"
    except IntegrityError as error:
        return str(error)
    if info.size != one.size or found != one.sha256:
        return f"{one.key} has {info.size} bytes with SHA-256 {found}, not those that were sent"
    return None
