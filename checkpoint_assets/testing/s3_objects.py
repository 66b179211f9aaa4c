"""What the server does with one object: put, get, head, copy, delete, tags.

Each function takes a bucket and a request that arrived whole, and answers or raises ``S3Error``.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from checkpoint_assets.testing.s3_bucket import NO_VERSION, Bucket, Version
from checkpoint_assets.testing.s3_checksums import ALGORITHMS, PREFIX, claimed, md5, wrong
from checkpoint_assets.testing.s3_protocol import (
    S3Answer,
    S3Error,
    S3Request,
    decode_aws_chunked,
    document,
    http_time,
    text,
)

LARGEST_KEY = 1024
LARGEST_METADATA = 2048
LARGEST_DELETE = 1000
_KEPT_HEADERS = (
    "content-type",
    "content-disposition",
    "content-encoding",
    "content-language",
    "cache-control",
    "expires",
)


def stored_headers(request: S3Request) -> dict[str, str]:
    """The headers of a put that a get gives back."""
    metadata = {
        name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")
    }
    if sum(len(name) - 11 + len(value) for name, value in metadata.items()) > LARGEST_METADATA:
        raise S3Error("MetadataTooLarge")
    kept = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
    encoding = kept.get("content-encoding", "").replace("aws-chunked", "").strip(", ")
    if "content-encoding" in kept:
        kept["content-encoding"] = encoding
    return {name: value for name, value in {**kept, **metadata}.items() if value}


def stored_tags(request: S3Request) -> dict[str, str]:
    """The tags in a put's header."""
    return dict(urllib.parse.parse_qsl(request.headers.get("x-amz-tagging", "")))


def content(request: S3Request) -> tuple[bytes, dict[str, str]]:
    """The body as it is to be stored, with its checksums. Raises if one of them is wrong."""
    data, claims = request.body, dict(request.headers)
    payload = claims.get("x-amz-content-sha256", "")
    if payload.startswith("STREAMING-") or "aws-chunked" in claims.get("content-encoding", ""):
        data, trailers = decode_aws_chunked(data)
        claims.update(trailers)
    elif len(payload) == 64 and payload != ALGORITHMS["sha256"](data).hex():
        raise S3Error("XAmzContentSHA256Mismatch")
    if name := wrong(data, claims):
        raise S3Error("BadDigest", f"The {name} you specified did not match what we received.")
    return data, claimed(claims)


def check_key(request: S3Request) -> None:
    """Raise for a key that S3 does not take."""
    if len(request.key.encode()) > LARGEST_KEY:
        raise S3Error("KeyTooLongError")


def check_write_conditions(bucket: Bucket, request: S3Request) -> None:
    """If-None-Match and If-Match of a write. Raises ``PreconditionFailed``."""
    current = bucket.current(request.key)
    if (unless := request.condition("if-none-match")) is not None:
        if unless != "*":
            raise S3Error("NotImplemented", "If-None-Match takes * only")
        if current is not None:
            raise S3Error("PreconditionFailed")
    if (only := request.condition("if-match")) is not None:
        if current is None:
            raise S3Error("NoSuchKey")
        if only.strip('"') not in {current.etag, "*"}:
            raise S3Error("PreconditionFailed")


def version_header(bucket: Bucket, version: Version) -> dict[str, str]:
    """The version's id, where the bucket has versions."""
    return {"x-amz-version-id": version.id} if bucket.versioning else {}


def put_object(bucket: Bucket, request: S3Request) -> S3Answer:
    """PutObject: the whole body, if its checksums and the conditions hold."""
    check_key(request)
    data, checksums = content(request)
    check_write_conditions(bucket, request)
    version = bucket.put(
        Version(
            request.key,
            NO_VERSION,
            data,
            md5(data).hex(),
            request.now,
            stored_headers(request),
            checksums,
            stored_tags(request),
        )
    )
    headers = {"ETag": f'"{version.etag}"', **version_header(bucket, version)}
    headers.update({PREFIX + name: value for name, value in checksums.items()})
    return S3Answer(headers=headers)


def copy_object(bucket: Bucket, request: S3Request, source: Version) -> S3Answer:
    """CopyObject: the source's bytes as a new object."""
    check_key(request)
    check_write_conditions(bucket, request)
    replaced = request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
    retagged = request.headers.get("x-amz-tagging-directive", "COPY") == "REPLACE"
    version = bucket.put(
        Version(
            request.key,
            NO_VERSION,
            source.data,
            md5(source.data).hex(),
            request.now,
            stored_headers(request) if replaced else source.headers,
            source.checksums,
            stored_tags(request) if retagged else source.tags,
        )
    )
    answer = document(
        "CopyObjectResult",
        text("LastModified", f"{version.modified:%Y-%m-%dT%H:%M:%S.000Z}"),
        f"<ETag>&quot;{version.etag}&quot;</ETag>",
    )
    answer.headers.update(version_header(bucket, version))
    return answer


def find_version(bucket: Bucket, key: str, version_id: str | None) -> Version:
    """The current version, or the one named. Raises ``NoSuchKey`` or ``NoSuchVersion``."""
    version = bucket.version(key, version_id) if version_id else bucket.current(key)
    if version is None:
        raise S3Error("NoSuchVersion" if version_id else "NoSuchKey")
    if version.deleted:
        raise S3Error("MethodNotAllowed", "The version is a delete marker")
    return version


