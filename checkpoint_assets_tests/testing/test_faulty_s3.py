"""The faulty S3 endpoint: it speaks S3 as long as it is told nothing, and fails as it is told."""

import base64
import hashlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from obstore.store import S3Store

from checkpoint_assets.testing.faulty_s3 import KINDS, Fault, FaultyS3, GeneratedObjects

BUCKET = "checkpoints"


def boto3_client(server: FaultyS3, access_key: str = "key", **config: Any) -> Any:
    settings = {
        "connect_timeout": 2,
        "read_timeout": 0.5,
        "retries": {"total_max_attempts": 1},
        **config,
    }
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key="secret",
        region_name="us-east-1",
        config=Config(**settings),
    )


def obstore_store(server: FaultyS3) -> S3Store:
    return S3Store(
        BUCKET,
        endpoint=server.endpoint_url,
        access_key_id="key",
        secret_access_key="secret",
        region="us-east-1",
        client_options={"allow_http": True, "timeout": "2s"},
        retry_config={
            "max_retries": 3,
            "backoff": {
                "init_backoff": timedelta(milliseconds=1),
                "max_backoff": timedelta(milliseconds=5),
                "base": 2,
            },
            "retry_timeout": timedelta(seconds=5),
        },
    )


@pytest.fixture(scope="module")
def running() -> Iterator[FaultyS3]:
    with FaultyS3() as server:
        yield server


@pytest.fixture
def server(running: FaultyS3) -> FaultyS3:
    running.clear_faults()
    running.create_bucket(BUCKET)
    running.forget_requests()
    return running


@pytest.fixture(scope="module")
def client(running: FaultyS3) -> Iterator[Any]:
    with closing(boto3_client(running)) as client:
        yield client


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


# What it does when nothing is injected.


def test_object_comes_back_with_type_metadata_and_etag(server: FaultyS3, client: Any) -> None:
    client.put_object(
        Bucket=BUCKET,
        Key="a/b c+é%2F.html",
        Body=b"<p>",
        ContentType="text/html",
        ContentDisposition="attachment",
        Metadata={"sha256": "00"},
    )
    got = client.get_object(Bucket=BUCKET, Key="a/b c+é%2F.html")
    assert got["Body"].read() == b"<p>"
    assert (got["ContentType"], got["ContentDisposition"]) == ("text/html", "attachment")
    assert got["Metadata"] == {"sha256": "00"}
    assert got["ETag"] == f'"{hashlib.md5(b"<p>", usedforsecurity=False).hexdigest()}"'
    assert list(server.objects(BUCKET)) == ["a/b c+é%2F.html"]


def test_absent_key_and_absent_bucket_are_told_apart(server: FaultyS3, client: Any) -> None:
    with pytest.raises(ClientError) as key:
        client.get_object(Bucket=BUCKET, Key="absent")
    with pytest.raises(ClientError) as bucket:
        client.get_object(Bucket="absent", Key="absent")
    assert (error_code(key), error_code(bucket)) == ("NoSuchKey", "NoSuchBucket")


def test_create_only_put_refuses_a_second_writer(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfNoneMatch="*")
    assert error_code(error) == "PreconditionFailed"
    assert server.objects(BUCKET) == {"k": b"1"}


def test_if_match_put_replaces_only_the_object_it_means(server: FaultyS3, client: Any) -> None:
    etag = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["ETag"]
    client.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError) as stale:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as absent:
        client.put_object(Bucket=BUCKET, Key="other", Body=b"3", IfMatch=etag)
    assert (error_code(stale), error_code(absent)) == ("PreconditionFailed", "NoSuchKey")


def test_if_match_delete_removes_only_the_object_it_means(server: FaultyS3, client: Any) -> None:
    etag = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["ETag"]
    with pytest.raises(ClientError) as error:
        client.delete_object(Bucket=BUCKET, Key="k", IfMatch='"00"')
    assert error_code(error) == "PreconditionFailed"
    client.delete_object(Bucket=BUCKET, Key="k", IfMatch=etag)
    assert server.objects(BUCKET) == {}


@pytest.mark.parametrize(
    ("span", "expected"),
    [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-3", b"789"), ("bytes=8-99", b"89")],
)
def test_range_gives_just_these_bytes(
    server: FaultyS3, client: Any, span: str, expected: bytes
) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    got = client.get_object(Bucket=BUCKET, Key="k", Range=span)
    assert got["Body"].read() == expected
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_range_past_the_end_is_an_error(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket=BUCKET, Key="k", Range="bytes=10-")
    assert error_code(error) == "InvalidRange"


def test_get_if_none_match_says_not_modified(server: FaultyS3, client: Any) -> None:
    etag = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["ETag"]
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket=BUCKET, Key="k", IfNoneMatch=etag)
    assert error_code(error) == "304"


