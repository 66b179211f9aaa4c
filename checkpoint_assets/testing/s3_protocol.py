"""S3 as bytes on the wire: requests, answers, errors, and how their parts are written.

Formats are those of the Amazon S3 API reference (API version 2006-03-01).
"""

from __future__ import annotations

import html
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

from checkpoint_assets.testing.s3_faults import Fault

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
XML = "application/xml"

# The status of each error code that the server answers with.
STATUS = {
    "AccessDenied": 403,
    "BadDigest": 400,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "EntityTooSmall": 400,
    "ExpiredToken": 400,
    "IncompleteBody": 400,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRequest": 400,
    "KeyTooLongError": 400,
    "MalformedXML": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NotImplemented": 501,
    "PreconditionFailed": 412,
    "RequestTimeTooSkewed": 403,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "TooManyRequests": 429,
    "XAmzContentSHA256Mismatch": 400,
}

_PLAIN_TEXT = re.compile(r"[A-Za-z0-9_./:+=-]*", re.ASCII)


class S3Error(Exception):
    """An error answer: ``code`` is S3's name of it, the status follows from it."""

    def __init__(self, code: str, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message or code)
        self.code = code
        self.status = status if status is not None else STATUS.get(code, 400)


@dataclass(slots=True)
class S3Request:
    """A request that arrived whole. Header names are in lower case, ``key`` is decoded."""

    method: str
    operation: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    now: datetime
    faults: tuple[Fault, ...] = ()

    def fault(self, kind: str, key: str | None = None) -> Fault | None:
        """The fault of this kind that hits the request (and the key, where one is given)."""
        for fault in self.faults:
            if fault.kind == kind and (key is None or fault.matches_key(key)):
                return fault
        return None

    def condition(self, header: str) -> str | None:
        """The value of If-Match or If-None-Match, unless conditions are ignored."""
        return None if self.fault("ignore_conditions") else self.headers.get(header)

    def number(self, name: str, default: int) -> int:
        text = self.query.get(name, "")
        if text and not text.isdecimal():
            raise S3Error("InvalidArgument", f"{name} must be a number")
        return int(text) if text else default

    def xml(self) -> ElementTree.Element:
        """The body as XML, without namespaces."""
        try:
            # Loopback clients of a test: expat bounds the expansion of entities by itself.
            root = ElementTree.fromstring(self.body)  # noqa: S314
        except ElementTree.ParseError as err:
            raise S3Error("MalformedXML", str(err)) from err
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root


@dataclass(slots=True)
class S3Answer:
    """What the server says. ``body`` of a HEAD is not sent, but its length is."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


def text(name: str, value: object) -> str:
    """``<name>value</name>``, escaped."""
    content = str(value)
    if not _PLAIN_TEXT.fullmatch(content):
        content = html.escape(content, quote=False)
    return f"<{name}>{content}</{name}>"


def document(root: str, *content: str, status: int = 200) -> S3Answer:
    """An XML answer."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">'
        f"{''.join(content)}</{root}>"
    )
    return S3Answer(status, {"Content-Type": XML}, body.encode())


def error_answer(error: S3Error, resource: str) -> S3Answer:
    """The error as S3 writes it (without a namespace)."""
    body = "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n<Error>',
            text("Code", error.code),
            text("Message", error),
            text("Resource", resource),
            "<RequestId>0</RequestId></Error>",
        )
    )
    return S3Answer(error.status, {"Content-Type": XML}, body.encode())


@lru_cache(maxsize=1024)
def iso_time(moment: datetime) -> str:
    """As times stand in S3's XML: milliseconds and ``Z``."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def http_time(moment: datetime) -> str:
    """As times stand in headers: whole seconds, GMT."""
    return format_datetime(moment, usegmt=True)


def decode_aws_chunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """The content of an ``aws-chunked`` body and the trailers after it."""
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        if end < 0:
            raise S3Error("IncompleteBody", "aws-chunked body without its last chunk")
        size = int(body[position:end].partition(b";")[0], 16)
        position = end + 2
        if size == 0:
            break
        parts.append(body[position : position + size])
        position += size + 2
    trailers: dict[str, str] = {}
    for line in body[position:].split(b"\r\n"):
        name, colon, value = line.decode().partition(":")
        if colon:
            trailers[name.strip().lower()] = value.strip()
    return b"".join(parts), trailers


_BUCKET_PARTS = {
    "versioning": "BucketVersioning",
    "lifecycle": "BucketLifecycleConfiguration",
    "tagging": "BucketTagging",
}
_OTHER_BUCKET_PARTS = {
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "delete"): "DeleteObjects",
    ("DELETE", "lifecycle"): "DeleteBucketLifecycle",
}
_BUCKET = {
    "GET": "ListObjects",
    "HEAD": "HeadBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
}
_OBJECT_PARTS = {
    ("GET", "tagging"): "GetObjectTagging",
    ("PUT", "tagging"): "PutObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("GET", "uploadId"): "ListParts",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
}
# Parts of a bucket or object that this server has not: they must not pass for the plain request.
_UNKNOWN_PARTS = frozenset(
    [
        *("acl", "attributes", "cors", "encryption", "legal-hold", "logging", "notification"),
        *("object-lock", "policy", "publicAccessBlock", "replication", "requestPayment"),
        *("restore", "retention", "select", "torrent", "website"),
    ]
)


def operation_of(
    method: str, bucket: str, key: str, query: dict[str, str], headers: dict[str, str]
) -> str:
    """S3's name of what a request asks for. ``NotImplemented`` for what the server does not do."""
    if _UNKNOWN_PARTS.intersection(query):
        return "NotImplemented"
    if not bucket:
        return "ListBuckets" if method == "GET" else "NotImplemented"
    if key:
        for (verb, part), name in _OBJECT_PARTS.items():
            if verb == method and part in query:
                return name
        if method == "PUT" and "x-amz-copy-source" in headers:
            return "CopyObject"
        return _OBJECT.get(method, "NotImplemented")
    for (verb, part), name in _OTHER_BUCKET_PARTS.items():
        if verb == method and part in query:
            return name
    for part, name in _BUCKET_PARTS.items():
        if part in query and method in {"GET", "PUT"}:
            return method.title() + name
    if method == "GET" and query.get("list-type") == "2":
        return "ListObjectsV2"
    return _BUCKET.get(method, "NotImplemented")


def split_path(path: str) -> tuple[str, str]:
    """Bucket and key of a path-style request, decoded."""
    bucket, _, key = path.removeprefix("/").partition("/")
    return urllib.parse.unquote(bucket), urllib.parse.unquote(key)
