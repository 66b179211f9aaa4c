"""The catalogue's rows: one for each step, whatever its writer put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.columns import SESSION_COLUMNS, STEP_COLUMNS
from checkpoint_assets.catalogue.rows import session_row, step_row
from checkpoint_assets.catalogue.truth import read_rows
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
    rows = await read_rows(storage, "s1")
    assert rows is not None
    (row,) = rows.steps
    return row


async def frame_of(storage: StorageManager) -> pd.DataFrame:
    catalogue = Catalogue(storage)
    await catalogue.append_session("s1")
    return await catalogue.steps()


async def test_no_row_has_anything_beside_the_columns(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")
    record = await storage.get_commit_record("s1", "0001-goto")

    assert set(step_row(record, None)) <= set(STEP_COLUMNS)
    assert set(session_row("s1", [record], None)) <= set(SESSION_COLUMNS)


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

    frame = await frame_of(storage)
    assert frame["html_bytes"].isna().all()
    assert frame["screenshot_sha256"].isna().all()
    assert list(frame["action_bytes"]) == [2]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_the_frame_has_the_same_types_whatever_is_in_it(
    storage: StorageManager, count: int
) -> None:
    for number in range(1, count + 1):
        await storage.store_step_data("s1", f"{number:04}-goto", action_data={})

    frame = await frame_of(storage)
    assert len(frame) == count
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS


@pytest.mark.parametrize(
    "metadata",
    [
        {"url": 7, "title": ["a"], "settle": "quiet", "consistency": [], "redactions": "none"},
        {"settle": {"reason": {}, "ms": "soon"}, "consistency": {"mutations": 1.5}},
        {"settle": {"ms": 7}, "consistency": {"mutations": True}},
        {"settle": {"ms": 2**62 + 1}, "consistency": {"mutations": 2**63 - 1}},
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

    frame = await frame_of(storage)
    assert list(frame["title"].fillna("-")) == ["-", "Tea"]
    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == STEP_COLUMNS


@pytest.mark.parametrize("step", ["login", "1", "x-0001", "9" * 96, "12-" + "a" * 90])
async def test_any_step_id_has_a_row(storage: StorageManager, step: str) -> None:
    await storage.store_step_data("s1", step, action_data={})

    frame = await frame_of(storage)
    assert list(frame["step_id"]) == [step]


async def test_times_are_aware_utc(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")
    record = await storage.get_commit_record("s1", "0001-goto")

    frame = await frame_of(storage)
    assert frame["committed_at"][0] == pd.Timestamp(record.committed_at)


@pytest.mark.parametrize("where", ["commit record", "action"])
async def test_what_was_done_is_known_from_either_record(
    storage: StorageManager, where: str
) -> None:
    done = {"kind": "click", "selector": "#buy"}
    metadata = {"action": done} if where == "commit record" else {"url": "https://a.example/"}
    action = {"kind": "other"} if where == "commit record" else done
    await storage.store_step_data("s1", "0001-click", action_data=action, metadata=metadata)

    row = await only_row(storage)
    assert (row["action"], row["selector"]) == ("click", "#buy")


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://Shop.example:8443/a?b=c", "shop.example"),
        ("http://[::1]:80/", "::1"),
        ("about:blank", None),
        ("http://[", None),
    ],
)
async def test_the_site_is_the_host_of_the_page(
    storage: StorageManager, url: str, site: str | None
) -> None:
    await storage.store_step_data("s1", "0001-goto", action_data={}, metadata={"url": url})

    assert (await only_row(storage))["site"] == site


async def test_a_session_adds_up_what_is_stored_of_it_now(storage: StorageManager) -> None:
    for step in ("0001-goto", "0002-click"):
        await storage.store_step_data("s1", step, html_content="<p>")
    await storage.close_session("s1", manifest={"tags": {"team": "qa"}, "seconds": 1.5})
    await storage.delete_step("s1", "0002-click")

    rows = await read_rows(storage, "s1")
    assert rows is not None
    assert (rows.session["steps"], rows.session["bytes"]) == (1, 3)
    assert rows.session["tags"] == '{"team":"qa"}'
    assert rows.session["seconds"] == 1.5


async def test_a_deleted_session_has_no_rows(storage: StorageManager) -> None:
    await storage.store_step_data("s1", "0001-goto", html_content="<p>")
    await storage.delete_session("s1")

    assert await read_rows(storage, "s1") is None
