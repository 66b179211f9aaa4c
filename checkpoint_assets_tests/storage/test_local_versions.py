"""Versions in a folder: how they lie there, and what a crash leaves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.storage_manager import StorageManager


async def put(store: LocalStore, key: str, data: bytes, create: bool = False):
    return await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), create=create)


async def versions(store: LocalStore, prefix: str = ""):
    return [version async for page in store.list_versions(prefix) for version in page]


@pytest.fixture
async def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "store")
    await store.connect()
    await store.enable_versions()
    return store


async def test_a_folder_says_that_versions_are_kept(tmp_path: Path):
    store = LocalStore(tmp_path)
    assert not await store.keeps_versions()
    await store.enable_versions()
    assert await LocalStore(tmp_path).keeps_versions()
    assert (tmp_path / ".versions").is_dir()


async def test_what_is_replaced_moves_to_the_folder_and_is_not_listed(store: LocalStore):
    first = await put(store, "s/a", b"1")
    second = await put(store, "s/a", b"2")
    kept = store.root / ".versions" / "s" / "a" / f"{first.version}.v"
    assert kept.read_bytes() == b"1"
    assert await store.get("s/a", version=first.version) == b"1"
    assert await store.get("s/a", version=second.version) == b"2"
    assert [info.key async for page in store.list("") for info in page.objects] == ["s/a"]


async def test_a_replace_that_was_cut_short_is_one_version_not_two(store: LocalStore):
    first = await put(store, "s/a", b"1")
    folder = store.root / ".versions" / "s" / "a"
    folder.mkdir(parents=True)
    os.link(store.root / "s" / "a", folder / f"{first.version}.v")
    found = await versions(store)
    assert [(v.version, v.latest) for v in found] == [(first.version, True)]
    await put(store, "s/a", b"2")
    assert len(await versions(store)) == 2


async def test_a_delete_that_was_cut_short_leaves_a_version_and_no_object(store: LocalStore):
    first = await put(store, "s/a", b"1")
    folder = store.root / ".versions" / "s" / "a"
    folder.mkdir(parents=True)
    (store.root / "s" / "a").rename(folder / f"{first.version}.v")
    with pytest.raises(NotFound):
        await store.get("s/a")
    assert await store.get("s/a", version=first.version) == b"1"
    assert (await store.delete(["s/a"])).failed == {}


async def test_versions_are_in_order_whatever_the_clock_does(tmp_path: Path):
    clock = ManualClock(datetime(2026, 1, 2, tzinfo=UTC))
    store = LocalStore(tmp_path, clock=clock)
    await store.enable_versions()
    made = [(await put(store, "s/a", b"1")).version]
    clock.advance(timedelta(days=-1))
    made += [(await put(store, "s/a", bytes([n]))).version for n in range(5)]
    assert made == sorted(made)
    assert [v.version for v in await versions(store)] == made[::-1]


async def test_a_store_that_was_copied_is_read_all_the_same(store: LocalStore, tmp_path: Path):
    manager = StorageManager(store=store)
    await manager.store_step_data("s1", "a", "<p>", b"RIFF")
    copy = tmp_path / "copy"
    for path in sorted(store.root.rglob("*")):
        target = copy / path.relative_to(store.root)
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            target.write_bytes(path.read_bytes())
    html, screenshot, *_ = await StorageManager(copy.as_uri()).retrieve_step_data("s1", "a")
    assert (html, screenshot) == ("<p>", b"RIFF")


async def test_a_step_from_before_versions_were_kept_stays_readable_when_it_is_replaced(
    tmp_path: Path,
):
    manager = StorageManager(tmp_path.as_uri())
    await manager.store_step_data("s1", "a", "old")
    await manager.enable_versions()
    await manager.store_step_data("s1", "a", "new", replace=True)
    new, old = await manager.list_versions("s1", "a")
    assert (new.latest, old.latest) == (True, False)
    assert (await manager.retrieve_step_data("s1", "a"))[0] == "new"
    assert (await manager.retrieve_step_data("s1", "a", version=old.version))[0] == "old"


async def test_a_version_name_cannot_lead_elsewhere(store: LocalStore):
    await put(store, "s/a", b"1")
    for version in ("../../s/a", "..", "", "a/b", "x.v"):
        with pytest.raises(NotFound):
            await store.get("s/a", version=version)


async def test_deleting_all_versions_leaves_no_file_and_versions_kept(store: LocalStore):
    await put(store, "s/a", b"1")
    await put(store, "s/a", b"2")
    await store.delete(["s/a"])
    found = await versions(store)
    assert [v.deleted for v in found] == [True, False, False]
    await store.delete_versions([(v.key, v.version) for v in found])
    assert [path.name for path in store.root.rglob("*")] == [".versions"]
    assert await store.keeps_versions()
