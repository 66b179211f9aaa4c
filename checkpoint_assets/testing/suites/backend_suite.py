# ruff: noqa: S101 - assert is what tests are made of
"""What every storage backend promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.interfaces import IStorageBackend
from checkpoint_assets.model.contract_records import CollectedData, QueryCriteria, StorageLocation
from checkpoint_assets.model.errors import Conflict

MOMENT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def step(session_id: str, step_id: str, html: bytes = b"<p>") -> CollectedData:
    """A step of a session, as a source collects it."""
    metadata = {"session_id": session_id, "step_id": step_id, "page": {"url": "https://a.example/"}}
    return CollectedData("suite", MOMENT, "html", "made", html, metadata)


class StorageBackendSuite:
    """Subclass it with a fixture ``backend`` that is empty and not connected."""

    @pytest.fixture
    async def filled(self, backend: IStorageBackend) -> IStorageBackend:
        """The backend with four steps of two sessions."""
        await backend.connect()
        for ids in (("s1", "0001"), ("s1", "0002"), ("s2", "0001"), ("s2", "0002")):
            await backend.store(step(*ids))
        return backend

    async def test_it_keeps_the_contract(self, backend: IStorageBackend) -> None:
        assert isinstance(backend, IStorageBackend)
        assert backend.get_backend_id()

    async def test_connect_and_disconnect_may_be_called_twice(
        self, backend: IStorageBackend
    ) -> None:
        await backend.connect()
        await backend.connect()
        await backend.disconnect()
        await backend.disconnect()

    async def test_what_is_stored_has_a_place_and_is_found_there(
        self, backend: IStorageBackend
    ) -> None:
        await backend.connect()
        location = await backend.store(step("s1", "0001"))
        assert isinstance(location, StorageLocation)
        assert location.backend_id == backend.get_backend_id()
        assert location.path
        assert location.created_at.utcoffset() == timedelta()
        found = await backend.query(QueryCriteria())
        assert [each.location_id for each in found] == [location.location_id]

    async def test_the_same_again_is_a_success_and_one_thing(
        self, backend: IStorageBackend
    ) -> None:
        await backend.connect()
        first = await backend.store(step("s1", "0001"))
        assert (await backend.store(step("s1", "0001"))).location_id == first.location_id
        assert len(await backend.query(QueryCriteria())) == 1

    async def test_other_content_in_the_same_place_is_a_conflict(
        self, backend: IStorageBackend
    ) -> None:
        await backend.connect()
        await backend.store(step("s1", "0001"))
        with pytest.raises(Conflict):
            await backend.store(step("s1", "0001", b"<b>"))

    async def test_a_query_without_criteria_finds_all_in_order(
        self, filled: IStorageBackend
    ) -> None:
        ids = [location.location_id for location in await filled.query(QueryCriteria())]
        assert len(ids) == 4
        assert ids == sorted(ids)

    async def test_a_query_by_session_finds_its_steps(self, filled: IStorageBackend) -> None:
        found = await filled.query(QueryCriteria(session_id="s2"))
        assert [location.metadata["step_id"] for location in found] == ["0001", "0002"]
        assert {location.metadata["session_id"] for location in found} == {"s2"}
        assert list(await filled.query(QueryCriteria(session_id="s3"))) == []

    async def test_a_query_by_a_scenario_that_nothing_is_of_finds_nothing(
        self, filled: IStorageBackend
    ) -> None:
        assert list(await filled.query(QueryCriteria(scenario="nothing-is-of-it"))) == []

    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    async def test_pages_make_the_whole(self, filled: IStorageBackend, size: int) -> None:
        pages: list[str] = []
        criteria = QueryCriteria(limit=size)
        while page := await filled.query(criteria):
            assert len(page) <= size
            pages += [location.location_id for location in page]
            criteria = replace(criteria, after=page[-1].location_id)
        whole = await filled.query(QueryCriteria())
        assert pages == [location.location_id for location in whole]

    async def test_no_more_than_the_limit_is_found(self, filled: IStorageBackend) -> None:
        assert list(await filled.query(QueryCriteria(limit=0))) == []

    async def test_time_is_from_since_up_to_until(self, filled: IStorageBackend) -> None:
        first, *_ = await filled.query(QueryCriteria())
        moment = first.created_at
        later = moment + timedelta(days=1)
        assert len(await filled.query(QueryCriteria(since=moment - timedelta(hours=1)))) == 4
        assert len(await filled.query(QueryCriteria(until=later))) == 4
        assert list(await filled.query(QueryCriteria(since=later))) == []
        assert first not in await filled.query(QueryCriteria(until=moment))

    async def test_what_is_deleted_is_not_found(self, filled: IStorageBackend) -> None:
        first, *rest = await filled.query(QueryCriteria())
        await filled.delete(first.location_id)
        await filled.delete(first.location_id)
        left = await filled.query(QueryCriteria())
        assert [one.location_id for one in left] == [one.location_id for one in rest]
