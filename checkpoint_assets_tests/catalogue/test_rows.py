"""The catalogue's rows: one for each step, whatever its writer put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from checkpoint_assets.catalogue.rows import STEP_COLUMNS, step_catalog, step_rows, to_frame
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.storage_manager import StorageManager

PAGE = {
    "url": "https://shop.example/",
    "title": "Tea",
    "settle": {"reason": "quiet", "ms": 83.8},
    "consistency": {"mutations": 2},
    "redactions": [{"rule": "password", "count": 1}, {"rule": "card", "count": 2}],
}


@pytest.fixture
async def storage() -> AsyncIterator[StorageManager]:
    async with StorageManager(f"memory://{uuid4().hex}") as manager:
        yield manager


async def only_row(storage: StorageManager) -> dict[str, Any]:
    (row,) = [row async for row in step_rows(storage)]
    return row


async def test_a_row_has_exactly_the_columns(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")

    assert list(await only_row(storage)) == list(STEP_COLUMNS)


async def test_a_row_tells_what_the_page_was(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0007-goto", html_content="<p>", metadata=PAGE)

    row = await only_row(storage)
    assert row["ordinal"] == 7
    assert row["url"] == "https://shop.example/"
    assert row["title"] == "Tea"
    assert row["settle"] == "quiet"
    assert row["settle_ms"] == 83.8
    assert row["mutations"] == 2
    assert row["redactions"] == 3


async def test_a_session_that_is_open_is_incomplete(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")

    row = await only_row(storage)
    assert row["state"] == "incomplete"
    assert row["scenario"] is None


@pytest.mark.parametrize("state", SessionState)
async def test_a_closed_session_has_its_state_and_scenario(
    storage: StorageManager, state: SessionState
) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")
    await storage.close_session("s1", state, manifest={"scenario": "shop-search"})

    row = await only_row(storage)
    assert row["state"] == state
    assert row["scenario"] == "shop-search"


async def test_what_was_not_stored_is_missing_and_not_zero(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", action_data={})

    frame = await step_catalog(storage)
    assert frame["html_bytes"].isna().all()
    assert frame["screenshot_sha256"].isna().all()
    assert list(frame["action_bytes"]) == [2]


async def test_rows_are_in_the_order_of_sessions_and_steps(storage: StorageManager) -> None:
    for session in ("s2", "s1"):
        for step in ("0002-fill", "0001-goto"):
            await storage.store_step_data(session, step, html_content="<p>")

    rows = [(row["session_id"], row["step_id"]) async for row in step_rows(storage)]
    assert rows == [
        ("s1", "0001-goto"),
        ("s1", "0002-fill"),
        ("s2", "0001-goto"),
        ("s2", "0002-fill"),
    ]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_frame_has_the_same_types_whatever_is_in_it(
    storage: StorageManager, count: int
) -> None:
    for number in range(1, count + 1):
        await storage.store_step_data("s1", f"{number:04}-goto", action_data={})

    frame = await step_catalog(storage)
    assert len(frame) == count
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS


@pytest.mark.parametrize(
    "metadata",
    [
        {"url": 7, "title": ["a"], "settle": "quiet", "consistency": [], "redactions": "none"},
        {"settle": {"reason": {}, "ms": "soon"}, "consistency": {"mutations": 1.5}},
        {"settle": {"ms": 7}, "consistency": {"mutations": True}},
        {"redactions": [{"count": "many"}, 7, {}, {"count": 1}]},
        {"redactions": [{"count": 2**62}, {"count": 2**62}, {"count": 2**62}]},
        {"settle": None, "consistency": None, "redactions": None, "url": None},
    ],
)
async def test_metadata_of_another_kind_never_breaks_the_table(
    storage: StorageManager, metadata: dict[str, Any]
) -> None:
    await storage.store_step_data("s1", "0001-goto", metadata=metadata)
    await storage.store_step_data("s1", "0002-goto", metadata=PAGE)

    frame = await step_catalog(storage)
    assert list(frame["title"].fillna("-")) == ["-", "Tea"]
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS


@pytest.mark.parametrize("step", ["login", "1", "x-0001", "9" * 96, "12-" + "a" * 90])
async def test_any_step_id_has_a_row(storage: StorageManager, step: str) -> None:
    await storage.store_step_data("s1", step, action_data={})

    frame = await step_catalog(storage)
    assert list(frame["step_id"]) == [step]


def test_times_are_aware_utc() -> None:
    row = dict.fromkeys(STEP_COLUMNS) | {"committed_at": "2026-01-31T09:30:00.000123Z"}

    frame = to_frame([row], STEP_COLUMNS)

    assert frame["committed_at"][0] == pd.Timestamp("2026-01-31T09:30:00.000123", tz="UTC")
