"""What a batch shares among its steps, and what it must not."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoint_assets.model.errors import Conflict
from checkpoint_assets.storage.batches import Step
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import NewObject
from checkpoint_assets.testing.recording_store import RecordingStore

STORE_TEN_STEPS = """
import asyncio, sys
from checkpoint_assets.storage.batches import Step
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.storage_manager import StorageManager
steps = [Step("s1", f"{n:04}", "<p>", b"RIFF", {"n": n}) for n in range(10)]
asyncio.run(StorageManager(store=LocalStore(sys.argv[1])).store_steps(steps)).raise_failures()
"""


def steps(session: str, count: int) -> list[Step]:
    return [Step(session, f"{n:04}", f"<p>{n}", b"RIFF", {"n": n}) for n in range(count)]


def new(key: str, data: bytes = b"x") -> NewObject:
    return NewObject(key, data, "x/y", sha256_hex(data))


async def test_a_batch_looks_for_the_tombstone_of_a_session_once() -> None:
    store = RecordingStore(MemoryStore())
    manager = StorageManager(store=store)
    report = await manager.store_steps([*steps("s1", 100), *steps("s2", 100)])
    report.raise_failures()
    assert store.keys("list").count("_tombstones/s1/") == 1
    assert store.keys("list").count("_tombstones/s2/") == 1


async def test_a_batch_into_a_deleted_session_is_refused_step_by_step() -> None:
    manager = StorageManager(store=MemoryStore())
    await manager.store_step_data("s1", "0000", "<p>")
    await manager.delete_session("s1")
    report = await manager.store_steps(steps("s1", 20))
    assert report.stored == []
    assert all(isinstance(error, Conflict) for error in report.failed.values())
    assert len(report.failed) == 20


async def test_a_delete_is_noticed_by_the_write_that_follows_it() -> None:
    manager = StorageManager(store=MemoryStore())
    await manager.store_step_data("s1", "0000", "<p>")
    stored, _ = await asyncio.gather(
        manager.store_steps(steps("s1", 5)), manager.delete_session("s1"), return_exceptions=True
    )
    assert not isinstance(stored, BaseException)
    with pytest.raises(Conflict):
        await manager.store_step_data("s1", "0009", "<p>")


async def test_files_that_are_put_together_are_all_there(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    infos = await store.put_together([new("s1/b", b"22"), new("s2/a"), new("s1/a", b"333")])
    assert [(info.key, info.size) for info in infos] == [("s1/b", 2), ("s2/a", 1), ("s1/a", 3)]
    assert [await store.get(info.key) for info in infos] == [b"22", b"x", b"333"]


async def test_files_that_are_put_together_replace_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    await store.put_together([new("s1/b", b"old")])
    with pytest.raises(Conflict) as caught:
        await store.put_together([new("s1/a"), new("s1/b", b"new")])
    assert caught.value.key == "s1/b"
    assert await store.get("s1/b") == b"old"
    assert not [path for path in (tmp_path / "s1").iterdir() if path.name.startswith(".tmp-")]


async def test_a_batch_that_is_stored_again_on_disk_is_a_success(tmp_path: Path) -> None:
    manager = StorageManager(store=LocalStore(tmp_path))
    for _ in range(2):
        (await manager.store_steps(steps("s1", 10))).raise_failures()
    changed = Step("s1", "0003", "<p>other", b"RIFF", {"n": 3})
    report = await manager.store_steps([changed])
    assert isinstance(report.failed["s1/0003"], Conflict)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace to count what is synced")
def test_every_file_of_a_batch_and_its_folder_are_synced(tmp_path: Path) -> None:
    log, store = tmp_path / "log", tmp_path / "store"
    strace = ["strace", "-f", "-y", "-e", "trace=fsync", "-o", str(log)]
    subprocess.run([*strace, sys.executable, "-c", STORE_TEN_STEPS, str(store)], check=True)
    synced = re.findall(r"fsync\(\d+<([^>]*)>", log.read_text())
    assert len([path for path in synced if path.startswith(f"{store}/s1/.tmp-")]) == 40
    # The record follows its files once they are durable: no fewer than two syncs of the folder.
    assert synced.count(f"{store}/s1") >= 2
