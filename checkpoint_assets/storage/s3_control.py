"""What a bucket is asked through boto3: versions, time, deletes with an answer for each key.

Everything here blocks; ``S3Store`` calls it from threads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from checkpoint_assets.model.errors import NotFound, NotSupported, S3ConfigError, S3OperationError
from checkpoint_assets.storage.s3_clients import S3Client, S3Clients
from checkpoint_assets.storage.s3_errors import from_code, s3_error
from checkpoint_assets.storage.store import ObjectInfo, ObjectVersion, Page

PAGE = 1000


class S3Control:
    """The bucket and the part of it below ``prefix``. Keys have the prefix taken off."""

    def __init__(self, clients: S3Clients, bucket: str, prefix: str) -> None:
        self._clients = clients
        self.bucket = bucket
        self._prefix = prefix

    @contextmanager
    def asking(self, what: str, key: str | None = None) -> Generator[S3Client]:
        """The boto3 client, whose errors become typed ones that say ``what`` was being done."""
        try:
            yield self._clients.control()
        except Exception as error:  # boto3's errors have no common base; each becomes typed
            raise s3_error(error, what, key) from error

    def full_key(self, key: str) -> str:
        """The key as the bucket has it."""
        return f"{self._prefix}/{key}" if self._prefix else key

    def url(self, key: str) -> str:
        """The key as a URL, for messages."""
        return f"s3://{self.bucket}/{self.full_key(key)}"

    def own_key(self, full: str) -> str:
        """The key without the store's prefix."""
        return full[len(self._prefix) + 1 :] if self._prefix else full

    def open(self) -> None:
        """The bucket is there and lets us in. Raises ``S3ConfigError``."""
        try:
            with self.asking(f"opening bucket {self.bucket}") as client:
                client.head_bucket(Bucket=self.bucket)
                self._clients.data()
        except NotFound as error:
            raise S3ConfigError(
                f"there is no bucket {self.bucket}", hint="create the bucket, or mend its name"
            ) from error

    def create_bucket(self) -> None:
        """The bucket is there; one that we have already is fine."""
        with self.asking(f"creating bucket {self.bucket}") as client:
            region = client.meta.region_name
            # S3 takes its oldest region only by leaving the name out.
            place = {} if region == "us-east-1" else {"LocationConstraint": region}
            request: dict[str, Any] = {"CreateBucketConfiguration": place} if place else {}
            try:
                client.create_bucket(Bucket=self.bucket, **request)
            except client.exceptions.BucketAlreadyOwnedByYou:
                return

    def now(self) -> datetime:
        """The server's clock, from the ``Date`` of an answer."""
        with self.asking(f"asking {self.bucket} for the time") as client:
            answer = client.head_bucket(Bucket=self.bucket)
            date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if date is None:
            raise S3OperationError(f"bucket {self.bucket} does not tell the time")
        return parsedate_to_datetime(date).astimezone(UTC)

    def list_page(
        self, prefix: str, after: str | None, token: str | None, recursive: bool
    ) -> tuple[Page, str | None]:
        """One page of a listing, and the token of the next."""
        request: dict[str, Any] = {
            "Bucket": self.bucket,
            "Prefix": self.full_key(prefix),
            "MaxKeys": PAGE,
        }
        if not recursive:
            request["Delimiter"] = "/"
        if token:
            request["ContinuationToken"] = token
        elif after:
            # Behind a folder means behind its keys; whatever still shows it is dropped below.
            inside = "~" if after.endswith("/") and not recursive else ""
            request["StartAfter"] = self.full_key(after + inside)
        with self.asking(f"listing {self.url(prefix)}", prefix) as client:
            answer = client.list_objects_v2(**request)
        objects = [
            ObjectInfo(self.own_key(o["Key"]), o["Size"], o["LastModified"], o["ETag"])
            for o in answer.get("Contents", ())
        ]
        folders = [self.own_key(found["Prefix"]) for found in answer.get("CommonPrefixes", ())]
        page = Page(objects, [f for f in folders if after is None or f > after])
        return page, answer["NextContinuationToken"] if answer.get("IsTruncated") else None

    def delete(self, items: Sequence[tuple[str, str | None]]) -> dict[str, Exception]:
        """Remove up to 1000 (key, version); what could not be removed, by key."""
        objects = [
            {"Key": self.full_key(key), "VersionId": version}
            if version
            else {"Key": self.full_key(key)}
            for key, version in items
        ]
        with self.asking(f"deleting {len(items)} objects", items[0][0]) as client:
            answer = client.delete_objects(
                Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True}
            )
        failed: dict[str, Exception] = {}
        for refused in answer.get("Errors", ()):
            key, code = self.own_key(refused["Key"]), refused.get("Code", "")
            if code not in ("NoSuchKey", "NoSuchVersion"):
                said = f"{code} {refused.get('Message', '')}"
                failed[key] = from_code(code, 0, said, f"deleting {key}", key)
        return failed

    def versioning(self) -> str:
        """``Enabled``, ``Suspended``, or nothing for a bucket that never kept versions."""
        with self.asking(f"asking {self.bucket} for its versioning") as client:
            try:
                return client.get_bucket_versioning(Bucket=self.bucket).get("Status", "")
            except client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in ("NotImplemented", "MethodNotAllowed"):
                    return ""
                raise

    def enable_versioning(self) -> None:
        """The bucket keeps versions from now on."""
        with self.asking(f"enabling versions of {self.bucket}") as client:
            client.put_bucket_versioning(
                Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        if self.versioning() != "Enabled":
            raise NotSupported(f"bucket {self.bucket} does not take to keeping versions")

    def versions(self, prefix: str) -> Iterator[list[ObjectVersion]]:
        """Pages of versions; the versions of one key are never parted."""
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.full_key(prefix)}
        kept: list[ObjectVersion] = []
        while True:
            with self.asking(f"listing the versions of {self.url(prefix)}", prefix) as client:
                answer = client.list_object_versions(**request, MaxKeys=PAGE)
            found = [self._version(entry) for entry in answer.get("Versions", ())]
            found += [self._version(entry, True) for entry in answer.get("DeleteMarkers", ())]
            # Versions and markers come in two lists. The last key may go on in the next page.
            kept = sorted(kept + found, key=_by_key_newest_first)
            if not answer.get("IsTruncated"):
                if kept:
                    yield kept
                return
            groups = [list(group) for _, group in groupby(kept, attrgetter("key"))]
            kept = groups.pop()
            if groups:
                yield [version for group in groups for version in group]
            request["KeyMarker"] = answer["NextKeyMarker"]
            request["VersionIdMarker"] = answer.get("NextVersionIdMarker", "")

    def _version(self, entry: dict[str, Any], deleted: bool = False) -> ObjectVersion:
        return ObjectVersion(
            self.own_key(entry["Key"]),
            entry["VersionId"],
            entry["LastModified"],
            entry.get("Size", 0),
            entry["IsLatest"],
            deleted,
            entry.get("ETag"),
        )

    def begin_upload(self, key: str, headers: dict[str, Any]) -> str:
        """The id of a new multipart upload."""
        with self.asking(f"beginning an upload of {key}", key) as client:
            answer = client.create_multipart_upload(
                Bucket=self.bucket, Key=self.full_key(key), **headers
            )
        return answer["UploadId"]

    def send_part(self, key: str, upload: str, number: int, data: bytes) -> dict[str, Any]:
        """Store one part; what ``complete_upload`` has to be told of it."""
        with self.asking(f"writing part {number} of {key}", key) as client:
            answer = client.upload_part(
                Bucket=self.bucket,
                Key=self.full_key(key),
                UploadId=upload,
                PartNumber=number,
                Body=data,
            )
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        sums.pop("ChecksumType", None)
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    def complete_upload(
        self, key: str, upload: str, parts: list[dict[str, Any]], condition: dict[str, str]
    ) -> dict[str, Any]:
        """The object is there, of these parts."""
        with self.asking(f"writing {key}", key) as client:
            return client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.full_key(key),
                UploadId=upload,
                MultipartUpload={"Parts": parts},
                **condition,
            )

    def uploads(self, older_than: datetime) -> list[str]:
        """Unfinished multipart uploads, as ``key?uploadId=...``."""
        found: list[str] = []
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.full_key("")}
        while True:
            with self.asking(f"listing uploads to {self.bucket}") as client:
                answer = client.list_multipart_uploads(**request)
            found += [
                f"{self.own_key(upload['Key'])}?uploadId={upload['UploadId']}"
                for upload in answer.get("Uploads", ())
                if upload["Initiated"] < older_than
            ]
            if not answer.get("IsTruncated"):
                return found
            request["KeyMarker"] = answer["NextKeyMarker"]
            request["UploadIdMarker"] = answer["NextUploadIdMarker"]

    def abort_upload(self, name: str) -> None:
        """The parts of the upload are gone; one that is not there any more is fine."""
        key, _, upload_id = name.partition("?uploadId=")
        try:
            with self.asking(f"aborting an upload of {key}", key) as client:
                client.abort_multipart_upload(
                    Bucket=self.bucket, Key=self.full_key(key), UploadId=upload_id
                )
        except NotFound:
            return


def _by_key_newest_first(version: ObjectVersion) -> tuple[str, bool, float]:
    return version.key, not version.latest, -version.modified.timestamp()
