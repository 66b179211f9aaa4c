"""The catalogue for blocking code: notebooks, scripts, Dagster assets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Unpack

import pandas as pd
import pyarrow as pa

from checkpoint_assets.catalogue import sql
from checkpoint_assets.catalogue.catalogue import Catalogue, RebuildReport, Selection, Table
from checkpoint_assets.catalogue.compaction import GRACE, CompactionReport
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.spool_report import DrainReport


class SyncCatalogue:
    """``Catalogue`` with blocking methods, over the event loop of the storage manager."""

    def __init__(
        self,
        storage: SyncStorageManager,
        *,
        clock: Clock = system_clock,
        grace: timedelta = GRACE,
    ) -> None:
        self._storage = storage
        self._catalogue = Catalogue(storage.asynchronous, clock=clock, grace=grace)

    @property
    def asynchronous(self) -> Catalogue:
        """The catalogue below, for asynchronous code."""
        return self._catalogue

    def append_session(self, session_id: str, run_id: str | None = None) -> str | None:
        """See ``Catalogue.append_session``."""
        return self._storage.call(lambda _: self._catalogue.append_session(session_id, run_id))

    def append_sessions(self, session_ids: Iterable[str]) -> None:
        """See ``Catalogue.append_sessions``."""
        self._storage.call(lambda _: self._catalogue.append_sessions(session_ids))

    def append_events(self, session_ids: Iterable[str]) -> str | None:
        """See ``Catalogue.append_events``."""
        return self._storage.call(lambda _: self._catalogue.append_events(session_ids))

    def drain_spool(self, *, limit: int | None = None, retry_dead: bool = False) -> DrainReport:
        """See ``Catalogue.drain_spool``."""
        return self._storage.call(
            lambda _: self._catalogue.drain_spool(limit=limit, retry_dead=retry_dead)
        )

    def compact(self) -> CompactionReport:
        """See ``Catalogue.compact``."""
        return self._storage.call(lambda _: self._catalogue.compact())

    def rebuild(self) -> RebuildReport:
        """See ``Catalogue.rebuild``."""
        return self._storage.call(lambda _: self._catalogue.rebuild())

    def refresh(self) -> CompactionReport:
        """See ``Catalogue.refresh``."""
        return self._storage.call(lambda _: self._catalogue.refresh())

    def steps(self, **selection: Unpack[Selection]) -> pd.DataFrame:
        """See ``Catalogue.steps``."""
        return self._storage.call(lambda _: self._catalogue.steps(**selection))

    def sessions(self, **selection: Unpack[Selection]) -> pd.DataFrame:
        """See ``Catalogue.sessions``."""
        return self._storage.call(lambda _: self._catalogue.sessions(**selection))

    def iter(
        self, table: Table, batch_rows: int = 10_000, **selection: Unpack[Selection]
    ) -> Iterator[pa.RecordBatch]:
        """See ``Catalogue.iter``."""
        return self._storage.iterate(self._catalogue.iter(table, batch_rows, **selection), 1)

    def sql(self, query: str, **parameters: Any) -> pd.DataFrame:
        """The answer of DuckDB; see ``sql.query``."""
        return self._storage.call(lambda _: sql.query(self._catalogue, query, **parameters))
