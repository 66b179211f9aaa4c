# ruff: noqa: S101 - assert is what tests are made of
"""What every metadata parser and every collection manager promises."""

from __future__ import annotations

import asyncio

import pytest

from checkpoint_assets.interfaces import ICollectionManager, IMetadataParser
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import CollectionStatus
from checkpoint_assets.model.errors import InvalidInput, NotRegistered
from checkpoint_assets.testing.mocks import MockDataSource


class MetadataParserSuite:
    """Subclass it with fixtures ``parser``, and ``good`` and ``bad`` data for it."""

    def test_it_keeps_the_contract(self, parser: IMetadataParser, good: CollectedData) -> None:
        assert isinstance(parser, IMetadataParser)
        assert good.data_format in parser.get_supported_formats()

    def test_good_metadata_has_no_problems(
        self, parser: IMetadataParser, good: CollectedData
    ) -> None:
        parsed = parser.parse(good)
        assert (parsed.source_id, parsed.timestamp) == (good.source_id, good.timestamp)
        assert parsed.is_valid
        assert list(parser.validate(parsed)) == []
        assert parsed.fields

    def test_bad_metadata_is_described_and_not_raised(
        self, parser: IMetadataParser, bad: CollectedData
    ) -> None:
        parsed = parser.parse(bad)
        assert not parsed.is_valid
        assert list(parsed.problems) == list(parser.validate(parsed))
        assert all(isinstance(problem, str) and problem for problem in parsed.problems)

    def test_the_input_stays_as_it_is(self, parser: IMetadataParser, good: CollectedData) -> None:
        before = dict(good.metadata)
        parser.parse(good)
        assert good.metadata == before


class CollectionManagerSuite:
    """Subclass it with a fixture ``manager`` that has no sources yet."""

    async def test_it_keeps_the_contract(self, manager: ICollectionManager) -> None:
        assert isinstance(manager, ICollectionManager)

    async def test_a_source_is_checked_before_it_is_registered(
        self, manager: ICollectionManager
    ) -> None:
        with pytest.raises(InvalidInput, match="lacks collect, collect_stream"):
            await manager.register_source(_NoSource())  # pyright: ignore[reportArgumentType]
        with pytest.raises(InvalidInput, match="is a class"):
            await manager.register_source(MockDataSource)  # pyright: ignore[reportArgumentType]
        assert list(manager.list_sources()) == []

    async def test_an_id_is_taken_once(self, manager: ICollectionManager) -> None:
        assert await manager.register_source(MockDataSource("one")) == "one"
        with pytest.raises(InvalidInput, match="registered already"):
            await manager.register_source(MockDataSource("one"))
        assert list(manager.list_sources()) == ["one"]

    async def test_unknown_sources_are_named(self, manager: ICollectionManager) -> None:
        with pytest.raises(NotRegistered, match="'nobody'"):
            manager.get_status("nobody")
        for call in (manager.start, manager.pause, manager.resume, manager.stop, manager.wait):
            with pytest.raises(NotRegistered, match="'nobody'"):
                await call("nobody")
        await manager.unregister_source("nobody")

    async def test_a_source_runs_to_its_end_and_is_disconnected(
        self, manager: ICollectionManager
    ) -> None:
        source = MockDataSource("one", [b"1", b"2"])
        await manager.register_source(source)
        assert manager.get_status("one") is CollectionStatus.IDLE
        await manager.start("one")
        assert manager.get_status("one") is CollectionStatus.RUNNING
        assert await manager.wait("one") is CollectionStatus.STOPPED
        assert source.calls == ["connect", "collect", "collect", "collect", "disconnect"]

    async def test_a_running_source_is_not_started_again(self, manager: ICollectionManager) -> None:
        await manager.register_source(MockDataSource("one", [b"1"], delay=60))
        await manager.start("one")
        with pytest.raises(InvalidInput, match="runs already"):
            await manager.start("one")
        await manager.stop("one")

    async def test_a_source_can_run_again(self, manager: ICollectionManager) -> None:
        source = MockDataSource("one", [b"1"])
        await manager.register_source(source)
        for _ in range(2):
            await manager.start("one")
            assert await manager.wait("one") is CollectionStatus.STOPPED
        assert source.calls.count("disconnect") == 2

    async def test_a_paused_source_collects_nothing_until_it_is_resumed(
        self, manager: ICollectionManager
    ) -> None:
        source = MockDataSource("one", [b"x"] * 50)
        await manager.register_source(source)
        await manager.start("one")
        await manager.pause("one")
        await manager.pause("one")
        assert manager.get_status("one") is CollectionStatus.PAUSED
        await _turns()
        before = source.calls.count("collect")
        await _turns()
        assert source.calls.count("collect") == before < 50
        await manager.resume("one")
        await manager.resume("one")
        assert await manager.wait("one") is CollectionStatus.STOPPED
        assert source.calls.count("collect") == 51

    async def test_a_source_that_is_stopped_is_disconnected_on_return(
        self, manager: ICollectionManager
    ) -> None:
        source = MockDataSource("one", [b"x"] * 10, delay=60)
        await manager.register_source(source)
        await manager.start("one")
        await asyncio.sleep(0)
        await manager.stop("one")
        assert manager.get_status("one") is CollectionStatus.STOPPED
        assert not source.connected
        await manager.stop("one")

    async def test_a_paused_source_can_be_stopped(self, manager: ICollectionManager) -> None:
        source = MockDataSource("one", [b"x"] * 10)
        await manager.register_source(source)
        await manager.start("one")
        await manager.pause("one")
        async with asyncio.timeout(5):
            await manager.stop("one")
        assert not source.connected
        assert source.calls.count("collect") < 10

    async def test_an_error_is_raised_to_who_waits(self, manager: ICollectionManager) -> None:
        source = MockDataSource("one", [b"1"], error=ConnectionError("gone"))
        await manager.register_source(source)
        await manager.start("one")
        with pytest.raises(ConnectionError, match="gone"):
            await manager.wait("one")
        assert manager.get_status("one") is CollectionStatus.ERROR
        assert source.calls[-1] == "disconnect"

    async def test_who_is_unregistered_is_stopped_and_forgotten(
        self, manager: ICollectionManager
    ) -> None:
        source = MockDataSource("one", [b"x"] * 10, delay=60)
        await manager.register_source(source)
        await manager.start("one")
        await manager.unregister_source("one")
        assert not source.connected
        assert list(manager.list_sources()) == []

    async def test_one_source_is_no_other(self, manager: ICollectionManager) -> None:
        await manager.register_source(MockDataSource("bad", error=ConnectionError("gone")))
        await manager.register_source(MockDataSource("good", [b"1"]))
        await manager.start("bad")
        await manager.start("good")
        assert await manager.wait("good") is CollectionStatus.STOPPED
        assert manager.get_status("bad") is CollectionStatus.ERROR


async def _turns() -> None:
    """As many turns of the event loop as anything that is going on could need."""
    for _ in range(200):
        await asyncio.sleep(0)


class _NoSource:
    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    def get_source_id(self) -> str:
        return "half"
