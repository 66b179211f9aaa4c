"""The rules that we keep in a bucket, beside those of others."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, NotSupported
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3Client
from checkpoint_assets.storage.storage_manager import StorageManager

THEIRS = {
    "ID": "theirs",
    "Filter": {"Prefix": "logs/"},
    "Status": "Enabled",
    "Expiration": {"Days": 7},
}


def rules(client: S3Client, bucket: str) -> dict[str, dict]:
    found = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return {rule["ID"]: rule for rule in found}


def set_rules(client: S3Client, bucket: str, *wanted: dict) -> None:
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": list(wanted)}
    )


@pytest.fixture
def manager(faulty_client: S3Client) -> StorageManager:
    store = S3Store("checkpoints", "some/prefix", client_factory=lambda: faulty_client)
    return StorageManager(store=store)


async def test_a_dry_run_prints_the_difference_and_changes_nothing(
    manager: StorageManager, faulty_client: S3Client
):
    set_rules(faulty_client, "checkpoints", THEIRS)
    change = await manager.sync_lifecycle_rules(dry_run=True)
    assert not change.applied
    assert '+    "ID": "checkpoint-assets:some/prefix:abort-uploads"' in change.difference
    assert list(rules(faulty_client, "checkpoints")) == ["theirs"]


async def test_our_rules_are_added_and_those_of_others_stay(
    manager: StorageManager, faulty_client: S3Client
):
    set_rules(faulty_client, "checkpoints", THEIRS)
    change = await manager.sync_lifecycle_rules()
    found = rules(faulty_client, "checkpoints")
    assert change.applied
    assert sorted(found) == [
        "checkpoint-assets:some/prefix:abort-uploads",
        "checkpoint-assets:some/prefix:delete-markers",
        "theirs",
    ]
    ours = found["checkpoint-assets:some/prefix:abort-uploads"]
    assert ours["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    assert ours["Filter"] == {"Prefix": "some/prefix/"}
    assert found["theirs"]["Expiration"] == {"Days": 7}


async def test_a_second_time_there_is_nothing_to_do(manager: StorageManager):
    await manager.sync_lifecycle_rules()
    change = await manager.sync_lifecycle_rules()
    assert (change.applied, change.difference) == (False, "")


async def test_old_versions_expire_only_on_request_and_no_more_when_it_is_withdrawn(
    manager: StorageManager, faulty_client: S3Client
):
    await manager.sync_lifecycle_rules(expire_versions_after_days=30)
    name = "checkpoint-assets:some/prefix:old-versions"
    rule = rules(faulty_client, "checkpoints")[name]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    change = await manager.sync_lifecycle_rules()
    assert change.applied
    assert name not in rules(faulty_client, "checkpoints")


async def test_stores_in_one_bucket_leave_each_others_rules_alone(
    manager: StorageManager, faulty_client: S3Client
):
    other = StorageManager(
        store=S3Store("checkpoints", "some/other", client_factory=lambda: faulty_client)
    )
    await manager.sync_lifecycle_rules()
    await other.sync_lifecycle_rules()
    assert len(rules(faulty_client, "checkpoints")) == 4


async def test_expiry_of_versions_is_refused_while_a_pinned_session_has_some(
    manager: StorageManager, faulty_client: S3Client
):
    await manager.enable_versions()
    await manager.store_step_data("s1", "a", "1")
    await manager.pin("s1", "a hold")
    await manager.sync_lifecycle_rules(expire_versions_after_days=30)
    await manager.store_step_data("s1", "a", "2", replace=True)
    with pytest.raises(DeleteRefused, match="s1 is pinned"):
        await manager.sync_lifecycle_rules(expire_versions_after_days=30)
    await manager.sync_lifecycle_rules()


async def test_days_below_one_are_refused(manager: StorageManager):
    with pytest.raises(InvalidInput):
        await manager.sync_lifecycle_rules(expire_versions_after_days=0)


async def test_a_store_that_is_no_bucket_has_no_rules():
    with pytest.raises(NotSupported):
        await StorageManager("memory://").sync_lifecycle_rules()
