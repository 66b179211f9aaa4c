"""What only a real S3 server shows: durability, rules that are executed, locks that hold."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from checkpoint_assets.model.errors import StorageError
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.ceph import Ceph
from checkpoint_assets_tests.storage_conformance.conftest import new_s3_store

pytestmark = [pytest.mark.s3, pytest.mark.timeout(300)]

WRITERS = 8
# Enough for several in each writer before the server dies, and for the server's queues to fill.
STEPS_BEFORE_THE_KILL = 60


def wait_until(happened: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def test_lifecycle_rules_are_executed(ceph_client: Any) -> None:
    bucket = "expiring"
    ceph_client.create_bucket(Bucket=bucket)
    ceph_client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("old/1", "kept/1"):
        for _ in range(2):
            ceph_client.put_object(Bucket=bucket, Key=key, Body=b"1")
    ceph_client.delete_object(Bucket=bucket, Key="old/1")
    ceph_client.create_multipart_upload(Bucket=bucket, Key="stale")
    every = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    rules: list[dict[str, Any]] = [
        {"ID": "uploads", **every, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
        {"ID": "markers", **every, "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {
            "ID": "noncurrent",
            "Status": "Enabled",
            "Filter": {"Prefix": "old/"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
    ]
    ceph_client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )

    def all_done() -> bool:
        listed = ceph_client.list_object_versions(Bucket=bucket, Prefix="old/")
        uploads = ceph_client.list_multipart_uploads(Bucket=bucket)
        return not any(
            (listed.get("Versions"), listed.get("DeleteMarkers"), uploads.get("Uploads"))
        )

    wait_until(all_done, 120)
    kept = ceph_client.list_object_versions(Bucket=bucket, Prefix="kept/")["Versions"]
    assert len(kept) == 2


def test_locked_version_cannot_be_deleted(ceph_client: Any) -> None:
    bucket = "locked"
    ceph_client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    version = ceph_client.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"1",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(hours=1),
    )["VersionId"]
    report = ceph_client.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": version}]}
    )
    assert [error["Code"] for error in report["Errors"]] == ["AccessDenied"]
    with pytest.raises(ClientError):
        ceph_client.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert ceph_client.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"1"


async def test_versions_of_a_step_outlive_its_deletion_on_a_versioned_bucket(
    ceph_client: Any,
) -> None:
    bucket = "outliving"
    ceph_client.create_bucket(Bucket=bucket)
    ceph_client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = new_s3_store(bucket, ceph_client)
    version = (
        await store.put("s1/1.html", b"<p>", media_type="text/html", sha256="0" * 64)
    ).version
    await store.delete(["s1/1.html"])
    assert version is not None
    assert await store.get("s1/1.html", version=version) == b"<p>"


# The last one: what follows would wait for the locks of the gateway that died.
@pytest.mark.fault
async def test_acknowledged_steps_survive_the_sudden_death_of_disk_and_gateway(
    ceph: Ceph, ceph_client: Any
) -> None:
    ceph_client.create_bucket(Bucket="durable")
    store = new_s3_store("durable", ceph_client)
    manager = StorageManager(store.url, store=store)
    acknowledged: dict[str, str] = {}
    loaded, dead = asyncio.Event(), asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not dead.is_set():
            step_id = f"{writer}-{number:04d}"
            html = f"<p>{step_id}</p>" * 2000
            # What is not acknowledged may fail in any way that is typed.
            with suppress(StorageError):
                await manager.store_step_data("s1", step_id, html, action_data={"step": step_id})
                acknowledged[step_id] = html
            if len(acknowledged) >= STEPS_BEFORE_THE_KILL:
                loaded.set()
            number += 1

    async def strike() -> None:
        await loaded.wait()
        await asyncio.to_thread(ceph.kill, "disk", "gateway")
        dead.set()

    await asyncio.gather(strike(), *map(write, range(WRITERS)))
    await asyncio.to_thread(ceph.revive)

    assert len(acknowledged) >= STEPS_BEFORE_THE_KILL
    visible = await manager.list_steps_for_session("s1")
    assert set(acknowledged) <= set(visible)
    for step_id in visible:
        html, _, action, _ = await manager.retrieve_step_data("s1", step_id)
        assert action == {"step": step_id}
        assert html == acknowledged.get(step_id, html)
