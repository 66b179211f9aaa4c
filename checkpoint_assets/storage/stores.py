"""Opens the store at a location."""

from __future__ import annotations

from collections.abc import Mapping

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.location import Location
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3ClientFactory, default_client_factory
from checkpoint_assets.storage.spool_opening import SpoolSettings, with_spool
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.verifying import VerifyingStore


def open_store(
    location: Location,
    client_factory: S3ClientFactory | None,
    clock: Clock,
    *,
    spool: SpoolSettings,
    environment: Mapping[str, str],
    retry: RetryPolicy | None = None,
) -> Store:
    """The store there, with its wrappers. Touches neither network nor disk.

    A bucket is read with verification, asked again by ``retry``, and has a spool for when it is
    away. A disk does not get better by being asked again, and memory does not fail; what they give
    is compared with the commit records, like everything.
    """
    if location.kind == "memory":
        return MemoryStore(location.name, clock=clock)
    if location.kind == "local":
        return LocalStore(location.local_base_path)
    factory = client_factory or default_client_factory(location.region, location.endpoint_url)
    bucket = S3Store(location.bucket or "", location.prefix, client_factory=factory, clock=clock)
    store = RetryingStore(VerifyingStore(bucket), retry, clock=clock)
    return with_spool(store, bucket, location, spool, clock=clock, environment=environment)
