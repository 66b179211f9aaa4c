# ruff: noqa: S101 - assert is what tests are made of
"""What every storage manager promises to those that know no more of it than the contract."""

from __future__ import annotations

import pytest

from checkpoint_assets.interfaces import IStorageManager
from checkpoint_assets.model.contract_records import QueryCriteria
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import Conflict, InvalidInput, NotRegistered
from checkpoint_assets.testing.mocks import MockStorageBackend
from checkpoint_assets.testing.suites.backend_suite import step


class StorageManagerContractSuite:
    """Subclass it with a fixture ``storage``: empty, and not connected.

    ``testing.manager_suite`` says what the real one promises beyond this.
    """

    async def test_it_keeps_the_contract(self, storage: IStorageManager) -> None:
        assert isinstance(storage, IStorageManager)
        await storage.connect()
        await storage.connect()

    async def test_a_step_is_stored_once(self, storage: IStorageManager) -> None:
        first = await storage.store_step_data("s1", "0001-goto", html_content="<p>")
        assert set(first) == {
            *("html_path", "screenshot_path", "action_data_path", "metadata_path"),
        }
        assert first["html_path"]
        assert first["screenshot_path"] is None
        assert await storage.store_step_data("s1", "0001-goto", html_content="<p>") == first
        with pytest.raises(Conflict):
            await storage.store_step_data("s1", "0001-goto", html_content="<b>")

    async def test_a_session_is_closed_with_its_steps(self, storage: IStorageManager) -> None:
        for name in ("0001-goto", "0002-click"):
            await storage.store_step_data("s1", name, html_content=name)
        closed = await storage.close_session(
            "s1", SessionState.INCOMPLETE, manifest={"scenario": "tea", "reason": "it broke"}
        )
        assert (closed.session_id, closed.state) == ("s1", SessionState.INCOMPLETE)
        assert closed.steps == ["0001-goto", "0002-click"]
        assert (closed.scenario, closed.reason) == ("tea", "it broke")

    async def test_data_goes_to_every_backend_the_own_one_first(
        self, storage: IStorageManager
    ) -> None:
        assert storage.register_backend(MockStorageBackend("mirror")) == "mirror"
        own, mirror = storage.list_backends()
        assert mirror == "mirror"
        places = await storage.store_data(step("s1", "0001"))
        assert [place.backend_id for place in places] == [own, "mirror"]
        copies = await storage.copy_data(step("s1", "0001"))
        assert [place.backend_id for place in copies] == ["mirror"]
        for backend_id in (None, own, "mirror"):
            (found,) = await storage.query(QueryCriteria(session_id="s1"), backend_id)
            assert found.location_id == "s1/0001"

    async def test_what_is_removed_from_one_backend_stays_in_the_others(
        self, storage: IStorageManager
    ) -> None:
        storage.register_backend(MockStorageBackend("mirror"))
        own, _ = await storage.store_data(step("s1", "0001"))
        await storage.delete_location(own)
        assert list(await storage.query(QueryCriteria())) == []
        assert len(await storage.query(QueryCriteria(), "mirror")) == 1

    async def test_backends_are_checked_and_unknown_ones_named(
        self, storage: IStorageManager
    ) -> None:
        with pytest.raises(InvalidInput, match="it lacks"):
            storage.register_backend(object())  # pyright: ignore[reportArgumentType]
        storage.register_backend(MockStorageBackend("mirror"))
        with pytest.raises(InvalidInput, match="registered already"):
            storage.register_backend(MockStorageBackend("mirror"))
        with pytest.raises(NotRegistered, match="'nobody'"):
            await storage.query(QueryCriteria(), "nobody")
