"""What buckets list: objects and folders page by page, and versions.

A continuation token is the place in the key order where the next page begins, so listing needs no
state between pages and survives changes to the bucket.
"""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from checkpoint_assets.testing.s3_bucket import Bucket, Entry, Version
from checkpoint_assets.testing.s3_protocol import (
    S3Answer,
    S3Error,
    S3Request,
    document,
    iso_time,
    text,
)

PAGE = 1000


@dataclass(slots=True)
class _Keys:
    objects: list[Entry] = field(default_factory=list[Entry])
    folders: list[str] = field(default_factory=list[str])
    last: str = ""
    next: str | None = None  # where the next page begins


def _past(folder: str) -> str:
    """The first text that does not begin with ``folder``."""
    return folder[:-1] + chr(ord(folder[-1]) + 1)


def _page(bucket: Bucket, prefix: str, delimiter: str, start: str, limit: int) -> _Keys:
    page = _Keys()
    entries = bucket.entries(max(prefix, start))
    while (entry := next(entries, None)) is not None and entry.key.startswith(prefix):
        if len(page.objects) + len(page.folders) == limit:
            page.next = entry.key
            break
        cut = entry.key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            page.objects.append(entry)
            page.last = entry.key
        else:
            folder = entry.key[: cut + len(delimiter)]
            page.folders.append(folder)
            page.last = folder
            entries = bucket.entries(_past(folder))
    return page


def _encoder(request: S3Request) -> Callable[[str], str]:
    if request.query.get("encoding-type") != "url":
        return lambda key: key
    return lambda key: urllib.parse.quote(key, safe="/-_.~")


def _limit(request: S3Request) -> int:
    return min(request.number("max-keys", PAGE), PAGE)


def _contents(page: _Keys, encode: Callable[[str], str]) -> Iterator[str]:
    for key, etag, size, modified in page.objects:
        yield (
            f"<Contents>{text('Key', encode(key))}"
            f"<LastModified>{iso_time(modified)}</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    for folder in page.folders:
        yield f"<CommonPrefixes>{text('Prefix', encode(folder))}</CommonPrefixes>"


def _common(request: S3Request, bucket: Bucket, encode: Callable[[str], str]) -> Iterator[str]:
    yield text("Name", bucket.name)
    yield text("Prefix", encode(request.query.get("prefix", "")))
    yield text("MaxKeys", _limit(request))
    if delimiter := request.query.get("delimiter"):
        yield text("Delimiter", encode(delimiter))
    if encoding := request.query.get("encoding-type"):
        yield text("EncodingType", encoding)


def list_objects_v2(bucket: Bucket, request: S3Request) -> S3Answer:
    """ListObjectsV2. As S3 says it, a folder is listed if a key in it comes after StartAfter."""
    query = request.query
    start = f"{query['start-after']}\0" if query.get("start-after") else ""
    token = query.get("continuation-token")
    if token is not None:
        try:
            start = base64.urlsafe_b64decode(token).decode()
        except (binascii.Error, UnicodeDecodeError) as err:
            raise S3Error("InvalidArgument", "The continuation token is incorrect") from err
    limit = _limit(request)
    page = _page(bucket, query.get("prefix", ""), query.get("delimiter", ""), start, limit)
    encode = _encoder(request)
    parts = [*_common(request, bucket, encode), *_contents(page, encode)]
    parts.append(text("KeyCount", len(page.objects) + len(page.folders)))
    parts.append(text("IsTruncated", "true" if page.next is not None else "false"))
    if page.next is not None:
        following = base64.urlsafe_b64encode(page.next.encode()).decode()
        parts.append(text("NextContinuationToken", following))
    if token is not None:
        parts.append(text("ContinuationToken", token))
    if query.get("start-after"):
        parts.append(text("StartAfter", encode(query["start-after"])))
    return document("ListBucketResult", *parts)


def list_objects(bucket: Bucket, request: S3Request) -> S3Answer:
    """ListObjects, the first version: pages are told apart by a marker."""
    query = request.query
    delimiter = query.get("delimiter", "")
    marker = query.get("marker", "")
    start = f"{marker}\0" if marker else ""
    if marker and delimiter and marker.endswith(delimiter):
        start = _past(marker)
    page = _page(bucket, query.get("prefix", ""), delimiter, start, _limit(request))
    encode = _encoder(request)
    parts = [*_common(request, bucket, encode), *_contents(page, encode)]
    parts.append(text("Marker", encode(marker)))
    parts.append(text("IsTruncated", "true" if page.next is not None else "false"))
    if page.next is not None:
        parts.append(text("NextMarker", encode(page.last)))
    return document("ListBucketResult", *parts)


def _version_entry(version: Version, latest: bool, encode: Callable[[str], str]) -> str:
    name = "DeleteMarker" if version.deleted else "Version"
    return "".join(
        (
            f"<{name}>",
            text("Key", encode(version.key)),
            text("VersionId", version.id),
            text("IsLatest", str(latest).lower()),
            text("LastModified", iso_time(version.modified)),
            ""
            if version.deleted
            else f"<ETag>&quot;{version.etag}&quot;</ETag><Size>{len(version.data)}</Size>"
            "<StorageClass>STANDARD</StorageClass>",
            f"</{name}>",
        )
    )


def _version_items(
    bucket: Bucket, request: S3Request, encode: Callable[[str], str]
) -> Iterator[tuple[str, str, str]]:
    """Key or folder, version id, and XML of everything after the request's markers."""
    query = request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    key_marker, version_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
    folder = ""
    for key in bucket.keys(max(prefix, key_marker)):
        if not key.startswith(prefix):
            return
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            previous, folder = folder, key[: cut + len(delimiter)]
            if folder != previous and not key_marker.startswith(folder):
                name = text("Prefix", encode(folder))
                yield folder, "", f"<CommonPrefixes>{name}</CommonPrefixes>"
            continue
        versions = list(enumerate(bucket.versions(key)))
        if key == key_marker:
            ids = [version.id for _, version in versions]
            # A marker that was deleted since the last page: what is left comes after it.
            done = ids.index(version_marker) + 1 if version_marker in ids else 0
            versions = versions[done:] if version_marker else []
        for place, version in versions:
            yield key, version.id, _version_entry(version, place == 0, encode)


def list_object_versions(bucket: Bucket, request: S3Request) -> S3Answer:
    """ListObjectVersions: every version and delete marker, per key the newest first."""
    encode = _encoder(request)
    limit = _limit(request)
    parts = list(_common(request, bucket, encode))
    parts.append(text("KeyMarker", encode(request.query.get("key-marker", ""))))
    parts.append(text("VersionIdMarker", request.query.get("version-id-marker", "")))
    items = _version_items(bucket, request, encode)
    shown = list(islice(items, limit))
    parts.extend(xml for _, _, xml in shown)
    truncated = next(items, None) is not None
    parts.append(text("IsTruncated", str(truncated).lower()))
    if truncated:
        parts.append(text("NextKeyMarker", encode(shown[-1][0] if shown else "")))
        parts.append(text("NextVersionIdMarker", shown[-1][1] if shown else ""))
    return document("ListVersionsResult", *parts)
