"""Mocks and real parts keep the same contracts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checkpoint_assets import interfaces
from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.local_source import LocalBrowserSource
from checkpoint_assets.collection.collection_manager import CollectionManager
from checkpoint_assets.collection.replay_source import ReplaySource
from checkpoint_assets.interfaces import (
    ICollectionManager,
    IDataSource,
    IErrorHandler,
    IEventEmitter,
    IMetadataParser,
    IStorageBackend,
    IStorageManager,
    ITaskTracker,
)
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.runtime.error_handler import ErrorHandler
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.tasks import TaskTracker
from checkpoint_assets.storage.step_backend import StepBackend
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing import mocks
from checkpoint_assets.testing.contract_suites import (
    CollectionManagerSuite,
    DataSourceSuite,
    ErrorHandlerSuite,
    EventEmitterSuite,
    MetadataParserSuite,
    StorageBackendSuite,
    StorageManagerContractSuite,
    TaskTrackerSuite,
)
from checkpoint_assets_tests.collection.captures import capture_settings, scenario_on
from checkpoint_assets_tests.pages import Pages

CONTRACTS = sorted(name for name in vars(interfaces) if name[0] == "I" and name[1].isupper())


def collected(**metadata: object) -> CollectedData:
    return CollectedData("made", system_clock.now(), "html", "made", b"<p>", dict(metadata))


def test_there_are_eleven_contracts_and_a_mock_for_each() -> None:
    assert len(CONTRACTS) == 11
    for name in CONTRACTS:
        assert isinstance(getattr(mocks, f"Mock{name[1:]}")(), getattr(interfaces, name))


class TestMockDataSource(DataSourceSuite):
    @pytest.fixture
    def source(self) -> IDataSource:
        return mocks.MockDataSource("mock", [b"1", b"2", b"3"])


class TestReplaySource(DataSourceSuite):
    @pytest.fixture
    async def source(self) -> IDataSource:
        storage = StorageManager("memory://")
        for number in (1, 2, 3):
            await storage.store_step_data("s1", f"000{number}-goto", html_content=f"<p>{number}")
        return ReplaySource(storage, "s1")


@pytest.mark.browser
class TestLocalBrowserSource(DataSourceSuite):
    @pytest.fixture
    async def source(self, pages: Pages) -> AsyncIterator[IDataSource]:
        settings = capture_settings(pages)
        scenario = scenario_on(pages, {"goto": pages.add("<p>1")}, {"goto": pages.add("<p>2")})
        browser = LocalChromium(settings)
        await browser.start()  # it is not the source's own, and goes on after it
        yield LocalBrowserSource(scenario, browser, settings)
        await browser.close()


class TestMockMetadataParser(MetadataParserSuite):
    @pytest.fixture
    def parser(self) -> IMetadataParser:
        return mocks.MockMetadataParser(["url"])

    @pytest.fixture
    def good(self) -> CollectedData:
        return collected(url="https://a.example/")

    @pytest.fixture
    def bad(self) -> CollectedData:
        return collected()


class TestCollectionManager(CollectionManagerSuite):
    @pytest.fixture(params=["real", "mock"])
    def manager(self, request: pytest.FixtureRequest) -> ICollectionManager:
        async def drop(source_id: str, data: CollectedData) -> None:
            pass

        if request.param == "mock":
            return mocks.MockCollectionManager()
        return CollectionManager(drop)


class TestStepBackend(StorageBackendSuite):
    @pytest.fixture(params=["memory", "local"])
    def backend(self, request: pytest.FixtureRequest, tmp_path: Path) -> IStorageBackend:
        url = "memory://" if request.param == "memory" else tmp_path.as_uri()
        return StepBackend(StorageManager(url))


class TestMockStorageBackend(StorageBackendSuite):
    @pytest.fixture
    def backend(self) -> IStorageBackend:
        return mocks.MockStorageBackend()


class TestStorageManager(StorageManagerContractSuite):
    @pytest.fixture(params=["mock", "memory", "local"])
    def storage(self, request: pytest.FixtureRequest, tmp_path: Path) -> IStorageManager:
        if request.param == "mock":
            return mocks.MockStorageManager()
        return StorageManager("memory://" if request.param == "memory" else tmp_path.as_uri())


class TestErrorHandler(ErrorHandlerSuite):
    @pytest.fixture(params=[ErrorHandler, mocks.MockErrorHandler])
    def handler(self, request: pytest.FixtureRequest) -> IErrorHandler:
        return request.param()


class TestEventEmitter(EventEmitterSuite):
    @pytest.fixture(params=[EventEmitter, mocks.MockEventEmitter])
    def emitter(self, request: pytest.FixtureRequest) -> IEventEmitter:
        return request.param()


class TestTaskTracker(TaskTrackerSuite):
    @pytest.fixture(params=[TaskTracker, mocks.MockTaskTracker])
    def tracker(self, request: pytest.FixtureRequest) -> ITaskTracker:
        return request.param()
