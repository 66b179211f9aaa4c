"""Multipart uploads: begun, filled part by part, and completed or aborted."""

from __future__ import annotations

from checkpoint_assets.testing.s3_bucket import NO_VERSION, Bucket, Upload, Version, new_id
from checkpoint_assets.testing.s3_checksums import md5
from checkpoint_assets.testing.s3_objects import (
    check_key,
    check_write_conditions,
    content,
    stored_headers,
    stored_tags,
    version_header,
)
from checkpoint_assets.testing.s3_protocol import (
    S3Answer,
    S3Error,
    S3Request,
    document,
    iso_time,
    text,
)

SMALLEST_PART = 5 * 1024 * 1024


def _upload(bucket: Bucket, request: S3Request) -> Upload:
    upload = bucket.uploads.get(request.query["uploadId"])
    if upload is None or upload.key != request.key:
        raise S3Error("NoSuchUpload")
    return upload


def create_upload(bucket: Bucket, request: S3Request) -> S3Answer:
    """CreateMultipartUpload: nothing is visible yet."""
    check_key(request)
    upload = Upload(
        new_id(), request.key, request.now, stored_headers(request), stored_tags(request)
    )
    bucket.uploads[upload.id] = upload
    return document(
        "InitiateMultipartUploadResult",
        text("Bucket", bucket.name),
        text("Key", request.key),
        text("UploadId", upload.id),
    )


def upload_part(bucket: Bucket, request: S3Request) -> S3Answer:
    """UploadPart; a number sent again replaces the part."""
    upload = _upload(bucket, request)
    if "x-amz-copy-source" in request.headers:
        raise S3Error("NotImplemented", "UploadPartCopy")
    number = request.number("partNumber", 0)
    if not 1 <= number <= 10_000:
        raise S3Error("InvalidArgument", "Part number must be from 1 to 10000")
    data, _ = content(request)
    etag = md5(data).hex()
    upload.parts[number] = (etag, data)
    return S3Answer(headers={"ETag": f'"{etag}"'})


def complete_upload(bucket: Bucket, request: S3Request) -> S3Answer:
    """CompleteMultipartUpload: the object appears, whole, or nothing changes."""
    upload = _upload(bucket, request)
    numbers: list[int] = []
    for part in request.xml().findall("Part"):
        number = int(part.findtext("PartNumber") or 0)
        known = upload.parts.get(number)
        if known is None or known[0] != (part.findtext("ETag") or "").strip('"'):
            raise S3Error("InvalidPart")
        numbers.append(number)
    if not numbers:
        raise S3Error("MalformedXML")
    if numbers != sorted(set(numbers)):
        raise S3Error("InvalidPartOrder")
    parts = [upload.parts[number] for number in numbers]
    if any(len(data) < SMALLEST_PART for _, data in parts[:-1]):
        raise S3Error("EntityTooSmall")
    check_write_conditions(bucket, request)
    etag = md5(b"".join(bytes.fromhex(etag) for etag, _ in parts)).hex() + f"-{len(parts)}"
    version = bucket.put(
        Version(
            upload.key,
            NO_VERSION,
            b"".join(data for _, data in parts),
            etag,
            request.now,
            upload.headers,
            tags=upload.tags,
        )
    )
    del bucket.uploads[upload.id]
    answer = document(
        "CompleteMultipartUploadResult",
        text("Bucket", bucket.name),
        text("Key", upload.key),
        f"<ETag>&quot;{etag}&quot;</ETag>",
    )
    answer.headers.update(version_header(bucket, version))
    return answer


def abort_upload(bucket: Bucket, request: S3Request) -> S3Answer:
    """AbortMultipartUpload: the parts are gone."""
    del bucket.uploads[_upload(bucket, request).id]
    return S3Answer(204)


def list_parts(bucket: Bucket, request: S3Request) -> S3Answer:
    """ListParts, all on one page."""
    upload = _upload(bucket, request)
    parts = (
        f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag>"
        f"<Size>{len(data)}</Size></Part>"
        for number, (etag, data) in sorted(upload.parts.items())
    )
    return document(
        "ListPartsResult",
        text("Bucket", bucket.name),
        text("Key", upload.key),
        text("UploadId", upload.id),
        "<IsTruncated>false</IsTruncated>",
        *parts,
    )


def list_uploads(bucket: Bucket, request: S3Request) -> S3Answer:
    """ListMultipartUploads, all on one page."""
    prefix = request.query.get("prefix", "")
    found = sorted(
        (upload for upload in bucket.uploads.values() if upload.key.startswith(prefix)),
        key=lambda upload: (upload.key, upload.started),
    )
    uploads = (
        f"<Upload>{text('Key', upload.key)}{text('UploadId', upload.id)}"
        f"<Initiated>{iso_time(upload.started)}</Initiated></Upload>"
        for upload in found
    )
    return document(
        "ListMultipartUploadsResult",
        text("Bucket", bucket.name),
        text("Prefix", prefix),
        "<IsTruncated>false</IsTruncated>",
        *uploads,
    )
