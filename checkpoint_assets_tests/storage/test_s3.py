"""What is particular to a store in a bucket."""

from __future__ import annotations

import socket

import boto3
import pytest

from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    S3ConfigError,
    S3OperationError,
    StoreUnavailable,
)
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3Client, default_client_factory
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault, FaultyS3

DIGEST = sha256_hex(b"x")


async def put(store: S3Store, key: str = "a/b", data: bytes = b"x", media_type: str = "x/y"):
    return await store.put(key, data, media_type=media_type, sha256=sha256_hex(data))


async def keys(store: S3Store, prefix: str = "") -> list[str]:
    return [info.key async for page in store.list(prefix) for info in page.objects]


async def test_objects_carry_type_digest_and_a_disposition_that_runs_nothing(
    faulty_s3: FaultyS3, faulty_store: S3Store, faulty_client: S3Client
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "a", "<p>", b"RIFF0000WEBP", {"x": 1})
    seen = {
        name: faulty_client.head_object(Bucket="checkpoints", Key=f"s1/a.{name}")
        for name in ("html", "webp", "action.json", "metadata.json")
    }
    assert {name: head["ContentType"] for name, head in seen.items()} == {
        "html": "text/html; charset=utf-8",
        "webp": "image/webp",
        "action.json": "application/json",
        "metadata.json": "application/json",
    }
    assert seen["html"]["Metadata"]["sha256"] == sha256_hex(b"<p>")
    assert seen["html"]["ContentDisposition"] == "attachment"
    assert "ContentDisposition" not in seen["webp"]


async def test_a_prefix_is_on_every_key_and_on_none_that_is_told(
    s3_store: S3Store, s3_client: S3Client
):
    await put(s3_store, "s1/x")
    full = f"{s3_store.prefix}/s1/x"
    assert s3_client.head_object(Bucket=s3_store.bucket, Key=full)["ContentLength"] == 1
    assert await keys(s3_store) == ["s1/x"]
    assert s3_store.url == f"s3://{s3_store.bucket}/{s3_store.prefix}"
    assert (await s3_store.delete(["s1/x"])).deleted == ["s1/x"]


async def test_keys_that_are_no_paths_are_listed_all_the_same(
    s3_store: S3Store, s3_client: S3Client
):
    foreign = ["f/%2e%2e/x", "f/+plus", "f/a//b", "f/x/../y", "f/é", "f/z"]
    for key in foreign:
        s3_client.put_object(Bucket=s3_store.bucket, Key=f"{s3_store.prefix}/{key}", Body=b"x")
    assert await keys(s3_store) == sorted(foreign)
    assert await StorageManager(store=s3_store).list_sessions() == ["f"]


async def test_a_missing_bucket_is_a_configuration_error(faulty_client: S3Client):
    store = S3Store("elsewhere", client_factory=lambda: faulty_client)
    manager = StorageManager(store=store)
    for call in (
        store.connect,
        lambda: put(store),
        lambda: store.get("a/b"),
        lambda: keys(store),
        lambda: store.delete(["a/b"]),
        lambda: manager.retrieve_step_data("s1", "a"),
        manager.list_sessions,
    ):
        with pytest.raises(S3ConfigError, match="create the bucket"):
            await call()


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", "allow these credentials"),
        ("InvalidAccessKeyId", "unknown to this server"),
        ("SignatureDoesNotMatch", "secret key"),
        ("ExpiredToken", "log in again"),
        ("RequestTimeTooSkewed", "clock"),
    ],
)
async def test_a_refusal_is_a_configuration_error_with_its_remedy(
    faulty_s3: FaultyS3, faulty_store: S3Store, code: str, hint: str
):
    faulty_s3.inject(Fault("forbidden", code=code, times=None))
    for call in (
        lambda: put(faulty_store),
        lambda: faulty_store.get("a/b"),
        lambda: keys(faulty_store),
        lambda: faulty_store.delete(["a/b"]),
    ):
        with pytest.raises(S3ConfigError, match=hint):
            await call()


