from __future__ import annotations

from pathlib import Path

from checkpoint_assets.collection.scenario_mirror import mirror_scenarios
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.testing.recording_store import RecordingStore


async def put(store: MemoryStore, key: str, data: bytes) -> None:
    await store.put(key, data, media_type="text/plain", sha256=sha256_hex(data), create=False)


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name[0] != "."}


async def test_the_folder_is_what_the_store_holds(tmp_path: Path) -> None:
    store = MemoryStore()
    await put(store, "one.yaml", b"1")
    await put(store, "two.json", b"2")
    for other in ("notes.md", "deeper/three.yaml", ".hidden.yaml"):
        await put(store, other, b"x")
    assert await mirror_scenarios(store, tmp_path) == 2
    assert visible(tmp_path) == {"one.yaml", "two.json"}
    assert await mirror_scenarios(store, tmp_path) == 0
    await put(store, "one.yaml", b"11")
    await store.delete(["two.json"])
    assert await mirror_scenarios(store, tmp_path) == 1
    assert (tmp_path / "one.yaml").read_bytes() == b"11"
    assert not (tmp_path / "two.json").exists()


async def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    inner = MemoryStore()
    await put(inner, "one.yaml", b"1")
    store = RecordingStore(inner)
    for _ in range(2):
        await mirror_scenarios(store, tmp_path)
    assert store.keys("fetch") + store.keys("get") == ["one.yaml"]


async def test_a_state_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    store = MemoryStore()
    await put(store, "one.yaml", b"1")
    await mirror_scenarios(store, tmp_path)
    (tmp_path / ".mirror.json").write_text("{")
    assert await mirror_scenarios(store, tmp_path) == 1
