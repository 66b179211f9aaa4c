"""All buckets of the server, and the way from a request to the operation that it asks for."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Collection
from datetime import timedelta

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.testing import s3_listing, s3_multipart, s3_objects
from checkpoint_assets.testing.s3_bucket import Bucket
from checkpoint_assets.testing.s3_protocol import (
    S3Answer,
    S3Error,
    S3Request,
    document,
    error_answer,
    iso_time,
    split_path,
    text,
)

LARGEST_SKEW = timedelta(minutes=15)

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_CREDENTIAL = re.compile(r"Credential=([^/,]+)/")


def _get_versioning(bucket: Bucket, request: S3Request) -> S3Answer:
    status = text("Status", bucket.versioning) if bucket.versioning else ""
    return document("VersioningConfiguration", status)


def _put_versioning(bucket: Bucket, request: S3Request) -> S3Answer:
    status = request.xml().findtext("Status")
    if status not in {"Enabled", "Suspended"}:
        raise S3Error("MalformedXML")
    bucket.versioning = status
    return S3Answer()


def _get_lifecycle(bucket: Bucket, request: S3Request) -> S3Answer:
    if bucket.lifecycle is None:
        raise S3Error("NoSuchLifecycleConfiguration")
    return S3Answer(200, {"Content-Type": "application/xml"}, bucket.lifecycle)


def _put_lifecycle(bucket: Bucket, request: S3Request) -> S3Answer:
    s3_objects.content(request)
    if not 1 <= len(request.xml().findall("Rule")) <= 1000:
        raise S3Error("MalformedXML")
    bucket.lifecycle = request.body
    return S3Answer()


def _delete_lifecycle(bucket: Bucket, request: S3Request) -> S3Answer:
    bucket.lifecycle = None
    return S3Answer(204)


def _get_bucket_tagging(bucket: Bucket, request: S3Request) -> S3Answer:
    if bucket.tagging is None:
        raise S3Error("NoSuchTagSet")
    return S3Answer(200, {"Content-Type": "application/xml"}, bucket.tagging)


def _put_bucket_tagging(bucket: Bucket, request: S3Request) -> S3Answer:
    s3_objects.content(request)
    request.xml()
    bucket.tagging = request.body
    return S3Answer(204)


Operation = Callable[[Bucket, S3Request], S3Answer]

# What is done to a bucket that exists. Creating, deleting and listing buckets is the service's own.
OPERATIONS: dict[str, Operation] = {
    "HeadBucket": lambda bucket, request: S3Answer(),
    "GetBucketLocation": lambda bucket, request: document("LocationConstraint"),
    "GetBucketVersioning": _get_versioning,
    "PutBucketVersioning": _put_versioning,
    "GetBucketLifecycleConfiguration": _get_lifecycle,
    "PutBucketLifecycleConfiguration": _put_lifecycle,
    "DeleteBucketLifecycle": _delete_lifecycle,
    "GetBucketTagging": _get_bucket_tagging,
    "PutBucketTagging": _put_bucket_tagging,
    "ListObjects": s3_listing.list_objects,
    "ListObjectsV2": s3_listing.list_objects_v2,
    "ListObjectVersions": s3_listing.list_object_versions,
    "PutObject": s3_objects.put_object,
    "GetObject": s3_objects.get_object,
    "HeadObject": s3_objects.get_object,
    "DeleteObject": s3_objects.delete_object,
    "DeleteObjects": s3_objects.delete_objects,
    "GetObjectTagging": s3_objects.get_object_tagging,
    "PutObjectTagging": s3_objects.put_object_tagging,
    "DeleteObjectTagging": s3_objects.put_object_tagging,
    "CreateMultipartUpload": s3_multipart.create_upload,
    "UploadPart": s3_multipart.upload_part,
    "CompleteMultipartUpload": s3_multipart.complete_upload,
    "AbortMultipartUpload": s3_multipart.abort_upload,
    "ListParts": s3_multipart.list_parts,
    "ListMultipartUploads": s3_multipart.list_uploads,
}


class S3Service:
    """Buckets by name. ``access_keys`` are those that may come in; ``None`` lets all in."""

    def __init__(self, access_keys: Collection[str] | None = None) -> None:
        self.buckets: dict[str, Bucket] = {}
        self._access_keys = access_keys

    def answer(self, request: S3Request) -> S3Answer:
        """Do what the request asks for. Errors are answers, too."""
        try:
            self._admit(request)
            return self._serve(request)
        except S3Error as error:
            return error_answer(error, f"/{request.bucket}/{request.key}")

    def bucket(self, name: str) -> Bucket:
        """The bucket. Raises ``S3Error`` where it is not there."""
        try:
            return self.buckets[name]
        except KeyError as err:
            raise S3Error("NoSuchBucket", f"The bucket {name} does not exist") from err

    def _admit(self, request: S3Request) -> None:
        """Raise for an unknown access key, a presigned link that is over, a clock that is off.

        Signatures are not looked at.
        """
        credential = _CREDENTIAL.search(request.headers.get("authorization", ""))
        access_key = credential[1] if credential else None
        signed = request.headers.get("x-amz-date")
        if "X-Amz-Credential" in request.query:
            access_key = request.query["X-Amz-Credential"].partition("/")[0]
            begin = parse_isoformat(request.query["X-Amz-Date"])
            if request.now > begin + timedelta(seconds=request.number("X-Amz-Expires", 0)):
                raise S3Error("AccessDenied", "Request has expired")
        elif signed and abs(parse_isoformat(signed) - request.now) > LARGEST_SKEW:
            raise S3Error("RequestTimeTooSkewed")
        if self._access_keys is None:
            return
        if access_key is None:
            raise S3Error("AccessDenied")
        if access_key not in self._access_keys:
            raise S3Error("InvalidAccessKeyId")

    def _serve(self, request: S3Request) -> S3Answer:
        operation = request.operation
        if operation == "ListBuckets":
            return self._list_buckets()
        if operation == "CreateBucket":
            return self._create_bucket(request)
        bucket = self.bucket(request.bucket)
        if operation == "DeleteBucket":
            if not bucket.empty:
                raise S3Error("BucketNotEmpty")
            del self.buckets[bucket.name]
            return S3Answer(204)
        if operation == "CopyObject":
            return self._copy(bucket, request)
        if operation not in OPERATIONS:
            raise S3Error("NotImplemented", f"{request.method} with {sorted(request.query)}")
        return OPERATIONS[operation](bucket, request)

    def _list_buckets(self) -> S3Answer:
        buckets = (
            f"<Bucket>{text('Name', name)}"
            f"<CreationDate>{iso_time(bucket.created)}</CreationDate></Bucket>"
            for name, bucket in sorted(self.buckets.items())
        )
        return document("ListAllMyBucketsResult", f"<Buckets>{''.join(buckets)}</Buckets>")

    def _create_bucket(self, request: S3Request) -> S3Answer:
        if not _BUCKET_NAME.fullmatch(request.bucket):
            raise S3Error("InvalidBucketName")
        if request.bucket in self.buckets:
            raise S3Error("BucketAlreadyOwnedByYou")
        self.buckets[request.bucket] = Bucket(request.bucket, request.now)
        return S3Answer(headers={"Location": f"/{request.bucket}"})

    def _copy(self, bucket: Bucket, request: S3Request) -> S3Answer:
        path, _, query = request.headers["x-amz-copy-source"].partition("?")
        name, key = split_path(path)
        version_id = dict(urllib.parse.parse_qsl(query)).get("versionId")
        source = s3_objects.find_version(self.bucket(name), key, version_id)
        return s3_objects.copy_object(bucket, request, source)