async def test_access_denied_without_a_body_is_a_configuration_error(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("forbidden", times=None))
    with pytest.raises(S3ConfigError):
        await faulty_store.stat("a/b")
    with pytest.raises(S3ConfigError):
        await faulty_store.connect()


@pytest.mark.parametrize(
    "kind", ["internal_error", "slow_down", "too_many_requests", "reset", "hang"]
)
async def test_an_outage_is_worth_a_retry_and_no_configuration_error(
    faulty_s3: FaultyS3, faulty_store: S3Store, kind
):
    faulty_s3.inject(Fault(kind, times=None))
    for call in (
        lambda: put(faulty_store),
        lambda: faulty_store.get("a/b"),
        lambda: keys(faulty_store),
        lambda: faulty_store.delete(["a/b"]),
    ):
        with pytest.raises(StoreUnavailable):
            await call()


@pytest.mark.parametrize("kind", ["truncate", "stall"])
async def test_a_cut_body_is_never_returned_as_whole(
    faulty_s3: FaultyS3, faulty_store: S3Store, kind
):
    await put(faulty_store, data=b"x" * 100_000)
    faulty_s3.inject(Fault(kind, operation="GetObject", times=None))
    with pytest.raises(StoreUnavailable):
        await faulty_store.get("a/b")


async def test_a_race_that_s3_answers_with_409_is_worth_a_retry(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    faulty_s3.inject(Fault("request_conflict", operation="PutObject"))
    with pytest.raises(StoreUnavailable):
        await put(faulty_store)


async def test_a_server_that_is_away_is_worth_a_retry():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        session = boto3.Session("testing-access-key", "testing-secret-key")
        client = session.client("s3", endpoint_url=endpoint, region_name="us-west-2")
        store = S3Store("checkpoints", client_factory=lambda: client)
        with pytest.raises(StoreUnavailable):
            await put(store)


async def test_each_key_that_could_not_be_deleted_is_told(
    faulty_s3: FaultyS3, faulty_store: S3Store
):
    for name in "abc":
        await put(faulty_store, f"s/{name}")
    faulty_s3.inject(Fault("partial_delete", key="s/b", times=None))
    report = await faulty_store.delete(["s/a", "s/b", "s/c"])
    assert list(report.deleted) == ["s/a", "s/c"]
    assert list(report.failed) == ["s/b"]
    assert isinstance(report.failed["s/b"], S3ConfigError)


async def test_an_object_that_changes_while_it_is_streamed_is_told(faulty_store: S3Store):
    await put(faulty_store, data=b"x" * (9 << 20))
    chunks = faulty_store.open("a/b")
    await anext(chunks)
    await faulty_store.put("a/b", b"y" * (9 << 20), media_type="x/y", sha256=DIGEST, create=False)
    with pytest.raises(Conflict):
        await anext(chunks)


async def test_no_credentials_are_a_configuration_error(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    store = S3Store("b-1", client_factory=default_client_factory("us-west-2", "http://127.0.0.1:9"))
    with pytest.raises(S3ConfigError, match="credentials"):
        await put(store)
    with pytest.raises(S3ConfigError, match="credentials"):
        await store.connect()


async def test_a_factory_that_fails_is_told_as_what_it_is():
    def broken() -> S3Client:
        raise RuntimeError("no such profile")

    store = S3Store("b-1", client_factory=broken)
    with pytest.raises(S3OperationError, match="making the S3 client"):
        await store.get("a/b")


async def test_an_absent_version_is_not_found(s3_store: S3Store):
    await put(s3_store)
    with pytest.raises(NotFound):
        await s3_store.get("a/b", version="does-not-exist")


async def test_making_a_store_touches_no_network_and_makes_no_client():
    def never() -> S3Client:
        raise AssertionError("made a client")

    assert S3Store("b-1", "p/", client_factory=never).url == "s3://b-1/p"
