# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: what is listed, in which order, and what is left out."""

from __future__ import annotations

import pytest

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    ManagerCase,
    keys_of,
    store_step,
    store_steps,
)
from checkpoint_assets.testing.suites.store_case import put_all

SESSIONS = ["a", "abc", "abcd", "b1", "b2"]
STEPS = [f"{number:04d}-click" for number in range(1, 8)]


class ManagerListingTests(ManagerCase):
    """Sessions and steps in order; reserved, derived and foreign objects left out."""

    async def test_empty_store_has_no_sessions(self, manager: StorageManager) -> None:
        assert await manager.list_sessions() == []

    async def test_sessions_come_in_order(self, manager: StorageManager) -> None:
        for session_id in SESSIONS[::-1]:
            await store_steps(manager, session_id, ["1"])
        assert await manager.list_sessions() == SESSIONS

    async def test_sessions_are_chosen_by_prefix(self, manager: StorageManager) -> None:
        for session_id in SESSIONS:
            await store_steps(manager, session_id, ["1"])
        for prefix in ("abc", "b", "abcde", "c", ""):
            expected = [session_id for session_id in SESSIONS if session_id.startswith(prefix)]
            assert await manager.list_sessions(prefix=prefix) == expected

    async def test_sessions_page_by_after_and_limit(self, manager: StorageManager) -> None:
        for session_id in SESSIONS:
            await store_steps(manager, session_id, ["1"])
        for page in (1, 2, 4, 5, 9):
            seen: list[str] = []
            while batch := await manager.list_sessions(
                after=seen[-1] if seen else None, limit=page
            ):
                assert len(batch) <= page
                seen += batch
            assert seen == SESSIONS

    async def test_prefix_and_after_hold_together(self, manager: StorageManager) -> None:
        for session_id in SESSIONS:
            await store_steps(manager, session_id, ["1"])
        assert await manager.list_sessions(prefix="b", after="b1") == ["b2"]
        assert await manager.list_sessions(prefix="abc", after="a") == ["abc", "abcd"]
        assert await manager.list_sessions(prefix="a", after="b1") == []

    async def test_limit_of_nothing_lists_nothing(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["1"])
        assert await manager.list_sessions(limit=0) == []
        assert await manager.list_steps_for_session("s1", limit=0) == []

    async def test_sessions_can_be_iterated(self, manager: StorageManager) -> None:
        for session_id in SESSIONS:
            await store_steps(manager, session_id, ["1"])
        assert [session_id async for session_id in manager.iter_sessions()] == SESSIONS

    async def test_reserved_and_foreign_objects_are_no_sessions(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_steps(manager, "s1", ["1"])
        await put_all(
            store,
            ["_catalog/HEAD", "_retention/pins/s1.json", "_tombstones/s1.json", "README.txt"],
        )
        assert await manager.list_sessions() == ["s1"]

    async def test_steps_come_in_order(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", STEPS[::-1])
        assert await manager.list_steps_for_session("s1") == STEPS
        assert [step_id async for step_id in manager.iter_steps("s1")] == STEPS

    async def test_steps_are_those_of_the_session_alone(self, manager: StorageManager) -> None:
        await store_steps(manager, "abc", ["1"])
        await store_steps(manager, "abcd", ["2"])
        assert await manager.list_steps_for_session("abc") == ["1"]

    @pytest.mark.parametrize("layout", ["flat", "nested"])
    async def test_steps_page_by_after_and_limit(self, store: Store, layout: str) -> None:
        manager = self.make_manager(store, layout=layout)
        await store_steps(manager, "s1", STEPS)
        seen: list[str] = []
        while batch := await manager.list_steps_for_session(
            "s1", after=seen[-1] if seen else None, limit=3
        ):
            seen += batch
        assert seen == STEPS

    async def test_steps_are_chosen_by_prefix(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["0001-goto", "0010-click", "0011-fill", "0002-press"])
        found = await manager.list_steps_for_session("s1", prefix="001")
        assert found == ["0010-click", "0011-fill"]

    async def test_steps_of_both_layouts_are_listed_together(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_steps(manager, "s1", ["0001", "0003"])
        await store_steps(self.make_manager(store, layout="nested"), "s1", ["0002", "0004"])
        assert await manager.list_steps_for_session("s1") == ["0001", "0002", "0003", "0004"]

    async def test_manifest_derived_and_foreign_objects_are_no_steps(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_steps(manager, "s1", ["1"])
        await manager.close_session("s1")
        await manager.store_derived("s1", "text.txt", b"text", step_id="1")
        await manager.store_derived("s1", "report.html", b"<p>")
        await put_all(store, ["s1/notes.txt", "s1/2.html", "s1/x.metadata.json.bak", "s1/3/x.html"])
        assert await manager.list_steps_for_session("s1") == ["1"]

    async def test_listing_reads_no_object(self, store: Store, manager: StorageManager) -> None:
        await store_step(manager)
        # A listing that read commit records would stop at one that cannot be parsed.
        await store.delete(["s1/0001-goto.metadata.json"])
        await put_all(store, ["s1/0001-goto.metadata.json"])
        assert await manager.list_steps_for_session("s1") == ["0001-goto"]
        assert len(await keys_of(store)) == 4
