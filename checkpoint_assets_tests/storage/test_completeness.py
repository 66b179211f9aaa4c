"""Whether a session is whole is read from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.completeness import incomplete_steps, step_records
from checkpoint_assets.storage.storage_manager import StorageManager

WANTED = {"artifacts": ["html", "screenshot", "action", "metadata"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture(params=["flat", "nested"])
async def storage(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[StorageManager]:
    async with StorageManager(folder.as_uri(), layout=request.param) as manager:
        yield manager


async def store(storage: StorageManager, step: str, metadata: dict[str, Any] | None = None) -> None:
    await storage.store_step_data(
        "s1",
        step,
        html_content=f"<p>{step}",
        screenshot_bytes=b"webp",
        action_data={"type": "goto"},
        metadata=WANTED if metadata is None else metadata,
    )


async def closed(storage: StorageManager, steps: int = 2) -> SessionManifest:
    """The manifest of a session of that many whole steps."""
    for number in range(1, steps + 1):
        await store(storage, f"{number:04}-goto")
    return await storage.close_session("s1")


def find(folder: Path, word: str) -> Path:
    """The one file of step ``0002-goto`` that has the word in its name."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "0002-goto" in str(path)]
    (found,) = [path for path in paths if word in path.name]
    return found


async def test_a_whole_session_misses_nothing(storage: StorageManager) -> None:
    assert await incomplete_steps(storage, await closed(storage)) == {}


async def test_a_session_without_steps_misses_nothing(storage: StorageManager) -> None:
    assert await incomplete_steps(storage, await storage.close_session("s1")) == {}


async def test_more_steps_than_are_read_at_once_are_all_judged(
    storage: StorageManager, folder: Path
) -> None:
    manifest = await closed(storage, steps=70)
    await storage.delete_step("s1", "0001-goto")
    await storage.delete_step("s1", "0070-goto")

    assert list(await incomplete_steps(storage, manifest)) == ["0001-goto", "0070-goto"]


@pytest.mark.parametrize("word", ["html", "webp", "action"])
async def test_a_removed_file_is_named(storage: StorageManager, folder: Path, word: str) -> None:
    manifest = await closed(storage)
    path = find(folder, word)
    size = path.stat().st_size
    path.unlink()

    name = path.relative_to(folder / "s1").as_posix()
    assert await incomplete_steps(storage, manifest) == {
        "0002-goto": f"{name} has no bytes, not {size}"
    }


@pytest.mark.parametrize("size", [0, 3])
async def test_a_truncated_file_is_named(storage: StorageManager, folder: Path, size: int) -> None:
    manifest = await closed(storage)
    path = find(folder, "webp")
    path.write_bytes(b"webp"[:size])

    name = path.relative_to(folder / "s1").as_posix()
    assert await incomplete_steps(storage, manifest) == {
        "0002-goto": f"{name} has {size} bytes, not 4"
    }


async def test_a_step_without_its_commit_record_is_not_there(
    storage: StorageManager, folder: Path
) -> None:
    manifest = await closed(storage)
    find(folder, "metadata").unlink()

    assert await incomplete_steps(storage, manifest) == {
        "0002-goto": "there is no step s1/0002-goto"
    }


async def test_a_commit_record_that_cannot_be_read_is_named(
    storage: StorageManager, folder: Path
) -> None:
    manifest = await closed(storage)
    find(folder, "metadata").write_bytes(b'{"schema_version":1,')

    missing = await incomplete_steps(storage, manifest)
    assert list(missing) == ["0002-goto"]
    assert "metadata.json" in missing["0002-goto"]


async def test_an_artifact_that_the_capture_wanted_and_never_got_is_missing(
    storage: StorageManager,
) -> None:
    await storage.store_step_data(
        "s1", "0001-goto", html_content="<p>", action_data={}, metadata=WANTED
    )

    manifest = await storage.close_session("s1")
    assert await incomplete_steps(storage, manifest) == {"0001-goto": "no screenshot"}


async def test_an_artifact_that_was_not_wanted_is_not_missing(storage: StorageManager) -> None:
    metadata = {"artifacts": ["action", "metadata"]}
    await storage.store_step_data("s1", "0001-goto", action_data={}, metadata=metadata)

    assert await incomplete_steps(storage, await storage.close_session("s1")) == {}


@pytest.mark.parametrize("artifacts", ["screenshot", {"screenshot": 1}, 7, None, [["html"], 1]])
async def test_foreign_metadata_wants_nothing(storage: StorageManager, artifacts: object) -> None:
    metadata = {"artifacts": artifacts}
    await storage.store_step_data("s1", "0001-goto", action_data={}, metadata=metadata)

    assert await incomplete_steps(storage, await storage.close_session("s1")) == {}


async def test_records_come_in_the_order_of_the_steps(storage: StorageManager) -> None:
    manifest = await closed(storage, steps=40)

    records = await step_records(storage, "s1", manifest.steps[::-1])

    assert [record.step_id for record in records] == manifest.steps[::-1]
