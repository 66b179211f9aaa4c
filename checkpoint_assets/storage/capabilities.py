"""What a store really does, found out by trying: servers that speak S3 differ in what they honour.

A bucket is probed once; the answer is kept in the bucket and in the process. A promise that
depends on something that is missing is refused (``NotSupported``), never quietly not kept.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from datetime import timedelta

from checkpoint_assets.model.clock import Clock, isoformat, parse_isoformat
from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    NotSupported,
    S3ConfigError,
    S3OperationError,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import PROBE
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_trials import (
    has_lifecycle,
    keeps_tags,
    refuses_upload_over,
    refuses_wrong_checksum,
)
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.wrapper import innermost

logger = logging.getLogger(__name__)

RESULT_KEY = f"{PROBE}/capabilities.json"
# A server may be upgraded, and a bucket's settings changed.
VALID_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the store does. ``None``: these credentials may not find out.

    ``clock_skew`` is the store's time minus ours, in seconds.
    """

    create_only: bool | None = None
    if_match: bool | None = None
    metadata: bool | None = None
    ranges: bool | None = None
    delete: bool | None = None
    versions: bool | None = None
    multipart_create_only: bool | None = None
    checksums: bool | None = None
    tags: bool | None = None
    lifecycle: bool | None = None
    clock_skew: float | None = None

    def require(self, name: str, promise: str) -> None:
        """Raises ``NotSupported`` if it is known that the store does not do this."""
        if getattr(self, name) is False:
            raise NotSupported(
                f"{promise} needs a store that honours {name.replace('_', '-')}, and this one "
                "does not",
                hint="use another server, or a bucket without versioning",
            )


async def find_capabilities(store: Store, clock: Clock) -> Capabilities:
    """What the store does, from the last probe or from a new one. Raises ``S3ConfigError``."""
    bucket = innermost(store)
    if not isinstance(bucket, S3Store):
        return await _of_plain_store(store, clock)
    versions = await store.keeps_versions()
    kept = await _kept(store, clock)
    if kept is None or kept.versions != versions:
        kept = await probe(bucket, clock, versions)
        await _keep(store, kept, clock)
    bucket.multipart_conditions = kept.multipart_create_only is True
    return kept


async def _of_plain_store(store: Store, clock: Clock) -> Capabilities:
    # Our own code keeps these promises; there is no server that might not.
    skew = (await store.now() - clock.now()).total_seconds()
    digests = not store.url.startswith("file://")
    return Capabilities(
        create_only=True,
        if_match=True,
        metadata=digests,
        ranges=True,
        delete=True,
        versions=await store.keeps_versions(),
        multipart_create_only=True,
        checksums=True,
        tags=False,
        lifecycle=False,
        clock_skew=skew,
    )


async def _kept(store: Store, clock: Clock) -> Capabilities | None:
    try:
        stored = json.loads(await store.get(RESULT_KEY))
        if clock.now() - parse_isoformat(stored["probed_at"]) > VALID_FOR:
            return None
        known = {field.name for field in fields(Capabilities)}
        return Capabilities(**{k: v for k, v in stored["found"].items() if k in known})
    except (NotFound, ValueError, KeyError, TypeError, AttributeError):
        return None  # never probed, or by another version of this package: probe anew


async def _keep(store: Store, found: Capabilities, clock: Clock) -> None:
    record = {"schema_version": 1, "probed_at": isoformat(clock.now()), "found": asdict(found)}
    data = encode_json(record)
    try:
        await store.put(RESULT_KEY, data, media_type=JSON, sha256=sha256_hex(data), create=False)
    except S3ConfigError:
        logger.debug("the result of the probe could not be kept", exc_info=True)


async def probe(bucket: S3Store, clock: Clock, versions: bool) -> Capabilities:
    """Try everything on objects of the probe's own, and remove them."""
    trial = _Trial(bucket, f"{PROBE}/{secrets.token_hex(8)}")
    try:
        return Capabilities(
            create_only=await _answer(trial.create_only),
            if_match=await _answer(trial.if_match),
            metadata=await _answer(trial.metadata),
            ranges=await _answer(trial.ranges),
            versions=versions,
            multipart_create_only=await _answer(trial.multipart_create_only),
            checksums=await _answer(trial.checksums),
            tags=await _answer(trial.tags),
            lifecycle=await _answer(trial.lifecycle),
            delete=await _answer(trial.delete),
            clock_skew=(await bucket.now() - clock.now()).total_seconds(),
        )
    finally:
        await trial.clean_up(versions)


async def _answer(question: Callable[[], Awaitable[bool]]) -> bool | None:
    try:
        return await question()
    except StoreUnavailable:
        raise
    except S3ConfigError:
        return None  # these credentials may not ask
    except (S3OperationError, NotFound, Conflict, NotSupported):
        return False
    except StorageManagerError:
        return None


class _Trial:
    def __init__(self, bucket: S3Store, key: str) -> None:
        self._bucket = bucket
        self._key = key

    async def _put(self, data: bytes, *, create: bool = True, if_match: str | None = None) -> bool:
        """Whether the put was let through."""
        try:
            await self._bucket.put(
                self._key,
                data,
                media_type=JSON,
                sha256=sha256_hex(data),
                create=create,
                if_match=if_match,
            )
        except Conflict:
            return False
        return True

    async def create_only(self) -> bool:
        first = await self._put(b'"first"')
        return first and not await self._put(b'"other"')

    async def if_match(self) -> bool:
        await self._put(b'"second"', create=False)
        etag = (await self._bucket.stat(self._key)).etag
        if await self._put(b'"other"', if_match='"00000000000000000000000000000000"'):
            return False
        return await self._put(b'"third"', if_match=etag)

    async def metadata(self) -> bool:
        await self._put(b'"fourth"', create=False)
        info = await self._bucket.stat(self._key)
        return (info.sha256, info.media_type) == (sha256_hex(b'"fourth"'), JSON)

    async def ranges(self) -> bool:
        await self._put(b"0123456789", create=False)
        chunks = [chunk async for chunk in self._bucket.open(self._key, start=3, length=4)]
        return b"".join(chunks) == b"3456"

    async def delete(self) -> bool:
        await self._put(b"x", create=False)
        await self._bucket.delete([self._key])
        try:
            await self._bucket.stat(self._key)
        except NotFound:
            pages = self._bucket.list(f"{PROBE}/")
            return all([o.key != self._key async for page in pages for o in page.objects])
        return False

    async def multipart_create_only(self) -> bool:
        await self._put(b"x", create=False)
        return await asyncio.to_thread(refuses_upload_over, self._bucket.control, self._key)

    async def checksums(self) -> bool:
        return await asyncio.to_thread(refuses_wrong_checksum, self._bucket.control, self._key)

    async def tags(self) -> bool:
        await self._put(b"x", create=False)
        return await asyncio.to_thread(keeps_tags, self._bucket.control, self._key)

    async def lifecycle(self) -> bool:
        return await asyncio.to_thread(has_lifecycle, self._bucket.control)

    async def clean_up(self, versions: bool) -> None:
        await self._bucket.delete([self._key])
        if not versions:
            return
        found = [
            (version.key, version.version)
            async for page in self._bucket.list_versions(self._key)
            for version in page
        ]
        if found:
            await self._bucket.delete_versions(found)
