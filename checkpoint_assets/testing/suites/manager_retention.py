# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: expiry dates and legal holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    ManagerCase,
    contents,
    eventually,
    keys_of,
    store_step,
    store_steps,
)

PAST = datetime(2020, 1, 31, 9, 30, tzinfo=UTC)
BAD_EXPIRIES: list[dict[str, Any]] = [
    {},
    {"expires_at": PAST, "ttl": timedelta(days=1)},
    {"ttl": timedelta()},
    {"ttl": timedelta(days=-1)},
    {"ttl": timedelta(days=365 * 200)},
    {"ttl": 3600},
    {"expires_at": datetime(2030, 1, 1)},  # noqa: DTZ001 - without a time zone it is refused
    {"expires_at": datetime(1, 1, 1, tzinfo=UTC)},
    {"expires_at": datetime(9999, 12, 31, tzinfo=UTC)},
    {"expires_at": "2030-01-01T00:00:00Z"},
]


class RetentionTests(ManagerCase):
    """What is due goes, what is pinned stays, and nothing else changes."""

    async def test_expiration_is_kept_replaced_and_cleared(self, manager: StorageManager) -> None:
        await store_step(manager)
        later = datetime.now(UTC) + timedelta(days=30)
        assert await manager.get_expiration("s1") is None
        await manager.set_expiration("s1", expires_at=PAST)
        await manager.set_expiration("s1", expires_at=later)
        assert await manager.get_expiration("s1") == later
        assert await manager.get_expiration("s1", "0001-goto") is None
        await manager.clear_expiration("s1")
        assert await manager.get_expiration("s1") is None
        await manager.clear_expiration("s1")

    async def test_time_to_live_counts_from_now(self, manager: StorageManager) -> None:
        await store_step(manager)
        moment = await manager.set_expiration("s1", ttl=timedelta(hours=5))
        in_five_hours = datetime.now(UTC) + timedelta(hours=5)
        assert abs(moment - in_five_hours) < timedelta(minutes=2)
        assert await manager.get_expiration("s1") == moment

    async def test_expiration_of_what_is_absent_is_refused(self, manager: StorageManager) -> None:
        await store_step(manager)
        for session_id, step_id in (("absent", None), ("s1", "absent")):
            with pytest.raises(NotFound):
                await manager.set_expiration(session_id, step_id, expires_at=PAST)

    async def test_bad_expiration_is_refused_and_nothing_is_written(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        for bad in BAD_EXPIRIES:
            with pytest.raises(InvalidInput):
                await manager.set_expiration("s1", **bad)
        assert await keys_of(store, "_retention/") == []

    async def test_what_has_expired_is_deleted_and_nothing_else(
        self, manager: StorageManager, store: Store
    ) -> None:
        for session_id in ("due", "due-not", "later", "never"):
            await store_steps(manager, session_id, ["0001", "0002"])
        others = [await contents(store, f"{name}/") for name in ("due-not", "later", "never")]
        await manager.set_expiration("due", expires_at=PAST)
        await manager.set_expiration("later", ttl=timedelta(days=1))
        report = await manager.apply_expirations()
        assert [expired.session_id for expired in report.expired] == ["due"]
        assert report.failed == {}
        assert await manager.list_sessions() == ["due-not", "later", "never"]
        assert await manager.list_steps_for_session("due") == []
        after = [await contents(store, f"{name}/") for name in ("due-not", "later", "never")]
        assert after == others
        assert (await manager.apply_expirations()).expired == []

    async def test_expired_step_goes_alone(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["0001", "0002"])
        await manager.set_expiration("s1", "0001", expires_at=PAST)
        await manager.apply_expirations()
        assert await manager.list_steps_for_session("s1") == ["0002"]

    async def test_dry_run_says_the_same_and_changes_nothing(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_steps(manager, "s1", ["0001"])
        await manager.set_expiration("s1", expires_at=PAST)
        before = {key: await store.get(key) for key in await keys_of(store, "s1/")}
        planned = await manager.apply_expirations(dry_run=True)
        assert await contents(store, "s1/") == before
        done = await manager.apply_expirations()
        assert [item.name for item in planned.expired] == [item.name for item in done.expired]

    async def test_cleared_expiration_deletes_nothing(self, manager: StorageManager) -> None:
        await store_steps(manager, "s1", ["0001"])
        await manager.set_expiration("s1", expires_at=PAST)
        await manager.clear_expiration("s1")
        assert (await manager.apply_expirations()).expired == []
        assert await manager.list_sessions() == ["s1"]

    async def test_nothing_removes_a_pinned_session(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await manager.set_expiration("s1", expires_at=PAST)
        await manager.pin("s1", "litigation 7")
        before = await contents(store)
        for permanent in (False, True):
            with pytest.raises(DeleteRefused):
                await manager.delete_session("s1", permanent=permanent)
            with pytest.raises(DeleteRefused):
                await manager.delete_step("s1", "0001-goto", permanent=permanent)
        report = await manager.apply_expirations()
        assert (report.expired, [item.name for item in report.pinned]) == ([], ["s1"])
        await manager.sweep()
        assert await contents(store) == before

    async def test_session_that_was_unpinned_can_go(self, manager: StorageManager) -> None:
        await store_step(manager)
        await manager.pin("s1", "first")
        await manager.pin("s1", "second")
        pin = await manager.get_pin("s1")
        assert pin is not None
        assert pin.reason == "second"
        await manager.unpin("s1")
        await manager.unpin("s1")
        assert await manager.get_pin("s1") is None
        await manager.delete_session("s1")
        assert await manager.list_sessions() == []

    async def test_pin_of_one_session_is_none_of_another(self, manager: StorageManager) -> None:
        for session_id in ("abc", "abcd"):
            await store_step(manager, session_id)
        await manager.pin("abc", "kept")
        await manager.delete_session("abcd")
        assert await manager.list_sessions() == ["abc"]

    async def test_pin_needs_a_reason(self, manager: StorageManager) -> None:
        for reason in ("", "  ", "r" * 1001):
            with pytest.raises(InvalidInput):
                await manager.pin("s1", reason)
        assert await manager.get_pin("s1") is None

    async def test_sweep_leaves_a_session_that_was_pinned_meanwhile(self, store: Store) -> None:
        manager = self.make_manager(store, grace=timedelta())
        await store_step(manager)
        before = await contents(store)
        await manager.delete_session("s1")
        await manager.pin("s1", "kept")
        report = await eventually(manager.sweep, lambda report: not report.waiting)
        assert (report.swept, report.pinned) == ([], ["s1"])
        await manager.restore_session("s1")
        assert await contents(store) == before
