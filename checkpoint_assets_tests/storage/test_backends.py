"""Backends behind one manager."""

from __future__ import annotations

import pytest

from checkpoint_assets.model.contract_records import CollectedData, QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import InvalidInput, NotRegistered, PartialFailure, StorageFull
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.mocks import MockStorageBackend
from checkpoint_assets.testing.suites.backend_suite import MOMENT, step


@pytest.fixture
def manager() -> StorageManager:
    return StorageManager("memory://")


async def test_a_step_is_kept_in_every_backend(manager: StorageManager) -> None:
    mirror = MockStorageBackend("mirror")
    assert manager.register_backend(mirror) == "mirror"
    assert list(manager.list_backends()) == [manager.url, "mirror"]
    own, other = await manager.store_data(step("s1", "0001"))
    assert (own.backend_id, other.backend_id) == (manager.url, "mirror")
    assert own.location_id == other.location_id == "s1/0001"
    assert (await manager.retrieve_step_data("s1", "0001"))[0] == "<p>"
    for backend_id in manager.list_backends():
        (found,) = await manager.query(QueryCriteria(session_id="s1"), backend_id)
        assert found.location_id == "s1/0001"
    await manager.close()
    assert mirror.calls[0] == "connect"
    assert not mirror.connected


async def test_a_backend_that_fails_loses_no_step(manager: StorageManager) -> None:
    bad = MockStorageBackend("bad", error=StorageFull("no space left"))
    good = MockStorageBackend("good")
    for backend in (bad, good):
        manager.register_backend(backend)
    with pytest.raises(PartialFailure, match="stored, but not everywhere: bad: no space") as caught:
        await manager.store_data(step("s1", "0001"))
    assert list(caught.value.failures) == ["bad"]
    assert await manager.list_steps_for_session("s1") == ["0001"]
    assert list(good.stored) == ["s1/0001"]


async def test_what_is_removed_from_one_backend_stays_in_the_others(
    manager: StorageManager,
) -> None:
    mirror = MockStorageBackend("mirror")
    manager.register_backend(mirror)
    own, other = await manager.store_data(step("s1", "0001"))
    await manager.delete_location(other)
    assert (mirror.stored, await manager.list_steps_for_session("s1")) == ({}, ["0001"])
    await manager.delete_location(own)
    assert await manager.list_steps_for_session("s1") == []


async def test_a_backend_is_checked_and_its_id_taken_once(manager: StorageManager) -> None:
    with pytest.raises(InvalidInput, match="it lacks connect"):
        manager.register_backend(object())  # type: ignore[arg-type]
    manager.register_backend(MockStorageBackend("mirror"))
    with pytest.raises(InvalidInput, match="registered already"):
        manager.register_backend(MockStorageBackend("mirror"))
    with pytest.raises(InvalidInput, match="registered already"):
        manager.register_backend(MockStorageBackend(manager.url))
    with pytest.raises(NotRegistered, match="there is no backend 'nobody'"):
        await manager.query(QueryCriteria(), "nobody")


async def test_sessions_are_found_by_scenario_and_state(manager: StorageManager) -> None:
    for session_id, scenario in (("s1", "shop"), ("s2", "blog"), ("s3", "shop")):
        await manager.store_data(step(session_id, "0001"))
        if session_id != "s3":
            manifest = {"scenario": scenario}
            await manager.close_session(session_id, SessionState.COMPLETE, manifest=manifest)

    async def ids(criteria: QueryCriteria) -> list[str]:
        return [location.location_id for location in await manager.query(criteria)]

    assert await ids(QueryCriteria(scenario="shop")) == ["s1/0001"]
    assert await ids(QueryCriteria(state=SessionState.COMPLETE)) == ["s1/0001", "s2/0001"]
    assert await ids(QueryCriteria(state=SessionState.INCOMPLETE)) == ["s3/0001"]
    assert await ids(QueryCriteria(scenario="blog", session_id="s1")) == []


async def test_an_index_answers_where_it_can(manager: StorageManager) -> None:
    asked: list[QueryCriteria] = []
    location = StorageLocation("index", "s9/0001", "index://", MOMENT)

    async def index(criteria: QueryCriteria) -> list[StorageLocation] | None:
        asked.append(criteria)
        return [location] if criteria.session_id == "s9" else None

    await manager.store_data(step("s1", "0001"))
    manager.answer_queries_by(index)
    assert await manager.query(QueryCriteria(session_id="s9")) == [location]
    (listed,) = await manager.query(QueryCriteria())
    assert listed.location_id == "s1/0001"
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("metadata", "data_format", "said"),
    [
        ({}, "html", "is of no step"),
        ({"session_id": "s1"}, "html", "is of no step"),
        ({"session_id": "s1", "step_id": "0001"}, "csv", "no artifact of a step"),
    ],
)
async def test_what_is_no_step_is_refused_before_anything_is_stored(
    manager: StorageManager, metadata: dict[str, str], data_format: str, said: str
) -> None:
    data = CollectedData("made", MOMENT, data_format, "made", b"x", metadata)
    with pytest.raises(InvalidInput, match=said):
        await manager.store_data(data)
    assert await manager.list_sessions() == []


def test_it_works_without_an_event_loop() -> None:
    with SyncStorageManager("memory://") as manager:
        manager.register_backend(MockStorageBackend("mirror"))
        assert len(manager.store_data(step("s1", "0001"))) == 2
        assert len(manager.query(QueryCriteria(), "mirror")) == 1
