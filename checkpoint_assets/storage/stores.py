"""Opens the store at a location."""

from __future__ import annotations

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.location import Location
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3ClientFactory, default_client_factory
from checkpoint_assets.storage.store import Store


def open_store(location: Location, client_factory: S3ClientFactory | None, clock: Clock) -> Store:
    """The bare store there. Touches neither network nor disk."""
    if location.kind == "memory":
        return MemoryStore(location.name, clock=clock)
    if location.kind == "local":
        return LocalStore(location.local_base_path)
    factory = client_factory or default_client_factory(location.region, location.endpoint_url)
    return S3Store(location.bucket or "", location.prefix, client_factory=factory, clock=clock)
