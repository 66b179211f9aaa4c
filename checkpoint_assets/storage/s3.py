"""A store in an S3 bucket: obstore moves the data, boto3 does what obstore cannot.

Each object carries its SHA-256 as ``x-amz-meta-sha256``, so that a lost answer can be told from
somebody else's write without reading the body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, cast

import obstore
from obstore.exceptions import InvalidPathError
from obstore.store import S3Store as ObstoreS3

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.storage.media import content_disposition
from checkpoint_assets.storage.s3_clients import (
    REQUEST_TIMEOUT,
    S3ClientFactory,
    S3Clients,
)
from checkpoint_assets.storage.s3_conditions import put_checking
from checkpoint_assets.storage.s3_control import S3Control
from checkpoint_assets.storage.s3_errors import read_error, s3_error
from checkpoint_assets.storage.s3_multipart import THRESHOLD, put_in_parts
from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)

CHUNK = 8 << 20
PAGE = 1000
# The most that one DeleteObjects call takes.
DELETE_BATCH = 1000


class S3Store(Store):
    """Keeps objects in ``bucket`` below ``prefix``. The factory makes its boto3 client.

    ``request_timeout`` bounds each request for data, in seconds; none moves more than 8 MiB but
    the ``put`` and ``fetch`` of a larger object.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        client_factory: S3ClientFactory,
        request_timeout: float = REQUEST_TIMEOUT,
        clock: Clock = system_clock,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._clients = S3Clients(bucket, self._prefix, client_factory, request_timeout)
        self.control = S3Control(self._clients, bucket, self._prefix)
        self._clock = clock
        # Set once it is known that this server keeps conditions on multipart uploads, too.
        self.multipart_conditions = False
        # Set where the server does not honour conditions of writes: they are checked around the
        # write then, see ``s3_conditions``.
        self.checks_conditions = False

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._bucket

    @property
    def prefix(self) -> str:
        """What every key in the bucket begins with, without slashes around it; may be empty."""
        return self._prefix

    async def connect(self) -> None:
        await asyncio.to_thread(self.control.open)

    async def _data(self) -> ObstoreS3:
        return self._clients.ready or await asyncio.to_thread(self._clients.data)

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
        if self.checks_conditions and (create or if_match):
            return await put_checking(self, key, data, media_type, sha256, if_match)
        if len(data) > THRESHOLD and (self.multipart_conditions or (not create and not if_match)):
            return await self._put_in_parts(key, data, media_type, sha256, create, if_match)
        client = self._clients.ready or await self._data()
        attributes = {"Content-Type": media_type, "sha256": sha256}
        disposition = content_disposition(media_type)
        if disposition:
            attributes["Content-Disposition"] = disposition
        if if_match:
            return await self._put_over(client, key, data, attributes, if_match)
        mode: Any = "create" if create else "overwrite"
        return await self._put(client, key, data, attributes, mode)

    async def _put(
        self, client: ObstoreS3, key: str, data: bytes, attributes: dict[str, str], mode: Any
    ) -> ObjectInfo:
        try:
            result = await obstore.put_async(
                client, key, data, attributes=attributes, mode=mode, use_multipart=False
            )
        except Exception as error:  # obstore's errors are told apart by text, in one place
            raise s3_error(error, f"writing {key}", key) from error
        return ObjectInfo(
            key,
            len(data),
            self._clock.now(),
            result["e_tag"],
            result["version"],
            attributes["Content-Type"],
            attributes["sha256"],
        )

    async def _put_over(
        self, client: ObstoreS3, key: str, data: bytes, attributes: dict[str, str], etag: str
    ) -> ObjectInfo:
        try:
            try:
                return await self._put(client, key, data, attributes, {"e_tag": etag})
            except Conflict:
                # Some servers only know an etag without its quotes (Ceph 16).
                if (await self.stat(key)).etag != etag:
                    raise
                bare = etag.strip('"')
                return await self._put(client, key, data, attributes, {"e_tag": bare})
        except NotFound as error:
            raise Conflict(f"{key} is gone", key=key) from error

    async def _put_in_parts(
        self,
        key: str,
        data: bytes,
        media_type: str,
        sha256: str,
        create: bool,
        if_match: str | None,
    ) -> ObjectInfo:
        headers: dict[str, Any] = {"ContentType": media_type, "Metadata": {"sha256": sha256}}
        disposition = content_disposition(media_type)
        if disposition:
            headers["ContentDisposition"] = disposition
        condition: dict[str, str] = {}
        if if_match:
            condition["IfMatch"] = if_match
        elif create:
            condition["IfNoneMatch"] = "*"
        done = await put_in_parts(self.control, key, data, headers, condition)
        etag, version = done["ETag"], done.get("VersionId")
        return ObjectInfo(key, len(data), self._clock.now(), etag, version, media_type, sha256)

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        client = self._clients.ready or await self._data()
        try:
            result = await obstore.get_async(
                client, key, options={"version": version} if version else None
            )
            info = _info(key, cast("Any", result.meta), cast("Any", result.attributes))
            data = bytes(await result.bytes_async())
        except Exception as error:  # obstore's errors are told apart by text, in one place
            raise read_error(error, f"reading {key}", key) from error
        if len(data) != info.size:
            raise StoreUnavailable(f"reading {key}: got {len(data)} of {info.size} bytes", key=key)
        return StoredObject(info, data)

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        client = self._clients.ready or await self._data()
        end = None if length is None else start + length
        if end is not None and end <= start:
            await self.stat(key, version=version)
            return
        etag: str | None = None
        while end is None or start < end:
            # Each request moves a bounded range, so each can have a deadline.
            stop = start + CHUNK if end is None else min(end, start + CHUNK)
            options: dict[str, Any] = {"range": (start, stop)}
            if version:
                options["version"] = version
            if etag:
                options["if_match"] = etag
            try:
                result = await obstore.get_async(client, key, options=cast("Any", options))
                chunk = bytes(await result.bytes_async())
            except Exception as error:  # obstore's errors are told apart by text, in one place
                if "<Code>InvalidRange</Code>" in str(error) and etag is None:
                    return  # the range begins at or behind the object's end
                raise s3_error(error, f"reading {key}", key) from error
            size = result.meta["size"]
            etag = result.meta["e_tag"]
            end = size if end is None else min(end, size)
            if len(chunk) != min(stop, size) - start:
                raise StoreUnavailable(f"reading {key}: a short range at {start}", key=key)
            start += len(chunk)
            yield chunk

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        client = self._clients.ready or await self._data()
        options: dict[str, Any] = {"head": True}
        if version:
            options["version"] = version
        try:
            result = await obstore.get_async(client, key, options=cast("Any", options))
            return _info(key, cast("Any", result.meta), cast("Any", result.attributes))
        except Exception as error:  # obstore's errors are told apart by text, in one place
            raise read_error(error, f"looking at {key}", key) from error

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        if recursive:
            try:
                client = self._clients.ready or await self._data()
                stream = obstore.list(client, prefix or None, offset=after, chunk_size=PAGE)
                async for chunk in stream:
                    objects = [_listed(cast("Any", meta)) for meta in chunk]
                    if after is not None and objects[0].key <= after:
                        # obstore takes the last slash off, and so begins too early.
                        objects = [info for info in objects if info.key > after]
                    if objects:
                        after = objects[-1].key
                        yield Page(objects)
                return
            except InvalidPathError:
                pass  # obstore cannot say a foreign key such as "a/../b"; boto3 goes on from here
            except Exception as error:  # obstore's errors are told apart by text, in one place
                raise s3_error(error, f"listing {self.url}/{prefix}", prefix) from error
        token: str | None = None
        while True:
            page, token = await asyncio.to_thread(
                self.control.list_page, prefix, after, token, recursive
            )
            if page.objects or page.folders:
                yield page
            if token is None:
                return

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        return await self._delete([(key, None) for key in keys])

    async def _delete(self, items: Sequence[tuple[str, str | None]]) -> DeleteReport:
        failed: dict[str, Exception] = {}
        for begin in range(0, len(items), DELETE_BATCH):
            batch = items[begin : begin + DELETE_BATCH]
            try:
                failed.update(await asyncio.to_thread(self.control.delete, batch))
            except StorageManagerError as error:
                if begin == 0:
                    raise
                failed.update(dict.fromkeys((key for key, _ in batch), error))
        keys = dict.fromkeys(key for key, _ in items)
        return DeleteReport([key for key in keys if key not in failed], failed)

    async def now(self) -> datetime:
        return await asyncio.to_thread(self.control.now)

    async def keeps_versions(self) -> bool:
        return await asyncio.to_thread(self.control.versioning) == "Enabled"

    async def enable_versions(self) -> None:
        await asyncio.to_thread(self.control.enable_versioning)

    async def list_versions(self, prefix: str) -> AsyncIterator[Sequence[ObjectVersion]]:
        pages = self.control.versions(prefix)
        while page := await asyncio.to_thread(next, pages, None):
            yield page

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        return await self._delete(versions)

    async def leftovers(self, older_than: datetime) -> Sequence[str]:
        return await asyncio.to_thread(self.control.uploads, older_than)

    async def remove_leftovers(self, names: Sequence[str]) -> None:
        for name in names:
            await asyncio.to_thread(self.control.abort_upload, name)


def _info(key: str, meta: dict[str, Any], attributes: dict[str, str]) -> ObjectInfo:
    return ObjectInfo(
        key,
        meta["size"],
        meta["last_modified"],
        meta["e_tag"],
        meta["version"],
        attributes.get("Content-Type"),
        attributes.get("sha256"),
    )


def _listed(meta: dict[str, Any]) -> ObjectInfo:
    modified: datetime = meta["last_modified"]
    return ObjectInfo(meta["path"], meta["size"], modified, meta["e_tag"])
