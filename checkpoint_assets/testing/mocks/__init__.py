"""A stand-in for each contract, in memory: for tests and examples of whoever builds on them.

They keep the contracts as the real parts do, as the suites in ``testing.contract_suites`` say, and
tell what they were asked: ``calls`` are names of methods in their order.
"""

from __future__ import annotations

from checkpoint_assets.testing.mocks.collection import (
    MockCollectionManager,
    MockDataSource,
    MockMetadataParser,
)
from checkpoint_assets.testing.mocks.processing import (
    MockPipeline,
    MockProcessingManager,
    MockProcessor,
)
from checkpoint_assets.testing.mocks.services import (
    MockErrorHandler,
    MockEventEmitter,
    MockTaskTracker,
)
from checkpoint_assets.testing.mocks.storage import MockStorageBackend, MockStorageManager

__all__ = [
    "MockCollectionManager",
    "MockDataSource",
    "MockErrorHandler",
    "MockEventEmitter",
    "MockMetadataParser",
    "MockPipeline",
    "MockProcessingManager",
    "MockProcessor",
    "MockStorageBackend",
    "MockStorageManager",
    "MockTaskTracker",
]
