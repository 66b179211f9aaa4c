# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: what deleting removes, in which order, and how it is taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.recording_store import RecordingStore
from checkpoint_assets.testing.suites.manager_case import (
    ACTION,
    HTML,
    METADATA,
    SCREENSHOT,
    ManagerCase,
    contents,
    eventually,
    keys_of,
    store_step,
    store_steps,
)
from checkpoint_assets.testing.suites.store_case import put_all


class ManagerDeletingTests(ManagerCase):
    """Deleted is gone, commit records first; neighbours and foreign objects stay."""

    async def test_deleted_step_is_gone(self, manager: StorageManager) -> None:
        await store_step(manager)
        await store_step(manager, step_id="0002-click")
        await manager.delete_step("s1", "0001-goto")
        assert await manager.list_steps_for_session("s1") == ["0002-click"]
        with pytest.raises(NotFound):
            await manager.retrieve_step_data("s1", "0001-goto")
        assert (await manager.retrieve_step_data("s1", "0002-click"))[0] == HTML

    async def test_deleted_session_is_gone_with_all_that_was_ours(
        self, manager: StorageManager
    ) -> None:
        await store_step(manager)
        await manager.store_derived("s1", "report.html", b"")
        await manager.store_derived("s1", "text.txt", b"", step_id="0001-goto")
        await manager.close_session("s1")
        await manager.delete_session("s1")
        assert await manager.list_sessions() == []
        assert await manager.list_steps_for_session("s1") == []
        with pytest.raises(NotFound):
            await manager.get_manifest("s1")

    async def test_absent_step_and_session_can_be_deleted(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["1"])
        await manager.delete_step("s1", "2")
        await manager.delete_step("absent", "1")
        await manager.delete_session("absent")
        assert await manager.list_steps_for_session("s1") == ["1"]

    async def test_deleting_twice_is_fine(self, manager: StorageManager) -> None:
        await store_step(manager)
        for _ in range(2):
            await manager.delete_step("s1", "0001-goto")
        for _ in range(2):
            await manager.delete_session("s1")
        assert await manager.list_sessions() == []

    async def test_deleting_a_session_changes_no_byte_of_another(
        self, manager: StorageManager, store: Store
    ) -> None:
        for session_id in ("ab", "abc", "abc-d", "abcd"):
            await store_step(manager, session_id)
            await manager.close_session(session_id)
        others = ("ab/", "abc-d/", "abcd/")
        before = [await contents(store, prefix) for prefix in others]
        await manager.delete_session("abc")
        assert [await contents(store, prefix) for prefix in others] == before

    async def test_deleting_a_step_changes_no_byte_of_another(
        self, manager: StorageManager, store: Store
    ) -> None:
        for step_id in ("0001", "0001-goto", "00010", "0001_goto"):
            await store_step(manager, "s1", step_id)
        before = await contents(store, "s1/")
        await manager.delete_step("s1", "0001")
        after = await contents(store, "s1/")
        kept = {key: data for key, data in before.items() if not key.startswith("s1/0001.")}
        assert len(kept) == 12
        assert after.items() >= kept.items()

    @pytest.mark.parametrize("permanent", [False, True])
    async def test_commit_record_goes_before_the_files_that_it_lists(
        self, manager: StorageManager, store: Store, permanent: bool
    ) -> None:
        for step_id in ("0001", "0002"):
            await store_step(manager, "s1", step_id)
        recording = RecordingStore(store)
        deleting = self.make_manager(recording, grace=timedelta())
        await deleting.delete_step("s1", "0001", permanent=permanent)
        await deleting.delete_session("s1", permanent=permanent)
        await eventually(deleting.sweep, lambda report: permanent or not report.waiting)
        deleted = recording.keys("delete")
        for step_id in ("0001", "0002"):
            record = deleted.index(f"s1/{step_id}.metadata.json")
            for end in ("html", "webp", "action.json"):
                assert record < deleted.index(f"s1/{step_id}.{end}")

    async def test_foreign_objects_stay(self, manager: StorageManager, store: Store) -> None:
        await store_step(manager)
        foreign = ["s1/notes.txt", "s1/deep/folder/x.bin"]
        await put_all(store, foreign)
        await manager.delete_session("s1", permanent=True)
        assert await keys_of(store, "s1/") == sorted(foreign)

    async def test_permanently_deleted_session_leaves_no_byte(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await manager.store_derived("s1", "report.html", b"<p>")
        await manager.set_expiration("s1", ttl=timedelta(days=1))
        await manager.close_session("s1")
        await manager.delete_session("s1", permanent=True)
        assert await keys_of(store, "s1/") == []
        assert await manager.get_expiration("s1") is None

    async def test_permanently_deleted_step_can_be_stored_anew(
        self, manager: StorageManager
    ) -> None:
        await store_step(manager)
        await manager.delete_step("s1", "0001-goto", permanent=True)
        await store_step(manager, html_content="<p>other")
        assert (await manager.retrieve_step_data("s1", "0001-goto"))[0] == "<p>other"

    async def test_deleted_step_comes_back_as_it_was(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        before = await contents(store)
        await manager.delete_step("s1", "0001-goto")
        await manager.restore_step("s1", "0001-goto")
        assert await contents(store) == before
        found = await manager.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)

    async def test_deleted_session_comes_back_as_it_was(
        self, manager: StorageManager, store: Store
    ) -> None:
        for step_id in ("0001", "0002"):
            await store_step(manager, "s1", step_id)
        await manager.store_derived("s1", "report.html", b"<p>")
        await manager.close_session("s1")
        before = await contents(store)
        await manager.delete_session("s1")
        await manager.restore_session("s1")
        assert await contents(store) == before
        assert (await manager.get_manifest("s1")).steps == ["0001", "0002"]

    async def test_sweep_leaves_what_can_still_be_restored(self, manager: StorageManager) -> None:
        await store_step(manager)
        await manager.delete_session("s1")
        report = await manager.sweep()
        assert (report.swept, report.waiting) == ([], ["s1"])
        await manager.restore_session("s1")
        assert await manager.list_steps_for_session("s1") == ["0001-goto"]

    async def test_sweep_removes_for_good_what_has_waited_long_enough(self, store: Store) -> None:
        manager = self.make_manager(store, grace=timedelta())
        await store_step(manager, "s1", "0001")
        await store_step(manager, "s1", "0002")
        await store_step(manager, "s2", "0001")
        await manager.delete_step("s1", "0001")
        await manager.delete_session("s2")
        planned = await eventually(
            lambda: manager.sweep(dry_run=True), lambda report: not report.waiting
        )
        assert sorted(planned.swept) == ["s1/0001", "s2"]
        assert len(await keys_of(store, "s2/")) == 3
        report = await manager.sweep()
        assert (sorted(report.swept), report.failed) == (["s1/0001", "s2"], {})
        assert await keys_of(store, "s2/") == []
        assert len(await keys_of(store, "s1/")) == 4
        with pytest.raises(NotFound):
            await manager.restore_step("s1", "0001")
        assert (await manager.sweep()).swept == []

    async def test_what_was_never_deleted_cannot_be_restored(self, manager: StorageManager) -> None:
        await store_step(manager)
        for session_id in ("s1", "absent"):
            with pytest.raises(NotFound):
                await manager.restore_session(session_id)
        with pytest.raises(NotFound):
            await manager.restore_step("s1", "0001-goto")
