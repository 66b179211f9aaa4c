"""Puts a spool before the store of a location."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.storage.location import Location
from checkpoint_assets.storage.outage import PROBE_EVERY, Outage
from checkpoint_assets.storage.spool import FLOOR_BYTES, Spool, spool_folder
from checkpoint_assets.storage.spool_events import SpoolEvents, SpoolListener
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import Store


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """How to spool. ``path`` holds a folder for each bucket; ``None`` leaves the choice to us.

    ``floor_bytes`` stay free on its disk. ``listener`` is told what happens. ``probe_every`` is
    how many seconds pass between two questions whether the store is back.
    """

    path: str | Path | None = None
    floor_bytes: int = FLOOR_BYTES
    listener: SpoolListener | None = None
    probe_every: float = PROBE_EVERY

    def __post_init__(self) -> None:
        if self.floor_bytes < 0 or self.probe_every <= 0:
            raise InvalidConfiguration("spool_floor_bytes and probe_every must be positive")


def with_spool(
    store: Store,
    probe: Store,
    location: Location,
    settings: SpoolSettings,
    *,
    clock: Clock,
    environment: Mapping[str, str],
) -> SpoolingStore:
    """The store, with the location's spool. ``probe`` is the same without retries."""
    folder = spool_folder(location, settings.path, environment)
    return SpoolingStore(
        store,
        Spool.in_folder(folder, floor_bytes=settings.floor_bytes),
        probe=probe,
        outage=Outage(probe_every=settings.probe_every, clock=clock),
        events=SpoolEvents(store.url, settings.listener),
        endpoint_url=location.endpoint_url,
        clock=clock,
    )
