"""Bad data, times, sizes, keys and files: refused by type, or taken as documented."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import (
    DeleteRefused,
    IntegrityError,
    InvalidConfiguration,
    InvalidInput,
    LocalStorageError,
    NotFound,
    StorageManagerError,
)
from checkpoint_assets.storage.findings import FindingKind
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3Client
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.faulty_s3 import FaultyS3

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
WEBP = b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0/\0\0\0\0\x07\x10\xfd\x8f\xfe\x07"
RECORD = "s1/1.metadata.json"


async def put(store: Store, key: str, data: bytes) -> None:
    await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), create=False)


async def keys(store: Store) -> list[str]:
    return [info.key async for page in store.list("") for info in page.objects]


def still(store: Store | None = None) -> StorageManager:
    """A manager whose time stands still."""
    clock = ManualClock(NOW)
    store = store or MemoryStore(clock=clock)
    return StorageManager(store.url, store=store, clock=clock)


def nested(levels: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(levels):
        deep = {"deeper": deep}
    return deep


BAD_JSON: dict[str, Any] = {
    "NaN": {"n": math.nan},
    "infinity": {"n": math.inf},
    "minus infinity": {"n": [1, {"m": -math.inf}]},
    "1e400": {"n": float("1e400")},
    "2^63": {"n": 2**63},
    "less than -2^63": {"n": -(2**63) - 1},
    "half of a surrogate pair": {"s": "\ud800"},
    "half of a surrogate pair in a name": {"\udfff": 1},
    "a name that is no text": {1: "one"},
    "bytes": {"b": b"bytes"},
    "a set": {"s": {1}},
    "a date": {"d": NOW},
    "100,000 levels": nested(100_000),
    "a list": [1],
    "text": "{}",
    "a number": 5,
}
GOOD_JSON: dict[str, Any] = {
    "empty": {},
    "2^63 - 1": {"n": 2**63 - 1},
    "smallest float": {"n": 5e-324},
    "minus zero": {"n": -0.0},
    "control characters": {"s": "\x00\x1b[31m\u2028\ufeff"},
    "whole surrogate pair": {"s": "\U0001f600"},
    "names that look like code": {"${HOME}": "{{x}}", "__proto__": None, "": "$(id)"},
    "some levels": nested(50),
    "100 KB": {"s": "x" * 100_000},
}


@pytest.mark.parametrize("part", ["action_data", "metadata"])
@pytest.mark.parametrize("bad", BAD_JSON)
async def test_what_json_cannot_say_is_refused_and_nothing_is_written(bad: str, part: str):
    manager = still()
    with pytest.raises(InvalidInput):
        await manager.store_step_data("s1", "1", "<p>", **{part: BAD_JSON[bad]})
    assert await keys(manager.store) == []


@pytest.mark.parametrize("good", GOOD_JSON)
async def test_what_json_can_say_comes_back_as_it_was(manager: StorageManager, good: str):
    given = GOOD_JSON[good]
    # 100 KB are far beyond what S3 takes as metadata of an object: they are in the record.
    await manager.store_step_data("s1", "1", None, None, given, given)
    found = await manager.retrieve_step_data("s1", "1")
    assert found == (None, None, given, given)
    assert math.copysign(1, found[2].get("n", 1)) == math.copysign(1, given.get("n", 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"html_content": 5},
        {"html_content": ["<p>"]},
        {"screenshot_bytes": "text"},
        {"screenshot_bytes": 5},
        {"screenshot_bytes": [1, 2]},
        {"timings": {"seconds": math.nan}},
        {"timings": ["seconds"]},
    ],
    ids=str,
)
async def test_wrong_type_is_refused_and_nothing_is_written(wrong: dict[str, Any]):
    manager = still()
    with pytest.raises(InvalidInput):
        await manager.store_step_data("s1", "1", **wrong)
    assert await keys(manager.store) == []


@pytest.mark.parametrize("html", ["", "x", "\x00", "\ufeff<p>", "<p>" * 400_000], ids=len)
async def test_html_of_any_size_comes_back_as_it_was(manager: StorageManager, html: str):
    await manager.store_step_data("s1", "1", html, b"")
    assert await manager.retrieve_step_data("s1", "1") == (html, b"", None, None)


BAD_RECORDS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "cut": lambda good: good[:-1],
    "half": lambda good: good[: len(good) // 2],
    "zeroed": lambda good: bytes(len(good)),
    "null": lambda good: b"null",
    "a list": lambda good: b"[]",
    "no JSON": lambda good: b"<?xml version='1.0'?><Error/>",
    "not UTF-8": lambda good: b"\xff\xfe" + good,
    "with a BOM": lambda good: b"\xef\xbb\xbf" + good,
    "too deep": lambda good: b'{"a":' * 100_000,
    "NaN as a size": lambda good: good.replace(b'"size":3', b'"size":NaN'),
    "a negative size": lambda good: good.replace(b'"size":3', b'"size":-3'),
    "a size that is no number": lambda good: good.replace(b'"size":3', b'"size":"x"'),
    "another size": lambda good: good.replace(b'"size":3', b'"size":4'),
    "another digest": lambda good: good.replace(b'"sha256":"', b'"sha256":"0'),
    "another session": lambda good: good.replace(b'"session_id":"s1"', b'"session_id":"s2"'),
    "another step": lambda good: good.replace(b'"step_id":"1"', b'"step_id":"2"'),
    "a file outside": lambda good: good.replace(b'"1.html"', b'"../2/1.html"'),
    "a file of another step": lambda good: good.replace(b'"1.html"', b'"2.html"'),
    "an absolute file": lambda good: good.replace(b'"1.html"', b'"/etc/passwd"'),
    "no artifacts": lambda good: good.replace(b'"artifacts"', b'"artefacts"'),
}


@pytest.mark.parametrize("bad", BAD_RECORDS)
async def test_commit_record_that_is_not_ours_is_told_by_its_key(bad: str):
    manager = still()
    await manager.store_step_data("s1", "1", "<p>")
    await manager.store_step_data("s1", "2", "<p>")
    good = await manager.store.get(RECORD)
    broken = BAD_RECORDS[bad](good)
    assert broken != good
    await put(manager.store, RECORD, broken)
    with pytest.raises(IntegrityError) as caught:
        await manager.retrieve_step_data("s1", "1")
    assert caught.value.key in (RECORD, "s1/1.html")
    report = await manager.verify(read_data=True)
    assert {finding.step_id for finding in report.findings} == {"1"}
    # The rest of the session is as good as it was.
    assert (await manager.retrieve_step_data("s1", "2"))[0] == "<p>"


BAD_PICTURES = {
    "empty": b"",
    "one byte": WEBP[:1],
    "header only": WEBP[:12],
    "last byte missing": WEBP[:-1],
    "flipped": WEBP[:20] + bytes([WEBP[20] ^ 1]) + WEBP[21:],
    "huge dimensions": WEBP[:21] + b"\xff\xff\xff\xff" + WEBP[25:],
    "zeroed": bytes(len(WEBP)),
    "with HTML behind it": WEBP + b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("bad", BAD_PICTURES)
async def test_damaged_picture_is_reported_and_never_returned(bad: str):
    manager = still()
    await manager.store_step_data("s1", "1", "<p>", WEBP)
    await put(manager.store, "s1/1.webp", BAD_PICTURES[bad])
    with pytest.raises(IntegrityError) as caught:
        await manager.retrieve_step_data("s1", "1")
    assert caught.value.key == "s1/1.webp"
    report = await manager.verify(read_data=True)
    assert [finding.key for finding in report.findings] == ["s1/1.webp"]
    assert not report.ok
    assert (await manager.retrieve_step_data("s1", "1", ["html"]))[0] == "<p>"


async def test_picture_that_is_a_page_as_well_is_kept_as_a_picture_of_no_known_type(
    faulty_s3: FaultyS3, faulty_store: S3Store, faulty_client: S3Client
):
    manager = StorageManager(store=faulty_store)
    page = b"<html><script>alert(1)</script>"
    await manager.store_step_data("s1", "1", screenshot_bytes=page)
    assert (await manager.retrieve_step_data("s1", "1"))[1] == page
    head = faulty_client.head_object(Bucket="checkpoints", Key="s1/1.webp")
    assert head["ContentType"] == "application/octet-stream"
    assert head["ContentDisposition"] == "attachment"


async def test_large_metadata_is_in_the_record_and_not_in_the_headers(
    faulty_store: S3Store, faulty_client: S3Client
):
    manager = StorageManager(store=faulty_store)
    metadata = {"note": "n" * 10_000}
    await manager.store_step_data("s1", "1", "<p>", metadata=metadata)
    assert (await manager.retrieve_step_data("s1", "1"))[3] == metadata
    head = faulty_client.head_object(Bucket="checkpoints", Key=RECORD)
    assert len(str(head["Metadata"])) < 2048


BAD_TIMES: dict[str, dict[str, Any]] = {
    "naive": {"expires_at": datetime(2026, 2, 1, 9, 30)},  # noqa: DTZ001 - that is the point
    "year 1": {"expires_at": datetime(1, 1, 1, tzinfo=UTC)},
    "1969": {"expires_at": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)},
    "9999": {"expires_at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)},
    "year 1, east": {"expires_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
    "9999, west": {"expires_at": datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12)))},
    "101 years": {"expires_at": NOW.replace(year=2127)},
    "text": {"expires_at": "2026-02-01T00:00:00Z"},
    "leap second": {"expires_at": "2026-12-31T23:59:60Z"},
    "seconds": {"expires_at": 1_780_000_000},
    "milliseconds": {"expires_at": 1_780_000_000_000},
    "a date": {"expires_at": NOW.date()},
    "zero": {"ttl": timedelta()},
    "negative": {"ttl": timedelta(seconds=-1)},
    "more than 100 years": {"ttl": timedelta(days=37_000)},
    "ttl as text": {"ttl": "P1M"},
    "ttl as a number": {"ttl": 3600},
    "both": {"ttl": timedelta(days=1), "expires_at": NOW + timedelta(days=1)},
    "neither": {},
}


@pytest.mark.parametrize("bad", BAD_TIMES)
async def test_time_that_means_nothing_is_refused_and_nothing_expires(bad: str):
    manager = still()
    await manager.store_step_data("s1", "1", "<p>")
    for step in (None, "1"):
        with pytest.raises(InvalidInput):
            await manager.set_expiration("s1", step, **BAD_TIMES[bad])
        assert await manager.get_expiration("s1", step) is None
    assert (await manager.apply_expirations()).expired == []


@pytest.mark.parametrize(
    ("given", "in_utc"),
    [
        (NOW.astimezone(timezone(timedelta(hours=14))), NOW),
        (NOW.astimezone(timezone(-timedelta(hours=12))), NOW),
        # The hour that happens twice: fold says which one is meant.
        (
            datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),
        (
            datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
        (NOW + timedelta(days=365 * 99), NOW + timedelta(days=365 * 99)),
        (NOW - timedelta(days=1), NOW - timedelta(days=1)),
    ],
    ids=["+14:00", "-12:00", "first fold", "second fold", "99 years", "past"],
)
async def test_time_of_any_zone_is_kept_as_the_moment_that_it_is(given: datetime, in_utc: datetime):
    manager = still()
    await manager.store_step_data("s1", "1", "<p>")
    await manager.set_expiration("s1", "1", expires_at=given)
    found = await manager.get_expiration("s1", "1")
    assert found == in_utc
    assert found.utcoffset() == timedelta()


async def test_moment_in_the_past_is_due_at_once():
    manager = still()
    await manager.store_step_data("s1", "1", "<p>")
    await manager.set_expiration("s1", "1", expires_at=NOW - timedelta(days=1))
    report = await manager.apply_expirations()
    assert [expired.name for expired in report.expired] == ["s1/1"]
    assert await manager.list_steps_for_session("s1") == []


@pytest.mark.parametrize("hours", [1, -1])
async def test_clock_that_is_an_hour_off_removes_nothing(hours: int):
    manager = still()
    await manager.store_step_data("s1", "1", "<p>")
    await manager.store_step_data("s1", "2", "<p>")
    await manager.set_expiration("s1", "1", expires_at=NOW - timedelta(days=1))
    await manager.delete_step("s1", "2")
    ahead = ManualClock(NOW + timedelta(hours=hours))
    other = StorageManager(store=manager.store, clock=ahead)
    for remove in (other.apply_expirations, other.sweep):
        with pytest.raises(DeleteRefused, match="clock"):
            await remove()
    assert await manager.list_steps_for_session("s1") == ["1"]
    await manager.restore_step("s1", "2")


@pytest.mark.parametrize(
    "options",
    [
        {"grace": timedelta(days=-1)},
        {"concurrency": 0},
        {"concurrency": -1},
        {"layout": "deep"},
        {"url": "http://169.254.169.254/"},
        {"url": "file://host/share"},
        {"url": "file:relative"},
        {"url": "s3://"},
        {"url": "s3://bucket/../other"},
        {"url": "s3://bucket/a//b"},
        {"url": "s3://bucket/%2e%2e/x"},
        {"url": "s3://user:password@bucket/"},
        {"url": "s3://bucket/prefix?versionId=1"},
        {"url": "S3//bucket"},
        {"url": ""},
    ],
    ids=str,
)
def test_configuration_that_means_nothing_is_refused(options: dict[str, Any]):
    with pytest.raises(InvalidConfiguration):
        StorageManager(**options)


async def test_neighbours_by_name_are_left_alone(manager: StorageManager):
    sessions = ["ab", "abc", "abc-1", "abcd", "ABC"]
    for session in sessions:
        await manager.store_step_data(session, "1", "<p>")
        await manager.store_step_data(session, "10", "<p>")
    await manager.delete_session("abc")
    await manager.delete_session("abcd", permanent=True)
    await manager.delete_step("ab", "1")
    await manager.delete_step("ABC", "1", permanent=True)
    assert await manager.list_sessions() == ["ABC", "ab", "abc-1"]
    for session, steps in (("ABC", ["10"]), ("ab", ["10"]), ("abc-1", ["1", "10"])):
        assert await manager.list_steps_for_session(session) == steps
        for step in steps:
            assert (await manager.retrieve_step_data(session, step))[0] == "<p>"


FOREIGN = [
    "%2e%2e/x",
    "+plus",
    "a//b",
    "README.txt",
    "s1/notes.txt",
    "s1/sub/folder/x.bin",
    "s1/1.HTML",
    "s1/1.webp.bak",
    "s1/.1.html",
    "s1/1.html ",
    "s1/ü.html",
    "s1/-1.metadata.json",
    "s 1/1.html",
    "con/1.html",
    "_mine/1.html",
    "a" * 97 + "/1.html",
    "s1/" + "x" * 900,
]


async def test_foreign_keys_in_a_bucket_are_reported_and_never_touched(
    faulty_s3: FaultyS3, faulty_store: S3Store, faulty_client: S3Client
):
    manager = StorageManager(store=faulty_store)
    await manager.store_step_data("s1", "1", "<p>")
    for key in FOREIGN:
        faulty_client.put_object(Bucket="checkpoints", Key=key, Body=b"foreign")
    # A folder whose name could be an id is a session, if one without steps.
    steps = {
        id_: await manager.list_steps_for_session(id_) for id_ in await manager.list_sessions()
    }
    assert steps == {"a": [], "s1": ["1"]}
    report = await manager.verify(read_data=True, repair=True)
    assert report.ok
    found = {f.key for f in report.findings if f.kind is FindingKind.FOREIGN}
    assert found == set(FOREIGN)
    await manager.delete_session("s1")
    await manager.sweep()
    await manager.delete_session("s1", permanent=True)
    left = {key for key in faulty_s3.objects("checkpoints") if not key.startswith("_")}
    assert left | {"_mine/1.html"} == set(FOREIGN)


async def test_files_with_names_that_are_no_text_are_never_touched(tmp_path: Path):
    store = LocalStore(tmp_path)
    manager = StorageManager(store.url, store=store)
    await manager.store_step_data("s1", "1", "<p>")
    names = [b"\xff\xfe.html", b"\xc3\x28", "ü.html".encode(), b"a\nb", b"-rf"]
    folder = os.fsencode(tmp_path / "s1")
    for name in names:
        with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123, ASYNC230 - names are bytes
            file.write(b"foreign")
    assert await manager.list_sessions() == ["s1"]
    assert await manager.list_steps_for_session("s1") == ["1"]
    report = await manager.verify(read_data=True)
    assert report.ok
    assert report.counts[FindingKind.FOREIGN] == len(names)
    await manager.delete_session("s1", permanent=True)
    assert set(os.listdir(folder)) == set(names)  # noqa: PTH208 - names are bytes


async def test_links_inside_the_root_lead_nowhere(tmp_path: Path):
    outside = tmp_path / "outside"
    store = LocalStore(tmp_path / "root")
    manager = StorageManager(store.url, store=store)
    theirs = StorageManager(outside.as_uri())
    await theirs.store_step_data("s1", "1", "<p>secret")
    await manager.store_step_data("s2", "1", "<p>")
    (store.root / "s1").symlink_to(outside / "s1")
    (store.root / "s2" / "2.metadata.json").symlink_to(outside / "s1" / "1.metadata.json")
    (store.root / "s2" / "loop").symlink_to(store.root / "s2")
    before = sorted(path.name for path in (outside / "s1").iterdir())

    assert await manager.list_sessions() == ["s2"]
    with pytest.raises(LocalStorageError, match="symbolic link"):
        await manager.list_steps_for_session("s1")
    assert await manager.list_steps_for_session("s2") == ["1"]
    for session, step in (("s1", "1"), ("s2", "2")):
        with pytest.raises((StorageManagerError, NotFound)):
            await manager.retrieve_step_data(session, step)
    with pytest.raises(StorageManagerError):
        await manager.store_step_data("s1", "2", "<p>")
    await manager.verify(read_data=True)
    for session in ("s1", "s2"):
        try:
            await manager.delete_session(session, permanent=True)
        except StorageManagerError:
            continue
    assert sorted(path.name for path in (outside / "s1").iterdir()) == before
    assert (await theirs.retrieve_step_data("s1", "1"))[0] == "<p>secret"
