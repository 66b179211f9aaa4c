# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: storing and retrieving steps, and the keys they get."""

from __future__ import annotations

import json
from typing import Any

import pytest

from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    StorageError,
)
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.recording_store import RecordingStore
from checkpoint_assets.testing.suites.manager_case import (
    ACTION,
    FLAT,
    HTML,
    METADATA,
    SCREENSHOT,
    ManagerCase,
    contents,
    keys_of,
    store_step,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities

MEBIBYTE = 1024 * 1024


class StepTests(ManagerCase):
    """A step comes back exactly, and its key is written once."""

    async def test_step_comes_back_as_it_was_given(self, manager: StorageManager) -> None:
        await store_step(manager)
        found = await manager.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)

    async def test_flat_layout_is_byte_for_byte_as_documented(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        found = await contents(store)
        assert list(found) == FLAT
        assert found["s1/0001-goto.html"] == HTML.encode()
        assert found["s1/0001-goto.webp"] == SCREENSHOT
        assert json.loads(found["s1/0001-goto.action.json"]) == ACTION
        assert json.loads(found["s1/0001-goto.metadata.json"])["metadata"] == METADATA

    async def test_nested_layout_is_as_documented_and_read_by_any_manager(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(self.make_manager(store, layout="nested"))
        folder = "s1/0001-goto/"
        assert await keys_of(store) == [
            f"{folder}action.json",
            f"{folder}metadata.json",
            f"{folder}observation.html",
            f"{folder}screenshot.webp",
        ]
        found = await manager.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)
        assert await manager.list_steps_for_session("s1") == ["0001-goto"]

    async def test_storing_says_where_each_part_is(self, manager: StorageManager) -> None:
        paths = await store_step(manager)
        assert {name: str(path).rpartition("s1/")[2] for name, path in paths.items()} == {
            "html_path": "0001-goto.html",
            "screenshot_path": "0001-goto.webp",
            "action_data_path": "0001-goto.action.json",
            "metadata_path": "0001-goto.metadata.json",
        }

    @pytest.mark.parametrize(
        "left_out", ["html_content", "screenshot_bytes", "action_data", "metadata"]
    )
    async def test_part_that_was_not_given_is_none(
        self, manager: StorageManager, left_out: str
    ) -> None:
        given: dict[str, Any] = {
            "html_content": HTML,
            "screenshot_bytes": SCREENSHOT,
            "action_data": ACTION,
            "metadata": METADATA,
            left_out: None,
        }
        paths = await manager.store_step_data("s1", "0001-goto", **given)
        assert await manager.retrieve_step_data("s1", "0001-goto") == tuple(given.values())
        absent = [part is None for part in given.values()]
        assert [path is None for path in paths.values()] == absent

    async def test_empty_parts_are_kept_apart_from_absent_ones(
        self, manager: StorageManager
    ) -> None:
        await manager.store_step_data("s1", "1", "", b"", {}, {})
        assert await manager.retrieve_step_data("s1", "1") == ("", b"", {}, {})

    @pytest.mark.parametrize("screenshot", [b"\x89PNG\r\n\x1a\nrest", b"no picture at all"])
    async def test_bytes_of_any_kind_come_back_unchanged(
        self, manager: StorageManager, screenshot: bytes
    ) -> None:
        await manager.store_step_data("s1", "1", b"\xff\xfe<p>", screenshot)
        assert await manager.read_artifact("s1", "1", "html") == b"\xff\xfe<p>"
        assert await manager.read_artifact("s1", "1", "screenshot") == screenshot

    async def test_half_of_a_surrogate_pair_does_not_lose_the_page(
        self, manager: StorageManager
    ) -> None:
        await manager.store_step_data("s1", "1", "<p>a\ud800b</p>")
        assert (await manager.retrieve_step_data("s1", "1"))[0] == "<p>a\ufffdb</p>"

    async def test_large_artifact_comes_back(self, manager: StorageManager) -> None:
        screenshot = bytes(range(256)) * (9 * MEBIBYTE // 256)
        await manager.store_step_data("s1", "1", screenshot_bytes=screenshot)
        found = (await manager.retrieve_step_data("s1", "1"))[1]
        assert sha256_hex(found or b"") == sha256_hex(screenshot)

    async def test_large_metadata_comes_back(self, manager: StorageManager) -> None:
        metadata = {"headers": {f"x-{i}": "v" * 100 for i in range(1000)}}
        await manager.store_step_data("s1", "1", metadata=metadata)
        assert (await manager.retrieve_step_data("s1", "1"))[3] == metadata

    @pytest.mark.parametrize("artifact", ["html", "screenshot", "action", "metadata"])
    async def test_only_what_is_asked_for_is_read(
        self, manager: StorageManager, store: Store, artifact: str
    ) -> None:
        await store_step(manager)
        recording = RecordingStore(store)
        found = await self.make_manager(recording).retrieve_step_data(
            "s1", "0001-goto", artifacts=[artifact]
        )
        assert [part is not None for part in found] == [
            name == artifact for name in ("html", "screenshot", "action", "metadata")
        ]
        assert len({call.key for call in recording.calls}) == (1 if artifact == "metadata" else 2)

    async def test_commit_record_vouches_for_each_file(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        record = await manager.get_commit_record("s1", "0001-goto")
        assert sorted(record.artifacts) == ["action", "html", "screenshot"]
        for artifact in record.artifacts.values():
            data = await store.get(f"s1/{artifact.name}")
            assert (artifact.size, artifact.sha256) == (len(data), sha256_hex(data))
        assert record.artifacts["html"].media_type == "text/html; charset=utf-8"
        assert record.artifacts["screenshot"].media_type == "image/webp"

    async def test_commit_record_is_written_last(self, store: Store) -> None:
        recording = RecordingStore(store)
        await store_step(self.make_manager(recording))
        puts = [key for key in recording.keys("put") if not key.startswith("_")]
        assert sorted(puts) == FLAT
        assert puts[-1] == "s1/0001-goto.metadata.json"

    async def test_files_without_a_commit_record_are_no_step(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await store.delete(["s1/0001-goto.metadata.json"])
        assert await manager.list_steps_for_session("s1") == []
        with pytest.raises(NotFound):
            await manager.retrieve_step_data("s1", "0001-goto")

    async def test_step_that_was_begun_and_not_committed_can_be_stored(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await store.delete(["s1/0001-goto.metadata.json", "s1/0001-goto.webp"])
        await store_step(manager)
        assert (await manager.retrieve_step_data("s1", "0001-goto"))[1] == SCREENSHOT

    async def test_same_step_again_is_a_success_and_changes_nothing(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        paths = await store_step(manager)
        before = await contents(store)
        assert await store_step(manager) == paths
        assert await contents(store) == before

    async def test_another_step_under_the_same_ids_is_a_conflict(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        await store_step(manager)
        before = await contents(store)
        others: list[dict[str, Any]] = [
            {"html_content": "<p>other"},
            {"screenshot_bytes": b"other"},
            {"action_data": {"type": "other"}},
            {"metadata": {"url": "other"}},
            {"metadata": None},
        ]
        for other in others:
            with pytest.raises(Conflict) as error:
                await store_step(manager, **other)
            assert (error.value.key or "").startswith("s1/0001-goto.")
        assert await contents(store) == before

    async def test_absent_step_is_not_found(self, manager: StorageManager) -> None:
        await store_step(manager)
        for step_id in ("0002-click", "0001", "0001-got"):
            with pytest.raises(NotFound) as error:
                await manager.retrieve_step_data("s1", step_id)
            assert error.value.session_id == "s1"
            with pytest.raises(NotFound):
                await manager.get_commit_record("s1", step_id)
            with pytest.raises(NotFound):
                await manager.read_artifact("s1", step_id, "html")

    async def test_absent_session_is_not_found(self, manager: StorageManager) -> None:
        with pytest.raises(NotFound):
            await manager.retrieve_step_data("absent", "0001-goto")
        assert await manager.list_steps_for_session("absent") == []

    async def test_replacing_keeps_the_old_version_or_is_refused(
        self, manager: StorageManager
    ) -> None:
        await store_step(manager)
        try:
            await store_step(manager, html_content="<p>new", replace=True)
        except StorageError:
            assert (await manager.retrieve_step_data("s1", "0001-goto"))[0] == HTML
        else:
            assert (await manager.retrieve_step_data("s1", "0001-goto"))[0] == "<p>new"
