"""Our processors, the mocks and a foreign processor pass the public suites alike."""

from __future__ import annotations

from typing import Any

import pytest

from checkpoint_assets.interfaces import IPipeline, IProcessingManager, IProcessor
from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import CollectedData, ProcessingResult
from checkpoint_assets.processing.metadata_parser import PageMetadataParser
from checkpoint_assets.processing.pipeline import Pipeline
from checkpoint_assets.processing.processing_manager import ProcessingManager
from checkpoint_assets.processing.standard import STANDARD_PROCESSORS
from checkpoint_assets.testing.contract_suites import (
    MetadataParserSuite,
    PipelineSuite,
    ProcessingManagerSuite,
    ProcessorSuite,
)
from checkpoint_assets.testing.mocks import MockPipeline, MockProcessingManager, MockProcessor
from checkpoint_assets_tests.processing.steps import SHOP, two_steps


@pytest.fixture
def good() -> Any:
    return two_steps()


@pytest.mark.parametrize(
    "processor", [made() for made in STANDARD_PROCESSORS], ids=lambda p: p.name
)
class TestOurProcessors(ProcessorSuite):
    pass


class TestMockProcessor(ProcessorSuite):
    @pytest.fixture
    def processor(self) -> IProcessor:
        return MockProcessor()


class Words:
    """Counts words; written as somebody outside the package would."""

    def get_processor_name(self) -> str:
        return "words"

    def validate_input(self, data: Any) -> bool:
        return isinstance(getattr(data, "html", None), str)

    async def process(self, data: Any) -> ProcessingResult:
        if not self.validate_input(data):
            return ProcessingResult(False, None, "no page")
        return ProcessingResult(True, {"words": len(data.html.split())})


class TestForeignProcessor(ProcessorSuite):
    @pytest.fixture
    def processor(self) -> IProcessor:
        return Words()


class TestPipelineAsProcessorsChain(PipelineSuite):
    @pytest.fixture
    def pipeline(self) -> IPipeline:
        return Pipeline("chain")


class TestMockPipeline(PipelineSuite):
    @pytest.fixture
    def pipeline(self) -> IPipeline:
        return MockPipeline()


class TestProcessingManager(ProcessingManagerSuite):
    @pytest.fixture
    def manager(self) -> IProcessingManager:
        return ProcessingManager()


class TestMockProcessingManager(ProcessingManagerSuite):
    @pytest.fixture
    def manager(self) -> IProcessingManager:
        return MockProcessingManager()


class TestPageMetadataParser(MetadataParserSuite):
    @pytest.fixture
    def parser(self) -> PageMetadataParser:
        return PageMetadataParser()

    @pytest.fixture
    def good(self) -> CollectedData:
        return CollectedData(
            "made", system_clock.now(), "checkpoint/step", "made", SHOP.encode(), {"page": {}}
        )

    @pytest.fixture
    def bad(self) -> CollectedData:
        return CollectedData("made", system_clock.now(), "text/html", "made", b"<p>", {})
