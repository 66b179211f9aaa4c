# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: batches, streams and filters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    InvalidId,
    InvalidInput,
    NotFound,
    PartialFailure,
)
from checkpoint_assets.storage.session_filter import SessionFilter
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    HTML,
    SCREENSHOT,
    ManagerCase,
    overwrite,
    store_step,
    store_steps,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities

MEBIBYTE = 1024 * 1024
STEPS = [f"{number:04d}" for number in range(40)]


def batch(session_id: str) -> list[dict[str, Any]]:
    """Steps as a caller hands them over."""
    return [
        {"session_id": session_id, "step_id": step_id, "html_content": f"<p>{step_id}"}
        for step_id in STEPS
    ]


class BatchTests(ManagerCase):
    """Many steps at once: each is stored or named; large artifacts in chunks; sessions by state."""

    async def test_batch_is_stored(self, manager: StorageManager) -> None:
        report = await manager.store_steps(batch("s1"))
        assert sorted(report.stored) == [f"s1/{step_id}" for step_id in STEPS]
        assert report.failed == {}
        report.raise_failures()
        assert await manager.list_steps_for_session("s1") == STEPS

    async def test_batch_may_come_as_it_is_made(self, manager: StorageManager) -> None:
        async def steps() -> AsyncIterator[dict[str, Any]]:
            for step in batch("s1"):
                yield step

        assert len((await manager.store_steps(steps())).stored) == len(STEPS)

    async def test_step_that_fails_is_named_and_hinders_no_other(
        self, manager: StorageManager, capabilities: StoreCapabilities
    ) -> None:
        capabilities.require("create_only")
        await manager.store_step_data("s1", STEPS[3], "<p>other")
        steps = batch("s1")
        steps[7]["step_id"] = "../x"
        report = await manager.store_steps(steps)
        assert len(report.stored) == len(STEPS) - 2
        assert sorted(report.failed) == ["s1/../x", f"s1/{STEPS[3]}"]
        assert isinstance(report.failed["s1/../x"], InvalidId)
        assert isinstance(report.failed[f"s1/{STEPS[3]}"], Conflict)
        with pytest.raises(PartialFailure):
            report.raise_failures()

    async def test_steps_are_read_in_the_order_that_was_asked_for(
        self, manager: StorageManager
    ) -> None:
        await manager.store_steps(batch("s1"))
        names = [("s1", step_id) for step_id in STEPS[::-1]]
        found = [item async for item in manager.retrieve_steps(names)]
        assert [item.step_id for item in found] == STEPS[::-1]
        assert [item.get()[0] for item in found] == [f"<p>{step_id}" for step_id in STEPS[::-1]]

    async def test_step_that_cannot_be_read_hinders_no_other(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["0001", "0003"])
        names = [("s1", "0001"), ("s1", "0002"), ("s1", "0003")]
        first, second, third = [item async for item in manager.retrieve_steps(names)]
        assert (first.get()[2], third.get()[2]) == ({"step": "0001"}, {"step": "0003"})
        with pytest.raises(NotFound):
            second.get()

    async def test_artifact_is_streamed_in_chunks(self, manager: StorageManager) -> None:
        data = bytes(range(256)) * (10 * MEBIBYTE // 256)
        await manager.store_step_data("s1", "1", screenshot_bytes=data)
        chunks = [chunk async for chunk in manager.open_artifact("s1", "1", "screenshot")]
        assert b"".join(chunks) == data
        assert max(map(len, chunks)) < 10 * MEBIBYTE

    async def test_part_of_an_artifact_is_read(self, manager: StorageManager) -> None:
        await store_step(manager)
        part = manager.open_artifact("s1", "0001-goto", "screenshot", start=5, length=20)
        assert b"".join([chunk async for chunk in part]) == SCREENSHOT[5:25]

    async def test_streamed_artifact_that_is_damaged_ends_in_an_error(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        await store_step(manager)
        await overwrite(store, "s1/0001-goto.html", HTML.encode()[::-1])
        if capabilities.versions:
            return
        with pytest.raises(IntegrityError):
            async for _ in manager.open_artifact("s1", "0001-goto", "html"):
                pass

    async def test_stream_of_what_is_absent_is_not_found(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["1"])
        for step_id, artifact in (("absent", "html"), ("1", "html")):
            with pytest.raises(NotFound):
                async for _ in manager.open_artifact("s1", step_id, artifact):
                    pass

    async def test_sessions_are_chosen_by_state_and_scenario(self, manager: StorageManager) -> None:
        for session_id, state, scenario in (
            ("s1", SessionState.COMPLETE, "checkout"),
            ("s2", SessionState.ABORTED, "checkout"),
            ("s3", SessionState.COMPLETE, "search"),
        ):
            await store_steps(manager, session_id, ["1"])
            await manager.close_session(session_id, state, manifest={"scenario": scenario})
        await store_steps(manager, "s4", ["1"])
        assert await manager.list_sessions(where={"state": "complete"}) == ["s1", "s3"]
        assert await manager.list_sessions(where={"scenario": "checkout"}) == ["s1", "s2"]
        assert await manager.list_sessions(where={"state": "incomplete"}) == ["s4"]
        both: SessionFilter = {"state": SessionState.COMPLETE, "scenario": "checkout"}
        assert await manager.list_sessions(where=both) == ["s1"]
        assert await manager.list_sessions(where={"state": "complete"}, limit=1) == ["s1"]

    async def test_sessions_are_chosen_by_time(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["1"])
        now, hour = datetime.now(UTC), timedelta(hours=1)
        assert await manager.list_sessions(where={"since": now - hour}) == ["s1"]
        assert await manager.list_sessions(where={"since": now + hour}) == []
        assert await manager.list_sessions(where={"until": now - hour}) == []

    async def test_filter_that_means_nothing_is_refused(self, manager: StorageManager) -> None:
        bad: list[Any] = [{"stat": "complete"}, {"state": "done"}, {"since": "yesterday"}]
        for where in bad:
            with pytest.raises(InvalidInput):
                await manager.list_sessions(where=where)