def _object_headers(bucket: Bucket, version: Version, request: S3Request) -> dict[str, str]:
    headers = {
        "Last-Modified": http_time(version.modified),
        "ETag": f'"{version.etag}"',
        "Accept-Ranges": "bytes",
        "content-type": "binary/octet-stream",
        **version.headers,
    }
    for name, value in request.query.items():
        if name.startswith("response-"):
            headers[name.removeprefix("response-")] = value
    if version.tags:
        headers["x-amz-tagging-count"] = str(len(version.tags))
    return {**headers, **version_header(bucket, version)}


def _range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a Range header; ``None`` for one that is to be ignored."""
    unit, _, span = header.partition("=")
    first, dash, last = span.partition("-")
    if unit != "bytes" or not dash or not (first + last).isdecimal():
        return None
    if not first:
        return max(size - int(last), 0), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


def get_object(bucket: Bucket, request: S3Request) -> S3Answer:
    """GetObject and HeadObject, with ranges, conditions and versions."""
    version = find_version(bucket, request.key, request.query.get("versionId"))
    headers = _object_headers(bucket, version, request)
    only, unless = request.headers.get("if-match"), request.headers.get("if-none-match")
    if only is not None and only.strip('"') not in {version.etag, "*"}:
        raise S3Error("PreconditionFailed")
    if unless is not None and unless.strip('"') in {version.etag, "*"}:
        return S3Answer(304, {"ETag": headers["ETag"]})
    size = len(version.data)
    span = _range(request.headers.get("range", ""), size)
    if span is None:
        if request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
            headers.update({PREFIX + name: value for name, value in version.checksums.items()})
        return S3Answer(200, headers, version.data)
    first, last = span
    if first > last or first >= size:
        raise S3Error("InvalidRange")
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return S3Answer(206, headers, version.data[first : last + 1])


def _remove(bucket: Bucket, request: S3Request, key: str, version_id: str) -> Version | None:
    """Delete one key or version, unless it is lied about; a delete marker made or removed."""
    if request.fault("lying_delete", key):
        return None
    if version_id:
        removed = bucket.delete_version(key, version_id)
        return removed if removed and removed.deleted else None
    return bucket.delete(key, request.now)


def _check_delete_condition(bucket: Bucket, key: str, etag: str | None) -> None:
    if etag is None:
        return
    current = bucket.current(key)
    if current is None:
        raise S3Error("NoSuchKey")
    if etag.strip('"') not in {current.etag, "*"}:
        raise S3Error("PreconditionFailed")


def delete_object(bucket: Bucket, request: S3Request) -> S3Answer:
    """DeleteObject: absent is deleted; a version that is named goes for good."""
    _check_delete_condition(bucket, request.key, request.condition("if-match"))
    version_id = request.query.get("versionId", "")
    marker = _remove(bucket, request, request.key, version_id)
    headers: dict[str, str] = {}
    if marker:
        headers = {"x-amz-delete-marker": "true", "x-amz-version-id": marker.id}
    elif version_id:
        headers = {"x-amz-version-id": version_id}
    return S3Answer(204, headers)


def _delete_one(bucket: Bucket, request: S3Request, item: Mapping[str, str]) -> tuple[bool, str]:
    """Whether the key of a DeleteObjects is gone, and what the answer says of it."""
    key, version_id = item["Key"], item.get("VersionId", "")
    named = text("Key", key) + (text("VersionId", version_id) if version_id else "")
    try:
        if fault := request.fault("partial_delete", key):
            raise S3Error(fault.code or "AccessDenied")
        _check_delete_condition(bucket, key, item.get("ETag"))
        marker = _remove(bucket, request, key, version_id)
    except S3Error as error:
        return False, f"<Error>{named}{text('Code', error.code)}{text('Message', error)}</Error>"
    if marker:
        named += "<DeleteMarker>true</DeleteMarker>" + text("DeleteMarkerVersionId", marker.id)
    return True, f"<Deleted>{named}</Deleted>"


def keys_to_delete(request: S3Request) -> list[dict[str, str]]:
    """What a DeleteObjects names: ``Key`` and perhaps ``VersionId`` and ``ETag``."""
    items = [
        {part.tag: part.text or "" for part in item} for item in request.xml().findall("Object")
    ]
    if not 1 <= len(items) <= LARGEST_DELETE or any("Key" not in item for item in items):
        raise S3Error("MalformedXML")
    return items


def delete_objects(bucket: Bucket, request: S3Request) -> S3Answer:
    """DeleteObjects: each key by itself; absent is deleted."""
    content(request)
    quiet = (request.xml().findtext("Quiet") or "").lower() == "true"
    results = [_delete_one(bucket, request, item) for item in keys_to_delete(request)]
    return document("DeleteResult", *(xml for gone, xml in results if not (gone and quiet)))


def get_object_tagging(bucket: Bucket, request: S3Request) -> S3Answer:
    """GetObjectTagging."""
    version = find_version(bucket, request.key, request.query.get("versionId"))
    tags = (
        f"<Tag>{text('Key', name)}{text('Value', value)}</Tag>"
        for name, value in version.tags.items()
    )
    return document("Tagging", f"<TagSet>{''.join(tags)}</TagSet>")


def put_object_tagging(bucket: Bucket, request: S3Request) -> S3Answer:
    """PutObjectTagging and DeleteObjectTagging: the tags given, or none."""
    version = find_version(bucket, request.key, request.query.get("versionId"))
    tags: dict[str, str] = {}
    if request.method == "PUT":
        for tag in request.xml().iter("Tag"):
            tags[tag.findtext("Key") or ""] = tag.findtext("Value") or ""
    bucket.retag(version, tags)
    return S3Answer(200 if request.method == "PUT" else 204)
