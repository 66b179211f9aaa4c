from __future__ import annotations

import pytest

from checkpoint_assets.collection.replay_source import ReplaySource
from checkpoint_assets.model.errors import DataCollectionError
from checkpoint_assets.storage.storage_manager import StorageManager


async def test_a_replayed_session_is_the_same_session() -> None:
    first, second = StorageManager("memory://"), StorageManager("memory://")
    await first.store_step_data(
        "s1", "0001-goto", "<p>", b"RIFF....WEBP", {"kind": "goto"}, {"url": "u"}
    )
    await first.store_step_data("s1", "0002-click", None, None, {"kind": "click"}, {"url": "v"})
    source = ReplaySource(first, "s1")
    await source.connect()
    async for data in source.collect_stream():
        data.metadata["session_id"] = "s1"
        await second.store_data(data)
    await source.disconnect()
    for step in ("0001-goto", "0002-click"):
        before = await first.get_commit_record("s1", step)
        after = await second.get_commit_record("s1", step)
        assert after.artifacts == before.artifacts
        assert after.metadata == before.metadata


async def test_a_session_that_is_not_there_is_said_before_anything_is_collected() -> None:
    with pytest.raises(DataCollectionError, match="no steps to replay"):
        await ReplaySource(StorageManager("memory://"), "s1").connect()
