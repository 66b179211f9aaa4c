"""Conditional writes for a server that does not honour them: look, write, and look again.

Where versions are kept, of two writers that did not see each other the later one finds the other's
version right below its own, takes its own back, and has lost. Without versions the second look
finds nothing, and both may have won: that has to be accepted first (``racy_creates``).
"""

from __future__ import annotations

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.store import ObjectInfo, ObjectVersion, Store


async def put_checking(
    store: Store, key: str, data: bytes, media_type: str, sha256: str, if_match: str | None
) -> ObjectInfo:
    """``put`` over the object with that etag, or, without one, only where nothing is."""
    if await _etag(store, key) != if_match:
        raise Conflict(
            f"{key} exists" if if_match is None else f"{key} is not what it was", key=key
        )
    info = await store.put(key, data, media_type=media_type, sha256=sha256, create=False)
    if info.version is not None:
        below = await _version_below(store, key, info.version)
        if (below.etag if below and not below.deleted else None) != if_match:
            await store.delete_versions([(key, info.version)])
            raise Conflict(f"{key} was written by somebody else at the same time", key=key)
    return info


async def _etag(store: Store, key: str) -> str | None:
    try:
        return (await store.stat(key)).etag
    except NotFound:
        return None


async def _version_below(store: Store, key: str, version: str) -> ObjectVersion | None:
    seen = False
    async for page in store.list_versions(key):
        for found in page:
            if found.key == key:
                if seen:
                    return found
                seen = found.version == version
    return None