def test_listing_pages_in_key_order(server: FaultyS3, client: Any) -> None:
    keys = ["a", "a.b", "a/b", "aa", "b/1", "b/2", "z é"]
    for key in reversed(keys):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys


def test_first_version_of_list_objects_pages_too(server: FaultyS3, client: Any) -> None:
    for key in ("a/1", "a/2", "b", "c/1"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    pages = client.get_paginator("list_objects").paginate(
        Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = [
        item.get("Key") or item["Prefix"]
        for page in pages
        for item in page.get("Contents", []) + page.get("CommonPrefixes", [])
    ]
    assert found == ["a/", "b", "c/1".removesuffix("1")]


def test_listing_folds_folders_and_begins_after_a_key(server: FaultyS3, client: Any) -> None:
    for key in ("p/a/1", "p/a/2", "p/b", "p/c/1", "q"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    folded = client.list_objects_v2(Bucket=BUCKET, Prefix="p/", Delimiter="/")
    assert [item["Prefix"] for item in folded["CommonPrefixes"]] == ["p/a/", "p/c/"]
    assert [item["Key"] for item in folded["Contents"]] == ["p/b"]
    after = client.list_objects_v2(Bucket=BUCKET, StartAfter="p/a/2")
    assert [item["Key"] for item in after["Contents"]] == ["p/b", "p/c/1", "q"]


def test_keys_that_xml_cannot_hold_are_listed_url_encoded(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="a\x01<&>b", Body=b"")
    assert client.list_objects_v2(Bucket=BUCKET)["Contents"][0]["Key"] == "a\x01<&>b"


def test_million_generated_keys_cost_nothing_until_listed(server: FaultyS3, client: Any) -> None:
    rule = GeneratedObjects(1_000_000, lambda i: f"s{i // 4:06d}/{i % 4}.metadata.json")
    server.generate(BUCKET, rule)
    client.put_object(Bucket=BUCKET, Key="s000001/manifest", Body=b"")
    client.delete_object(Bucket=BUCKET, Key="s000001/2.metadata.json")
    page = client.list_objects_v2(Bucket=BUCKET, Prefix="s000001/")
    assert [item["Key"].partition("/")[2] for item in page["Contents"]] == [
        "0.metadata.json",
        "1.metadata.json",
        "3.metadata.json",
        "manifest",
    ]
    last = client.list_objects_v2(Bucket=BUCKET, StartAfter="s249999/2.metadata.json")
    assert [item["Key"] for item in last["Contents"]] == ["s249999/3.metadata.json"]
    assert client.get_object(Bucket=BUCKET, Key="s000000/0.metadata.json")["Body"].read() == b"{}"


def test_delete_of_many_reports_absent_keys_as_deleted(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="here", Body=b"")
    report = client.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": "here"}, {"Key": "absent"}]}
    )
    assert [item["Key"] for item in report["Deleted"]] == ["here", "absent"]
    assert server.objects(BUCKET) == {}


def test_delete_of_more_than_a_thousand_is_refused(server: FaultyS3, client: Any) -> None:
    keys = [{"Key": f"{i}"} for i in range(1001)]
    with pytest.raises(ClientError) as error:
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
    assert error_code(error) == "MalformedXML"


def test_versions_survive_overwriting_and_deleting(server: FaultyS3, client: Any) -> None:
    server.create_bucket(BUCKET, versioning=True)
    first = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["VersionId"]
    second = client.put_object(Bucket=BUCKET, Key="k", Body=b"2")["VersionId"]
    marker = client.delete_object(Bucket=BUCKET, Key="k")
    assert marker["DeleteMarker"]
    with pytest.raises(ClientError):
        client.head_object(Bucket=BUCKET, Key="k")
    got = client.get_object(Bucket=BUCKET, Key="k", VersionId=first)
    assert got["Body"].read() == b"1"
    listed = client.list_object_versions(Bucket=BUCKET)
    assert [item["VersionId"] for item in listed["Versions"]] == [second, first]
    assert [item["IsLatest"] for item in listed["DeleteMarkers"]] == [True]
    client.delete_object(Bucket=BUCKET, Key="k", VersionId=marker["VersionId"])
    assert server.objects(BUCKET) == {"k": b"2"}


def test_versions_page_while_they_are_deleted(server: FaultyS3, client: Any) -> None:
    server.create_bucket(BUCKET, versioning=True)
    for i in range(7):
        client.put_object(Bucket=BUCKET, Key=f"k{i % 2}", Body=b"")
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        client.delete_objects(
            Bucket=BUCKET,
            Delete={
                "Objects": [
                    {"Key": item["Key"], "VersionId": item["VersionId"]}
                    for item in page["Versions"]
                ]
            },
        )
    assert "Versions" not in client.list_object_versions(Bucket=BUCKET)


def test_versions_fold_into_folders(server: FaultyS3, client: Any) -> None:
    server.create_bucket(BUCKET, versioning=True)
    for key in ("a/1", "a/2", "b", "c/1"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    folders = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
    assert folders == ["a/", "c/"]


def test_copy_takes_bytes_and_metadata_of_a_version(server: FaultyS3, client: Any) -> None:
    server.create_bucket(BUCKET, versioning=True)
    old = client.put_object(Bucket=BUCKET, Key="k", Body=b"1", Metadata={"a": "1"})["VersionId"]
    client.put_object(Bucket=BUCKET, Key="k", Body=b"2")
    client.copy_object(
        Bucket=BUCKET, Key="k", CopySource={"Bucket": BUCKET, "Key": "k", "VersionId": old}
    )
    got = client.get_object(Bucket=BUCKET, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"1", {"a": "1"})


def test_multipart_object_appears_when_it_is_completed(server: FaultyS3, client: Any) -> None:
    data = os.urandom(6 * 1024 * 1024)
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    parts = [
        client.upload_part(
            Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=number, Body=io.BytesIO(part)
        )["ETag"]
        for number, part in ((1, data[: 5 * 1024 * 1024]), (2, data[5 * 1024 * 1024 :]))
    ]
    listed = client.list_parts(Bucket=BUCKET, Key="k", UploadId=upload)["Parts"]
    assert [part["PartNumber"] for part in listed] == [1, 2]
    assert server.objects(BUCKET) == {}
    client.complete_multipart_upload(
        Bucket=BUCKET,
        Key="k",
        UploadId=upload,
        MultipartUpload={
            "Parts": [{"PartNumber": i, "ETag": etag} for i, etag in enumerate(parts, 1)]
        },
    )
    assert server.objects(BUCKET) == {"k": data}


def test_aborted_multipart_upload_leaves_nothing(server: FaultyS3, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    client.upload_part(Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=1, Body=b"1")
    assert [item["Key"] for item in client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]] == [
        "k"
    ]
    client.abort_multipart_upload(Bucket=BUCKET, Key="k", UploadId=upload)
    assert server.uploads(BUCKET) == []


def test_multipart_part_below_five_mebibytes_is_too_small(server: FaultyS3, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="k")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(
                Bucket=BUCKET, Key="k", UploadId=upload, PartNumber=number, Body=b"1"
            )["ETag"],
        }
        for number in (1, 2)
    ]
    with pytest.raises(ClientError) as error:
        client.complete_multipart_upload(
            Bucket=BUCKET, Key="k", UploadId=upload, MultipartUpload={"Parts": parts}
        )
    assert error_code(error) == "EntityTooSmall"


def test_tags_are_kept_and_replaced(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"", Tagging="ttl=7d")
    tags = client.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"]
    assert tags == [{"Key": "ttl", "Value": "7d"}]
    client.put_object_tagging(
        Bucket=BUCKET, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b c"}]}
    )
    tags = client.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b c"}]


def test_lifecycle_rules_come_back_as_given(server: FaultyS3, client: Any) -> None:
    with pytest.raises(ClientError) as error:
        client.get_bucket_lifecycle_configuration(Bucket=BUCKET)
    assert error_code(error) == "NoSuchLifecycleConfiguration"
    rule = {
        "ID": "ours",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
    }
    client.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
    )
    assert client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] == [rule]
    client.delete_bucket_lifecycle(Bucket=BUCKET)
    with pytest.raises(ClientError):
        client.get_bucket_lifecycle_configuration(Bucket=BUCKET)


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksum_is_verified_kept_and_given_back(
    server: FaultyS3, client: Any, algorithm: str
) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"1", ChecksumAlgorithm=algorithm)
    got = client.get_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"1"
    assert got[f"Checksum{algorithm}"]
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1", **{f"Checksum{algorithm}": "AAAA"})
    assert error_code(error) == "BadDigest"


