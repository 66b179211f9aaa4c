"""A suite of tests for each contract of ``interfaces.py``. Public: run them over your own part.

Subclass one in a test module, with the fixtures it names::

    class TestMySource(DataSourceSuite):
        @pytest.fixture
        def source(self):
            return MySource()
"""

from __future__ import annotations

from checkpoint_assets.testing.suites.backend_suite import StorageBackendSuite
from checkpoint_assets.testing.suites.collection_suite import (
    CollectionManagerSuite,
    MetadataParserSuite,
)
from checkpoint_assets.testing.suites.pipeline_suite import PipelineSuite, ProcessingManagerSuite
from checkpoint_assets.testing.suites.processor_suite import ProcessorSuite
from checkpoint_assets.testing.suites.service_suite import (
    ErrorHandlerSuite,
    EventEmitterSuite,
    TaskTrackerSuite,
)
from checkpoint_assets.testing.suites.source_suite import DataSourceSuite
from checkpoint_assets.testing.suites.storage_manager_suite import StorageManagerContractSuite

__all__ = [
    "CollectionManagerSuite",
    "DataSourceSuite",
    "ErrorHandlerSuite",
    "EventEmitterSuite",
    "MetadataParserSuite",
    "PipelineSuite",
    "ProcessingManagerSuite",
    "ProcessorSuite",
    "StorageBackendSuite",
    "StorageManagerContractSuite",
    "TaskTrackerSuite",
]
