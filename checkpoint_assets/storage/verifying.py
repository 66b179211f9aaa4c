"""A wrapper that lets no damaged bytes out: whole reads are compared with the writer's digest."""

from __future__ import annotations

from checkpoint_assets.model.errors import IntegrityError
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.store import ObjectInfo, Store, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore


class VerifyingStore(WrappedStore):
    """Compares each whole read with the size and SHA-256 that are stored beside the bytes.

    ``check_writes`` also compares the bytes of a ``put`` with the digest that came with them.
    S3 compares them by itself, since a request is signed over its body's SHA-256, so this is for
    other stores, and for callers that are not trusted to hash.
    """

    def __init__(self, inner: Store, *, check_writes: bool = False) -> None:
        super().__init__(inner)
        self._check_writes = check_writes

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
        if self._check_writes and await digest(data) != sha256:
            raise IntegrityError(f"the bytes for {key} are not those that were hashed", key=key)
        info = await self.inner.put(
            key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
        )
        if info.size != len(data):
            raise IntegrityError(f"{key}: stored {info.size} of {len(data)} bytes", key=key)
        return info

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        stored = await self.inner.fetch(key, version=version)
        found = stored.digest or await digest(stored.data)
        info = stored.info
        if len(stored.data) != info.size or (info.sha256 or found) != found:
            raise IntegrityError(
                f"{key} was read with SHA-256 {found} and {len(stored.data)} bytes, and written "
                f"with {info.sha256} and {info.size}",
                key=key,
            )
        return stored if stored.digest else StoredObject(info, stored.data, found)