def test_wrong_content_md5_is_refused(server: FaultyS3, client: Any) -> None:
    wrong = base64.b64encode(hashlib.md5(b"2", usedforsecurity=False).digest()).decode()
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1", ContentMD5=wrong)
    assert error_code(error) == "BadDigest"
    assert server.objects(BUCKET) == {}


def test_aws_chunked_body_is_decoded_and_its_trailer_verified(server: FaultyS3) -> None:
    def put(checksum: bytes) -> int:
        body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:" + checksum + b"\r\n\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request(
            "PUT",
            f"/{BUCKET}/k",
            body,
            {
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                "content-encoding": "aws-chunked",
                "x-amz-decoded-content-length": "5",
            },
        )
        status = connection.getresponse().status
        connection.close()
        return status

    assert put(base64.b64encode(zlib.crc32(b"abcde").to_bytes(4, "big"))) == 200
    assert server.objects(BUCKET) == {"k": b"abcde"}
    assert put(b"AAAAAA==") == 400


@pytest.mark.parametrize(
    ("key", "metadata", "code"),
    [("k" * 1025, {}, "KeyTooLongError"), ("k", {"a": "b" * 2048}, "MetadataTooLarge")],
)
def test_limits_of_s3_hold(
    server: FaultyS3, client: Any, key: str, metadata: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key=key, Body=b"", Metadata=metadata)
    assert error_code(error) == code


