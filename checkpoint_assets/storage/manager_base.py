"""What all parts of the StorageManager share: the store, its place, what it can do."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import InvalidConfiguration, StoreUnavailable
from checkpoint_assets.storage.buried_check import BuriedCheck
from checkpoint_assets.storage.capabilities import Capabilities, find_capabilities
from checkpoint_assets.storage.keys import LAYOUTS, Layout
from checkpoint_assets.storage.location import find_location
from checkpoint_assets.storage.retrying import RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.s3_clients import S3ClientFactory
from checkpoint_assets.storage.spool import FLOOR_BYTES
from checkpoint_assets.storage.spool_events import SpoolListener
from checkpoint_assets.storage.spool_opening import SpoolSettings
from checkpoint_assets.storage.spooling import SpoolingStore, is_away
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.stores import open_store
from checkpoint_assets.storage.wrapper import innermost

logger = logging.getLogger(__name__)

DEFAULT_GRACE = timedelta(days=1)
# Where it was said that no bucket is configured: managers come and go, the fact stays.
_said: set[str] = set()


class ManagerBase:
    """Finds the store, and what it can do. See ``StorageManager`` for the arguments."""

    def __init__(
        self,
        url: str | None = None,
        *,
        prefer_s3: bool = True,
        s3_bucket_name: str | None = None,
        s3_region_name: str | None = None,
        s3_endpoint_url: str | None = None,
        local_base_path: str | Path | None = None,
        layout: Layout = "flat",
        s3_client_factory: S3ClientFactory | None = None,
        retry: RetryPolicy | None = None,
        concurrency: int = 64,
        grace: timedelta = DEFAULT_GRACE,
        racy_creates: bool = False,
        spool_path: str | Path | None = None,
        spool_floor_bytes: int = FLOOR_BYTES,
        spool_listener: SpoolListener | None = None,
        store: Store | None = None,
        clock: Clock = system_clock,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise InvalidConfiguration(f"there is no layout {layout!r}", hint="flat or nested")
        if concurrency < 1 or grace < timedelta():
            raise InvalidConfiguration("concurrency is at least 1, and grace not negative")
        environment = os.environ if environment is None else environment
        self._location = find_location(
            url,
            prefer_s3=prefer_s3,
            bucket=s3_bucket_name,
            region=s3_region_name,
            endpoint_url=s3_endpoint_url,
            local_base_path=local_base_path,
            environment=environment,
        )
        self._store = store or open_store(
            self._location,
            s3_client_factory,
            clock,
            spool=SpoolSettings(spool_path, spool_floor_bytes, spool_listener),
            environment=environment,
            retry=retry,
        )
        self._layout: Layout = layout
        self._concurrency = concurrency
        self._grace = grace
        self._racy_creates = racy_creates
        self._clock = clock
        self._capabilities: Capabilities | None = None
        self._buried = BuriedCheck(self._store, clock)
        unconfigured = url is None and store is None and prefer_s3
        if unconfigured and self._location.kind == "local" and _is_new(self._store.url):
            logger.warning(
                "no S3 bucket is configured (SM_S3_BUCKET_NAME); storing in %s",
                self._location.local_base_path,
            )

    @property
    def store(self) -> Store:
        """The store below, wrappers included."""
        return self._store

    @property
    def url(self) -> str:
        """Where everything is stored."""
        return self._store.url

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_storage_info(self) -> dict[str, Any]:
        """Where and how things are stored, without touching the network.

        ``capabilities`` and ``versioning`` are ``None`` until ``connect()`` or the first write.
        """
        location = self._location
        on_s3 = self._store.url.startswith("s3://")
        kind = {"s3": "S3", "local": "Local", "memory": "Memory"}[location.kind]
        found = self._capabilities
        return {
            "uses_s3": on_s3,
            "s3_bucket": location.bucket,
            "s3_region": location.region if on_s3 else None,
            "s3_prefix": location.prefix if on_s3 else None,
            "s3_endpoint_url": location.endpoint_url if on_s3 else None,
            "local_base_path": str(location.local_base_path),
            "effective_storage_type": kind,
            "url": self._store.url,
            "layout": self._layout,
            "versioning": found.versions if found else None,
            "capabilities": asdict(found) if found else None,
            "spool": self._store.describe() if isinstance(self._store, SpoolingStore) else None,
        }

    async def connect(self) -> None:
        """Make sure that storing can work. Raises ``S3ConfigError`` or ``LocalStorageError``.

        A bucket is probed for what it honours, if that was not done in the last days.
        """
        await self._store.connect()
        await self._able()

    async def get_capabilities(self) -> Capabilities:
        """What the store does, found out by trying. Raises ``S3ConfigError``."""
        if self._capabilities is None:
            found = await find_capabilities(self._store, self._clock)
            bucket = innermost(self._store)
            honoured = found.create_only is not False and found.if_match is not False
            if not honoured and isinstance(bucket, S3Store):
                self._check_conditions(bucket, found)
            self._capabilities = found
        return self._capabilities

    async def _able(self) -> Capabilities:
        """What the store does; nothing is known of one that is away, and nothing refused."""
        if self._capabilities is not None:
            return self._capabilities
        if is_away(self._store):
            return Capabilities()
        try:
            return await self.get_capabilities()
        except StoreUnavailable:
            return Capabilities()

    def _check_conditions(self, bucket: S3Store, found: Capabilities) -> None:
        # With versions the loser of two can still be told; without, both may have won.
        if found.versions or self._racy_creates:
            logger.warning("%s does not honour conditions of writes: they are checked", self.url)
            bucket.checks_conditions = True

    async def _require(self, condition: str, promise: str) -> None:
        """Raises ``NotSupported`` where a condition is neither honoured nor checked."""
        found = await self._able()
        bucket = innermost(self._store)
        if not (isinstance(bucket, S3Store) and bucket.checks_conditions):
            found.require(condition, promise)

    async def close(self) -> None:
        """Let go of what is open. Nothing that was acknowledged depends on it."""
        if isinstance(self._store, SpoolingStore):
            await self._store.close()

    def _locate(self, key: str) -> str:
        url = self._store.url
        if url.startswith("file://"):
            return str(Path(unquote(urlsplit(url).path)) / key)
        return url + key if url.endswith("://") else f"{url.rstrip('/')}/{key}"


def _is_new(url: str) -> bool:
    """Whether this process says it of the URL for the first time."""
    new = url not in _said
    _said.add(url)
    return new
