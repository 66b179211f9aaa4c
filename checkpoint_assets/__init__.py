"""Browser sessions as durable, queryable Dagster data assets.

The public names are here; each is imported when it is first used, so that
``import checkpoint_assets`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkpoint_assets.collection.blocking import SyncDataCollector
    from checkpoint_assets.collection.data_collector import DataCollector
    from checkpoint_assets.collection.scenario import Scenario
    from checkpoint_assets.collection.scenario_file import load_scenario
    from checkpoint_assets.config import Settings
    from checkpoint_assets.definitions import build_definitions
    from checkpoint_assets.model.errors import (
        BrowserCrashed,
        BrowserUnavailable,
        CaptureTimeout,
        CheckpointError,
        Conflict,
        DataCollectionError,
        DeleteRefused,
        ElementNotFound,
        ExpectationFailed,
        IntegrityError,
        InvalidConfiguration,
        InvalidId,
        InvalidInput,
        InvalidScenario,
        InvalidScreenshot,
        InvalidUrl,
        LocalStorageError,
        NavigationFailed,
        NotFound,
        NotRegistered,
        NotSupported,
        PartialFailure,
        ProcessingError,
        S3ConfigError,
        S3OperationError,
        StorageError,
        StorageFull,
        StorageManagerError,
        StoreUnavailable,
    )
    from checkpoint_assets.model.records import SessionManifest, StepData
    from checkpoint_assets.storage.blocking import SyncStorageManager
    from checkpoint_assets.storage.storage_manager import StorageManager

__all__ = [
    "BrowserCrashed",
    "BrowserUnavailable",
    "CaptureTimeout",
    "CheckpointError",
    "Conflict",
    "DataCollectionError",
    "DataCollector",
    "DeleteRefused",
    "ElementNotFound",
    "ExpectationFailed",
    "IntegrityError",
    "InvalidConfiguration",
    "InvalidId",
    "InvalidInput",
    "InvalidScenario",
    "InvalidScreenshot",
    "InvalidUrl",
    "LocalStorageError",
    "NavigationFailed",
    "NotFound",
    "NotRegistered",
    "NotSupported",
    "PartialFailure",
    "ProcessingError",
    "S3ConfigError",
    "S3OperationError",
    "Scenario",
    "SessionManifest",
    "Settings",
    "StepData",
    "StorageError",
    "StorageFull",
    "StorageManager",
    "StorageManagerError",
    "StoreUnavailable",
    "SyncDataCollector",
    "SyncStorageManager",
    "build_definitions",
    "load_scenario",
]

_HOMES = {
    "DataCollector": "collection.data_collector",
    "Scenario": "collection.scenario",
    "SessionManifest": "model.records",
    "Settings": "config",
    "StepData": "model.records",
    "StorageManager": "storage.storage_manager",
    "SyncDataCollector": "collection.blocking",
    "SyncStorageManager": "storage.blocking",
    "build_definitions": "definitions",
    "load_scenario": "collection.scenario_file",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model.errors')}"), name)


def __dir__() -> list[str]:
    return __all__
