# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: versions of steps, where the store keeps them."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    ACTION,
    HTML,
    METADATA,
    SCREENSHOT,
    ManagerCase,
    store_step,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities, probe


class ManagerVersionTests(ManagerCase):
    """A replaced step is still there, whole; a permanent delete leaves no version."""

    @pytest.fixture
    async def keeper(self, versioned: Store) -> StorageManager:
        """A manager over a store that keeps versions and honours conditions."""
        able: StoreCapabilities = await probe(versioned)
        able.require("create_only", "if_match")
        return self.make_manager(versioned)

    async def test_replaced_step_is_a_new_version(self, keeper: StorageManager) -> None:
        await store_step(keeper)
        await store_step(keeper, html_content="<p>new", replace=True)
        assert (await keeper.retrieve_step_data("s1", "0001-goto"))[0] == "<p>new"
        new, old = await keeper.list_versions("s1", "0001-goto")
        assert (new.latest, old.latest) == (True, False)
        found = await keeper.retrieve_step_data("s1", "0001-goto", version=old.version)
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)

    async def test_older_version_is_restored_as_a_new_one(self, keeper: StorageManager) -> None:
        await store_step(keeper)
        await store_step(keeper, html_content="<p>new", replace=True)
        old = (await keeper.list_versions("s1", "0001-goto"))[1]
        await keeper.restore_version("s1", "0001-goto", old.version)
        found = await keeper.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)
        assert len(await keeper.list_versions("s1", "0001-goto")) == 3

    async def test_version_that_does_not_exist_is_an_error(self, keeper: StorageManager) -> None:
        await store_step(keeper)
        with pytest.raises(NotFound):
            await keeper.retrieve_step_data("s1", "0001-goto", version="0" * 32)

    async def test_replacing_needs_no_earlier_step(self, keeper: StorageManager) -> None:
        await store_step(keeper, replace=True)
        assert (await keeper.retrieve_step_data("s1", "0001-goto"))[0] == HTML

    async def test_deleted_session_comes_back_from_its_tombstone(
        self, keeper: StorageManager
    ) -> None:
        await store_step(keeper)
        await keeper.delete_session("s1")
        assert await keeper.list_sessions() == []
        await keeper.restore_session("s1")
        found = await keeper.retrieve_step_data("s1", "0001-goto")
        assert found == (HTML, SCREENSHOT, ACTION, METADATA)

    async def test_permanent_delete_leaves_no_version(
        self, keeper: StorageManager, versioned: Store
    ) -> None:
        await store_step(keeper)
        await store_step(keeper, html_content="<p>new", replace=True)
        await store_step(keeper, "s2")
        await keeper.delete_session("s1", permanent=True)
        left = [v.key async for page in versioned.list_versions("s1/") for v in page]
        assert left == []
        assert (await keeper.retrieve_step_data("s2", "0001-goto"))[0] == HTML
        with pytest.raises(NotFound):
            await keeper.restore_session("s1")
