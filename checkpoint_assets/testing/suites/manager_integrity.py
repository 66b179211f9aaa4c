# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: bytes that are not those that were committed are never returned."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkpoint_assets.model.errors import IntegrityError
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    ACTION,
    HTML,
    METADATA,
    SCREENSHOT,
    ManagerCase,
    overwrite,
    store_step,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "flipped": lambda data: data[:7] + bytes([data[7] ^ 1]) + data[8:],
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "last_byte_missing": lambda data: data[:-1],
    "longer": lambda data: data + b"\n",
    "zeroed": lambda data: bytes(len(data)),
}
FILES = ["s1/0001-goto.html", "s1/0001-goto.webp", "s1/0001-goto.action.json"]
RECORD = "s1/0001-goto.metadata.json"


class IntegrityTests(ManagerCase):
    """Damage of each kind to each file raises IntegrityError that names the file."""

    @pytest.mark.parametrize("damage", DAMAGE)
    async def test_damaged_file_raises(
        self,
        manager: StorageManager,
        store: Store,
        capabilities: StoreCapabilities,
        damage: str,
    ) -> None:
        await store_step(manager)
        for key in FILES:
            whole = await store.get(key)
            await overwrite(store, key, DAMAGE[damage](whole))
            await _expect_no_damage(manager, capabilities, key)
            await overwrite(store, key, whole)

    async def test_missing_file_raises(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        await store_step(manager)
        for key in FILES:
            whole = await store.get(key)
            await store.delete([key])
            await _expect_no_damage(manager, capabilities, key)
            await overwrite(store, key, whole)

    async def test_damaged_commit_record_raises(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        whole = await store.get(RECORD)
        for damage in ("empty", "half", "last_byte_missing", "zeroed"):
            await overwrite(store, RECORD, DAMAGE[damage](whole))
            with pytest.raises(IntegrityError) as error:
                await manager.retrieve_step_data("s1", "0001-goto")
            assert error.value.key == RECORD

    async def test_files_swapped_between_steps_raise(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        await store_step(manager)
        await store_step(manager, step_id="0002-click", html_content=HTML.upper())
        first, second = "s1/0001-goto.html", "s1/0002-click.html"
        one, two = await store.get(first), await store.get(second)
        await overwrite(store, first, two)
        await overwrite(store, second, one)
        await _expect_no_damage(manager, capabilities, first)

    async def test_commit_record_of_another_step_raises(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await store_step(manager, step_id="0002-click")
        await overwrite(store, RECORD, await store.get("s1/0002-click.metadata.json"))
        with pytest.raises(IntegrityError):
            await manager.retrieve_step_data("s1", "0001-goto")

    async def test_undamaged_part_of_a_damaged_step_can_be_read(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await overwrite(store, "s1/0001-goto.html", b"damaged")
        found = await manager.retrieve_step_data("s1", "0001-goto", artifacts=["screenshot"])
        assert found[1] == SCREENSHOT

    async def test_damaged_manifest_raises(self, manager: StorageManager, store: Store) -> None:
        await store_step(manager)
        await manager.close_session("s1")
        for data in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000):
            await overwrite(store, "s1/session.json", data)
            with pytest.raises(IntegrityError) as error:
                await manager.get_manifest("s1")
            assert error.value.key == "s1/session.json"


async def _expect_no_damage(
    manager: StorageManager, capabilities: StoreCapabilities, key: str
) -> None:
    """The read raises and names the key. A store with versions still has what was committed."""
    if capabilities.versions:
        found = await manager.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)
        return
    with pytest.raises(IntegrityError) as error:
        await manager.retrieve_step_data("s1", "0001-goto")
    assert error.value.key == key
