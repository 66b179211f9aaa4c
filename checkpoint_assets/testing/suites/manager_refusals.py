# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: what cannot be stored is refused, and then nothing is written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from checkpoint_assets.model.errors import InvalidId, InvalidInput
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import ManagerCase, keys_of, store_step

BAD_IDS: list[Any] = [
    *("", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..%2f", "%2e%2e"),
    *("a\0b", "abc\n", " abc", "a\tb", "a" * 97, "a" * 2000),
    *("é", "e\u0301", "ſ", "Ａ", "\u202eabc", "a\u200bb", "\U0001f600"),
    *("con", "NUL", "com1", "step.html", "x.action", "_session", "-rf", "--help", "abc-", "a_"),
    *(5, None, b"abc", True, "*", "?", "${HOME}", "{{x}}", "$(id)"),
]
BAD_JSON: list[Any] = [
    {"n": math.nan},
    {"n": math.inf},
    {"n": 10**400},
    {"s": "\ud800"},
    {1: "key that is no text"},
    {"o": object()},
    {"b": b"bytes"},
    ["no object"],
    "text",
]


class RefusalTests(ManagerCase):
    """Bad ids and bad data."""

    async def test_bad_id_is_refused_and_nothing_is_written(
        self, manager: StorageManager, store: Store
    ) -> None:
        for bad in BAD_IDS:
            for session_id, step_id in ((bad, "1"), ("s1", bad)):
                with pytest.raises(InvalidId):
                    await manager.store_step_data(session_id, step_id, "<p>")
                with pytest.raises(InvalidId):
                    await manager.retrieve_step_data(session_id, step_id)
                with pytest.raises(InvalidId):
                    await manager.delete_step(session_id, step_id)
            with pytest.raises(InvalidId):
                await manager.delete_session(bad)
            with pytest.raises(InvalidId):
                await manager.list_steps_for_session(bad)
        assert await keys_of(store) == []

    async def test_good_id_is_taken_as_it_is(self, manager: StorageManager) -> None:
        for good in ["a", "A1", "0", "a-b_c", "Z" * 96]:
            await manager.store_step_data(good, good, "<p>")
            assert await manager.list_steps_for_session(good) == [good]
        assert await manager.list_sessions() == ["0", "A1", "Z" * 96, "a-b_c", "a"]

    @pytest.mark.parametrize("part", ["action_data", "metadata"])
    async def test_what_json_cannot_say_is_refused_and_nothing_is_written(
        self, manager: StorageManager, store: Store, part: str
    ) -> None:
        for bad in BAD_JSON:
            with pytest.raises(InvalidInput):
                await store_step(manager, **{part: bad})
        assert await keys_of(store) == []

    async def test_data_without_end_is_refused_and_nothing_is_written(
        self, manager: StorageManager, store: Store
    ) -> None:
        deep: dict[str, Any] = {}
        for _ in range(20_000):
            deep = {"deeper": deep}
        with pytest.raises(InvalidInput):
            await manager.store_step_data("s1", "1", action_data=deep)
        assert await keys_of(store) == []

    async def test_wrong_type_is_refused_and_nothing_is_written(
        self, manager: StorageManager, store: Store
    ) -> None:
        bad: list[dict[str, Any]] = [
            {"html_content": 5},
            {"screenshot_bytes": "text"},
            {"screenshot_bytes": 5},
        ]
        for wrong in bad:
            with pytest.raises((InvalidInput, TypeError)):
                await store_step(manager, **wrong)
        assert await keys_of(store) == []