def test_what_it_cannot_do_is_refused_loudly(server: FaultyS3, client: Any) -> None:
    with pytest.raises(ClientError) as error:
        client.get_bucket_acl(Bucket=BUCKET)
    assert error_code(error) == "NotImplemented"


def test_bucket_is_created_once_and_deleted_when_empty(server: FaultyS3, client: Any) -> None:
    client.create_bucket(Bucket="another")
    with pytest.raises(ClientError) as error:
        client.create_bucket(Bucket="another")
    assert error_code(error) == "BucketAlreadyOwnedByYou"
    client.put_object(Bucket="another", Key="k", Body=b"")
    with pytest.raises(ClientError) as error:
        client.delete_bucket(Bucket="another")
    assert error_code(error) == "BucketNotEmpty"
    client.delete_object(Bucket="another", Key="k")
    client.delete_bucket(Bucket="another")
    assert "another" not in [item["Name"] for item in client.list_buckets()["Buckets"]]


def test_presigned_link_works_until_it_expires(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    parameters = {
        "Bucket": BUCKET,
        "Key": "k",
        "ResponseContentDisposition": "attachment",
    }
    with closing(boto3_client(server, signature_version="s3v4")) as signed:
        link = signed.generate_presigned_url("get_object", parameters, ExpiresIn=60)
        expired = signed.generate_presigned_url("get_object", parameters, ExpiresIn=0)
    with urllib.request.urlopen(link, timeout=5) as answer:
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.read() == b"1"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        time_passes(lambda: urllib.request.urlopen(expired, timeout=5))


def time_passes(call: Any) -> Any:
    """A link of zero seconds lives until its second is over: try until then."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        call().close()
    return None


def test_unknown_access_key_is_refused() -> None:
    with FaultyS3(buckets=[BUCKET], access_keys=["known"]) as server:
        with closing(boto3_client(server, "known")) as client:
            client.put_object(Bucket=BUCKET, Key="k", Body=b"")
        with (
            closing(boto3_client(server, "unknown")) as client,
            pytest.raises(ClientError) as error,
        ):
            client.put_object(Bucket=BUCKET, Key="k", Body=b"")
        assert error_code(error) == "InvalidAccessKeyId"


def test_obstore_puts_gets_lists_and_deletes(server: FaultyS3) -> None:
    store = obstore_store(server)
    store.put("a/1", b"1", attributes={"Content-Type": "text/html", "sha256": "00"})
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        store.put("a/1", b"2", mode="create")
    got = store.get("a/1")
    assert got.attributes == {"Content-Type": "text/html", "sha256": "00"}
    assert bytes(got.bytes()) == b"1"
    assert bytes(store.get_range("a/1", start=0, length=1)) == b"1"
    assert [item["path"] for page in store.list("a") for item in page] == ["a/1"]
    store.delete(["a/1", "absent"])
    assert server.objects(BUCKET) == {}


def test_log_names_each_operation_with_its_outcome(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"12")
    server.inject(Fault("forbidden", operation="GetObject"))
    with pytest.raises(ClientError):
        client.get_object(Bucket=BUCKET, Key="k")
    first, second = server.requests
    assert (first.operation, first.key, first.status, first.received) == ("PutObject", "k", 200, 2)
    assert (second.operation, second.status, second.faults) == ("GetObject", 403, ("forbidden",))
    assert server.counts == {"PutObject": 1, "GetObject": 1}


def test_stopped_server_is_away_and_has_everything_when_it_is_back() -> None:
    with FaultyS3(buckets=[BUCKET]) as server, closing(boto3_client(server)) as client:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
        with server.away(), pytest.raises((EndpointConnectionError, ConnectionClosedError)):
            client.get_object(Bucket=BUCKET, Key="k")
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"1"


# What it does when it is told to fail.


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("internal_error", 500, "InternalError"),
        ("slow_down", 503, "SlowDown"),
        ("too_many_requests", 429, "TooManyRequests"),
        ("forbidden", 403, "AccessDenied"),
        ("no_such_bucket", 404, "NoSuchBucket"),
        ("request_conflict", 409, "ConditionalRequestConflict"),
    ],
)
def test_error_is_answered_and_nothing_done(
    server: FaultyS3, client: Any, kind: Any, status: int, code: str
) -> None:
    server.inject(Fault(kind))
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert error_code(error) == code
    assert server.objects(BUCKET) == {}


def test_error_in_ok_has_status_200_and_an_error_inside(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("error_in_ok", operation="DeleteObjects"))
    with pytest.raises(ClientError) as error:
        client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})
    assert error_code(error) == "InternalError"


def test_error_code_can_be_another(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("forbidden", code="InvalidAccessKeyId"))
    with pytest.raises(ClientError) as error:
        client.list_objects_v2(Bucket=BUCKET)
    assert error_code(error) == "InvalidAccessKeyId"


@pytest.mark.parametrize("kind", ["reset", "reset_upload"])
def test_reset_before_anything_is_done(server: FaultyS3, client: Any, kind: Any) -> None:
    server.inject(Fault(kind))
    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=BUCKET, Key="k", Body=bytes(100_000))
    assert server.objects(BUCKET) == {}
    assert server.requests[-1].status == 0


def test_lost_acknowledgement_is_done_and_not_said(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("lost_ack", operation="PutObject"))
    with pytest.raises(ConnectionClosedError):
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert server.objects(BUCKET) == {"k": b"1"}


def test_hang_answers_nothing_and_does_nothing(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("hang"))
    with pytest.raises(ReadTimeoutError):
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert server.objects(BUCKET) == {}


def test_stall_stops_in_the_middle_of_the_body(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=bytes(1000))
    server.inject(Fault("stall", operation="GetObject"))
    with pytest.raises(ReadTimeoutError):
        client.get_object(Bucket=BUCKET, Key="k")["Body"].read()


def test_truncated_body_ends_early(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=bytes(1000))
    server.inject(Fault("truncate", operation="GetObject"))
    with pytest.raises(ResponseStreamingError):
        client.get_object(Bucket=BUCKET, Key="k")["Body"].read()


def test_short_body_looks_whole(server: FaultyS3) -> None:
    store = obstore_store(server)
    store.put("k", bytes(1000))
    server.inject(Fault("short", operation="GetObject"))
    assert len(store.get("k").bytes()) == 500


def test_corrupt_body_differs_in_one_byte(server: FaultyS3) -> None:
    store = obstore_store(server)
    store.put("k", bytes(1000))
    server.inject(Fault("corrupt", operation="GetObject"))
    assert sum(byte != 0 for byte in bytes(store.get("k").bytes())) == 1
    assert bytes(store.get("k").bytes()) == bytes(1000)


def test_corrupted_upload_is_refused_where_a_checksum_came_along(
    server: FaultyS3, client: Any
) -> None:
    server.inject(Fault("corrupt_upload", times=2))
    with pytest.raises(ClientError):
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    request = urllib.request.Request(f"{server.endpoint_url}/{BUCKET}/k", data=b"1", method="PUT")
    with urllib.request.urlopen(request, timeout=5):
        assert server.objects(BUCKET) == {"k": b"0"}


def test_latency_delays_and_then_serves(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("latency", seconds=0.2))
    begin = time.monotonic()
    client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert time.monotonic() - begin >= 0.2
    assert server.objects(BUCKET) == {"k": b"1"}


def test_wrong_clock_shows_in_date_and_in_what_is_stored(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("wrong_clock", seconds=600, times=None))
    answer = client.put_object(Bucket=BUCKET, Key="k", Body=b"1")["ResponseMetadata"]
    said = parsedate_to_datetime(answer["HTTPHeaders"]["date"])
    stored = client.head_object(Bucket=BUCKET, Key="k")["LastModified"]
    for moment in (said, stored):
        assert timedelta(minutes=9) < moment - datetime.now(UTC) < timedelta(minutes=11)


def test_clock_off_by_more_than_a_quarter_hour_refuses_signed_requests(
    server: FaultyS3, client: Any
) -> None:
    server.inject(Fault("wrong_clock", seconds=-3600))
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket=BUCKET, Key="k", Body=b"1")
    assert error_code(error) == "RequestTimeTooSkewed"


def test_conditions_can_be_ignored(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("ignore_conditions", times=None))
    client.put_object(Bucket=BUCKET, Key="k", Body=b"1", IfNoneMatch="*")
    client.put_object(Bucket=BUCKET, Key="k", Body=b"2", IfNoneMatch="*")
    assert server.objects(BUCKET) == {"k": b"2"}


def test_partial_delete_names_the_keys_that_failed(server: FaultyS3, client: Any) -> None:
    for key in ("a.html", "a.webp"):
        client.put_object(Bucket=BUCKET, Key=key, Body=b"")
    server.inject(Fault("partial_delete", key="*.html", code="InternalError"))
    report = client.delete_objects(
        Bucket=BUCKET,
        Delete={"Objects": [{"Key": "a.html"}, {"Key": "a.webp"}], "Quiet": True},
    )
    assert [(item["Key"], item["Code"]) for item in report["Errors"]] == [
        ("a.html", "InternalError")
    ]
    assert list(server.objects(BUCKET)) == ["a.html"]


def test_lying_delete_says_deleted_and_keeps(server: FaultyS3, client: Any) -> None:
    client.put_object(Bucket=BUCKET, Key="k", Body=b"")
    server.inject(Fault("lying_delete", times=2))
    report = client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "k"}]})
    assert [item["Key"] for item in report["Deleted"]] == ["k"]
    client.delete_object(Bucket=BUCKET, Key="k")
    assert list(server.objects(BUCKET)) == ["k"]


def test_fault_hits_only_its_operation_key_and_count(server: FaultyS3, client: Any) -> None:
    fault = Fault("internal_error", operation="PutObject", key="*.html", times=1, after=1)
    server.inject(fault)
    client.put_object(Bucket=BUCKET, Key="s/1.webp", Body=b"")
    client.put_object(Bucket=BUCKET, Key="s/1.html", Body=b"")
    with pytest.raises(ClientError):
        client.put_object(Bucket=BUCKET, Key="s/2.html", Body=b"")
    assert server.pending_faults() == []
    client.put_object(Bucket=BUCKET, Key="s/2.html", Body=b"")


def test_faults_that_decide_take_turns(server: FaultyS3, client: Any) -> None:
    server.inject(Fault("slow_down"), Fault("forbidden"), Fault("latency", seconds=0.01, times=3))
    codes: list[str] = []
    for _ in range(2):
        with pytest.raises(ClientError) as error:
            client.put_object(Bucket=BUCKET, Key="k", Body=b"")
        codes.append(error_code(error))
    client.put_object(Bucket=BUCKET, Key="k", Body=b"")
    assert codes == ["SlowDown", "AccessDenied"]
    assert server.requests[-1].faults == ("latency",)


def test_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="one of internal_error, slow_down"):
        Fault("slowdown")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs seconds"):
        Fault("latency")


def test_every_kind_of_fault_is_documented() -> None:
    from checkpoint_assets.testing import s3_faults

    assert [kind for kind in KINDS if f"``{kind}``" not in (s3_faults.__doc__ or "")] == []


def test_server_runs_as_a_command_and_takes_faults_over_http() -> None:
    command = [sys.executable, "-m", "checkpoint_assets.testing.faulty_s3", "--bucket", BUCKET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            faults = json.dumps([{"kind": "no_such_bucket", "operation": "HeadBucket"}]).encode()
            urllib.request.urlopen(f"{url}/_control/faults", data=faults, timeout=5).close()
            request = urllib.request.Request(f"{url}/{BUCKET}", method="HEAD")
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(request, timeout=5)
            urllib.request.urlopen(request, timeout=5).close()
            with urllib.request.urlopen(f"{url}/_control/counts", timeout=5) as answer:
                assert json.load(answer) == {"HeadBucket": 2}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
