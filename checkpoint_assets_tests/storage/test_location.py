"""Where a manager stores, from a URL, arguments and the environment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.storage.storage_manager import StorageManager

S3 = {"SM_S3_BUCKET_NAME": "from-env", "SM_S3_REGION": "eu-central-1"}


def info(*args: object, environment: dict[str, str] | None = None, **options: object):
    return StorageManager(*args, environment=environment or {}, **options).get_storage_info()


def test_without_configuration_it_is_local_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.WARNING):
        found = info()
    assert found["uses_s3"] is False
    assert found["effective_storage_type"] == "Local"
    assert found["local_base_path"] == str(tmp_path / ".storage_data")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "SM_S3_BUCKET_NAME" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_local_by_wish_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    assert info(prefer_s3=False, environment=S3)["uses_s3"] is False
    assert info(tmp_path.as_uri())["local_base_path"] == str(tmp_path)
    assert caplog.records == []


def test_the_environment_names_the_bucket():
    found = info(environment={**S3, "SM_S3_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert found["uses_s3"] is True
    assert (found["s3_bucket"], found["s3_region"]) == ("from-env", "eu-central-1")
    assert found["s3_endpoint_url"] == "http://127.0.0.1:9"
    assert found["effective_storage_type"] == "S3"


def test_the_region_has_a_default():
    assert info(s3_bucket_name="b-1")["s3_region"] == "us-west-2"


def test_an_argument_is_stronger_than_the_environment_and_a_url_than_both():
    assert info(s3_bucket_name="given", environment=S3)["s3_bucket"] == "given"
    found = info("s3://in-url/some/prefix/", s3_bucket_name="given", environment=S3)
    assert (found["s3_bucket"], found["s3_prefix"]) == ("in-url", "some/prefix")
    assert found["url"] == "s3://in-url/some/prefix"


def test_the_environment_names_the_local_folder(tmp_path: Path):
    found = info(environment={"SM_LOCAL_BASE_PATH": str(tmp_path)})
    assert found["local_base_path"] == str(tmp_path)


def test_a_file_url_is_decoded(tmp_path: Path):
    folder = tmp_path / "ä b%20c"
    assert info(folder.as_uri())["local_base_path"] == str(folder)


async def test_memory_of_one_name_is_shared_and_without_a_name_private():
    await StorageManager("memory://shared-by-test").store_step_data("s1", "a", "x")
    assert await StorageManager("memory://shared-by-test").list_sessions() == ["s1"]
    await StorageManager("memory://").store_step_data("s1", "a", "x")
    assert await StorageManager("memory://").list_sessions() == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "checkpoints",
        "./folder",
        "http://127.0.0.1/bucket",
        "s3://",
        "s3:///prefix",
        "s3://b",
        "s3://UPPER..dots/x",
        "s3://user:secret@bucket/x",
        "s3://bucket/x?region=eu",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "s3://bucket/" + "p" * 700,
        "file://host/path",
        "file://relative",
        "memory://a[b]",
        "s3://[bucket/x",
        b"memory://",
        5,
    ],
)
def test_a_url_that_names_no_store_is_refused(url: Any):
    with pytest.raises(InvalidConfiguration):
        StorageManager(url)


def test_an_unknown_layout_is_refused():
    with pytest.raises(InvalidConfiguration):
        StorageManager("memory://", layout="round")
