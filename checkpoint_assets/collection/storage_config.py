"""From a collector's ``storage_config`` to the storage manager that it describes."""

from __future__ import annotations

from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.model.records import StorageConfig
from checkpoint_assets.storage.storage_manager import StorageManager


def open_storage(config: StorageConfig) -> StorageManager:
    """The storage manager that a ``StorageConfig`` describes. Raises ``InvalidConfiguration``."""
    match config:
        case {"type": "s3", "bucket": str(bucket)}:
            prefix = config.get("prefix", "").strip("/")
            return StorageManager(
                f"s3://{bucket}/{prefix}".rstrip("/"),
                s3_region_name=config.get("region"),
                s3_endpoint_url=config.get("endpoint_url"),
            )
        case {"type": "local"}:
            return StorageManager(local_base_path=config.get("path"), prefer_s3=False)
        case {"type": "memory"}:
            return StorageManager("memory://")
        case _:
            raise InvalidConfiguration(
                f"storage_config {dict(config)!r} is not understood",
                hint='use {"type": "s3", "bucket": "..."} or {"type": "local", "path": "..."}',
            )
