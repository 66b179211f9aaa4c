# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: closing sessions, derived files, and objects of reserved areas."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import Conflict, InvalidInput, NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    HTML,
    SCREENSHOT,
    ManagerCase,
    contents,
    keys_of,
    store_step,
    store_steps,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities


class SessionTests(ManagerCase):
    """A session ends once; derived files are replaceable; a HEAD object is swapped by its etag."""

    @pytest.mark.parametrize("state", list(SessionState))
    async def test_manifest_says_how_the_session_ended(
        self, manager: StorageManager, state: SessionState
    ) -> None:
        await store_steps(manager, "s1", ["0001", "0002"])
        written = await manager.close_session("s1", state, manifest={"scenario": "checkout"})
        read = await manager.get_manifest("s1")
        assert read == written
        assert (read.state, read.steps, read.scenario) == (state, ["0001", "0002"], "checkout")

    async def test_manifest_counts_the_bytes_of_all_artifacts(
        self, manager: StorageManager
    ) -> None:
        for step_id in ("0001", "0002"):
            await manager.store_step_data("s1", step_id, HTML, SCREENSHOT)
        manifest = await manager.close_session("s1")
        assert manifest.bytes == 2 * (len(HTML.encode()) + len(SCREENSHOT))

    async def test_open_session_has_no_manifest(self, manager: StorageManager) -> None:
        await store_step(manager)
        with pytest.raises(NotFound):
            await manager.get_manifest("s1")

    async def test_closing_again_in_the_same_way_is_a_success(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        await store_step(manager)
        await manager.close_session("s1")
        before = await contents(store)
        await manager.close_session("s1")
        assert await contents(store) == before

    async def test_closing_again_in_another_way_is_a_conflict(
        self, manager: StorageManager, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        await store_step(manager)
        await manager.close_session("s1")
        with pytest.raises(Conflict):
            await manager.close_session("s1", SessionState.ABORTED)
        assert (await manager.get_manifest("s1")).state is SessionState.COMPLETE

    async def test_derived_file_is_replaced_at_will(self, manager: StorageManager) -> None:
        for data in (b"first", b"second"):
            await manager.store_derived("s1", "report.html", data, "text/html")
            await manager.store_derived("s1", "text.txt", data, "text/plain", step_id="1")
        assert await manager.retrieve_derived("s1", "report.html") == b"second"
        assert await manager.retrieve_derived("s1", "text.txt", step_id="1") == b"second"

    async def test_derived_files_have_the_documented_keys(
        self, manager: StorageManager, store: Store
    ) -> None:
        await manager.store_derived("s1", "report.html", b"")
        await manager.store_derived("s1", "thumbnail.webp", b"", step_id="0001-goto")
        assert await keys_of(store) == [
            "s1/_derived/0001-goto.thumbnail.webp",
            "s1/_derived/report.html",
        ]

    async def test_absent_derived_file_is_not_found(self, manager: StorageManager) -> None:
        with pytest.raises(NotFound):
            await manager.retrieve_derived("s1", "report.html")

    async def test_derived_file_with_a_bad_name_is_refused(
        self, manager: StorageManager, store: Store
    ) -> None:
        for name in ["../x.html", "a/b.html", "", ".html", "report", "x.html\n"]:
            with pytest.raises(InvalidInput):
                await manager.store_derived("s1", name, b"")
        assert await keys_of(store) == []

    async def test_reserved_object_is_swapped_by_its_etag(
        self, manager: StorageManager, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("if_match")
        await manager.write_object("_catalog/HEAD", b"1")
        head = await manager.read_object("_catalog/HEAD")
        await manager.write_object("_catalog/HEAD", b"2", if_match=head.info.etag)
        with pytest.raises(Conflict):
            await manager.write_object("_catalog/HEAD", b"3", if_match=head.info.etag)
        assert (await manager.read_object("_catalog/HEAD")).data == b"2"

    async def test_reserved_objects_are_listed_and_deleted(self, manager: StorageManager) -> None:
        keys = [f"_catalog/fragments/date=2026-01-0{day}/s1.parquet" for day in (1, 2, 3)]
        for key in keys:
            await manager.write_object(key, b"")
        found = [info.key async for info in manager.iter_objects("_catalog/fragments/")]
        assert found == keys
        found = [info.key async for info in manager.iter_objects("_catalog/", after=keys[0])]
        assert found == keys[1:]
        await manager.delete_objects(keys[:2])
        assert [info.key async for info in manager.iter_objects("_catalog/")] == keys[2:]

    async def test_objects_outside_of_reserved_areas_are_out_of_reach(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        before = await contents(store)
        for key in ["s1/1.html", "_other/x", "_catalog/../s1/1.html", "HEAD", ""]:
            with pytest.raises(InvalidInput):
                await manager.write_object(key, b"", create=False)
            with pytest.raises(InvalidInput):
                await manager.delete_objects([key])
            with pytest.raises(InvalidInput):
                await manager.read_object(key)
        assert await contents(store) == before
