"""What is particular to a store in a folder."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
from pathlib import Path

import pytest

from checkpoint_assets.model.errors import (
    Conflict,
    InvalidInput,
    LocalStorageError,
    NotFound,
    StorageFull,
)
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import NewObject, ObjectInfo


async def put(store: LocalStore, key: str, data: bytes = b"x", **how: object):
    return await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), **how)


async def keys(store: LocalStore, prefix: str = "") -> list[str]:
    return [info.key async for page in store.list(prefix) for info in page.objects]


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


async def test_files_and_folders_are_the_owners_alone(tmp_path: Path):
    store = LocalStore(tmp_path / "new" / "root")
    await put(store, "s/a")
    assert mode(tmp_path / "new") == mode(store.root) == mode(store.root / "s") == "0o700"
    assert mode(store.root / "s" / "a") == "0o600"


async def test_no_temporary_file_is_left(tmp_path: Path):
    store = LocalStore(tmp_path)
    await put(store, "s/a")
    await put(store, "s/a", b"2", create=False)
    with pytest.raises(Conflict):
        await put(store, "s/a")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["a"]


async def test_what_a_killed_writer_left_is_not_listed(tmp_path: Path):
    store = LocalStore(tmp_path)
    (tmp_path / "s1").mkdir()
    (tmp_path / "s1" / ".tmp-0123").write_bytes(b"half")
    assert await keys(store) == []
    assert await StorageManager(store=store).list_sessions() == []


async def test_a_folder_that_is_a_link_is_refused(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    store = LocalStore(tmp_path / "root")
    await store.connect()
    (store.root / "s").symlink_to(outside)
    for call in (lambda: put(store, "s/new"), lambda: store.get("s/secret")):
        with pytest.raises(LocalStorageError, match="symbolic link"):
            await call()
    assert await keys(store) == []
    await store.delete(["s/secret"])
    assert [path.name for path in outside.iterdir()] == ["secret"]


async def test_a_file_that_is_a_link_is_refused(tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    store = LocalStore(tmp_path / "root")
    await put(store, "s/a")
    (store.root / "s" / "b").symlink_to(tmp_path / "secret")
    with pytest.raises(LocalStorageError, match="symbolic link"):
        await store.get("s/b")
    with pytest.raises(Conflict):
        await put(store, "s/b")
    assert await keys(store) == ["s/a"]
    await put(store, "s/b", b"new", create=False)
    assert (tmp_path / "secret").read_text() == "secret"


async def test_a_pipe_is_no_object_and_nobody_waits_on_it(tmp_path: Path):
    store = LocalStore(tmp_path)
    await put(store, "s/a")
    os.mkfifo(tmp_path / "s" / "pipe")
    with pytest.raises(NotFound):
        await store.get("s/pipe")
    assert await keys(store) == ["s/a"]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".x", "a/.tmp-1", "a\0b", "a\\b", "a/"]
)
async def test_a_key_that_is_no_plain_path_is_refused(tmp_path: Path, key: str):
    store = LocalStore(tmp_path)
    with pytest.raises(InvalidInput):
        await put(store, key)
    with pytest.raises(InvalidInput):
        await store.get(key)


async def test_ids_that_differ_only_in_case_conflict_on_a_disk_that_ignores_case(tmp_path: Path):
    manager = StorageManager(store=LocalStore(tmp_path, ignores_case=True))
    await manager.store_step_data("Session", "Step", "1")
    with pytest.raises(Conflict, match="differs only in case from Session"):
        await manager.store_step_data("session", "Step", "1")
    with pytest.raises(Conflict):
        await manager.store_step_data("Session", "step", "1")
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("session", "Step")
    await manager.delete_session("session")
    assert await manager.list_steps_for_session("Session") == ["Step"]


async def test_case_matters_on_a_disk_that_minds_it(tmp_path: Path):
    manager = StorageManager(store=LocalStore(tmp_path))
    await manager.connect()
    await manager.store_step_data("Session", "a", "1")
    await manager.store_step_data("session", "a", "2")
    assert await manager.list_sessions() == ["Session", "session"]


async def test_a_write_beyond_the_limit_is_told_and_leaves_nothing(tmp_path: Path):
    # The kernel kills a process at its file-size limit, unless the signal is ignored: Python does.
    store = LocalStore(tmp_path)
    await put(store, "s/a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(StorageFull) as caught:
            await put(store, "s/b", b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.key == "s/b"
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["a"]
    await put(store, "s/b", b"x" * 10_000)


async def test_a_folder_without_access_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalStorageError):
        await LocalStore(tmp_path / "file" / "root").connect()


async def test_foreign_names_are_listed_whatever_their_encoding(tmp_path: Path):
    store = LocalStore(tmp_path)
    await put(store, "s/a")
    (tmp_path / "s" / "%2e%2e").write_bytes(b"")
    (tmp_path / "s" / os.fsdecode(b"\xff\xfe")).write_bytes(b"")
    assert [os.fsencode(key) for key in await keys(store)] == [b"s/%2e%2e", b"s/a", b"s/\xff\xfe"]
    assert await StorageManager(store=store).list_sessions() == ["s"]


async def test_writes_and_deletes_of_one_folder_do_not_hinder_each_other(tmp_path: Path):
    store = LocalStore(tmp_path)

    async def write_and_delete(number: int) -> None:
        for _ in range(20):
            await put(store, f"s/deep/{number}")
            assert await store.get(f"s/deep/{number}") == b"x"
            assert not (await store.delete([f"s/deep/{number}"])).failed

    await asyncio.gather(*(write_and_delete(number) for number in range(4)))
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a test may look at its folder


async def test_who_stores_at_the_same_time_hears_of_his_own_files_alone(tmp_path: Path):
    store = LocalStore(tmp_path)
    await put(store, "s1/a")
    names = [f"s{number}/{name}" for number in range(4) for name in "abc"]
    large = put(store, "s9/large", b"l" * (9 << 20))
    results = await asyncio.gather(
        large, *(put(store, name, b"new") for name in [*names, "s1/..", "s2/a"]),
        return_exceptions=True,
    )  # fmt: skip
    told = {
        name: type(result)
        for name, result in zip([*names, "bad", "twice"], results[1:], strict=True)
    }
    assert told.pop("s1/a") is Conflict
    assert told.pop("bad") is InvalidInput
    assert told.pop("twice") is Conflict
    assert set(told.values()) == {ObjectInfo}
    assert await keys(store) == sorted([*names, "s9/large"])
    assert await store.get("s1/a") == b"x"
    assert len(await store.get("s9/large")) == 9 << 20


async def test_the_last_of_several_is_stored_only_if_all_others_are(tmp_path: Path):
    def new(key: str) -> NewObject:
        return NewObject(key, b"n", "x/y", sha256_hex(b"n"))

    store = LocalStore(tmp_path)
    infos = await store.put_together([new("s/a"), new("t/b")], lambda _: new("s/last"))
    assert [info.key for info in infos] == ["s/a", "t/b", "s/last"]
    with pytest.raises(Conflict, match="t/b"):
        await store.put_together([new("s/c"), new("t/b")], lambda _: new("s/never"))
    assert "s/never" not in await keys(store)


async def test_an_etag_changes_with_every_write(tmp_path: Path):
    store = LocalStore(tmp_path)
    etags = [(await put(store, "s/a", b"same", create=False)).etag for _ in range(50)]
    assert len(set(etags)) == 50
    assert (await store.stat("s/a")).etag == etags[-1]


async def test_the_root_may_be_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    store = LocalStore(tmp_path / "link")
    await store.connect()
    await put(store, "s/a")
    assert (tmp_path / "real" / "s" / "a").read_bytes() == b"x"


async def test_places_of_a_local_store_are_paths(tmp_path: Path):
    manager = StorageManager(local_base_path=tmp_path / "with space", prefer_s3=False)
    paths = await manager.store_step_data("s1", "a", "<p>")
    assert paths["html_path"] == str(tmp_path / "with space" / "s1" / "a.html")
    assert (tmp_path / "with space" / "s1" / "a.html").read_text() == "<p>"
