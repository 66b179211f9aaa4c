"""Retention for blocking code: notebooks, scripts, Dagster ops."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.retention import erase, execute, plan, plan_files
from checkpoint_assets.retention.erase import Others, Receipt
from checkpoint_assets.retention.execute import RetentionReport
from checkpoint_assets.retention.plan import FLOOR, MOST_SHARE, Doomed, DryRun, Plan
from checkpoint_assets.retention.plan_files import KEEP_PLANS
from checkpoint_assets.retention.policy import Policies
from checkpoint_assets.storage.blocking import SyncStorageManager


class SyncRetention:
    """Makes plans, executes them, and erases, over the event loop of the storage manager."""

    def __init__(
        self,
        storage: SyncStorageManager,
        *,
        catalogue: SyncCatalogue | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._storage = storage
        self._catalogue = (catalogue or SyncCatalogue(storage, clock=clock)).asynchronous
        self._clock = clock

    def make_plan(
        self,
        policies: Policies,
        *,
        floor: timedelta = FLOOR,
        most_share: float = MOST_SHARE,
    ) -> DryRun:
        """See ``plan.make_plan``."""
        return self._storage.call(
            lambda storage: plan.make_plan(
                storage,
                self._catalogue,
                policies,
                floor=floor,
                most_share=most_share,
                clock=self._clock,
            )
        )

    def read_plan(self, plan_id: str) -> Plan:
        """See ``plan.read_plan``."""
        return self._storage.call(plan.read_plan, plan_id)

    def execute(self, plan_id: str, *, insist: bool = False) -> RetentionReport:
        """See ``execute.execute``."""
        return self._storage.call(
            lambda storage: execute.execute(
                storage, self._catalogue, plan_id, insist=insist, clock=self._clock
            )
        )

    def check_plan(self, planned: Plan, *, insist: bool = False) -> None:
        """See ``execute.check_plan``; before its batches are executed one by one."""
        self._storage.call(
            lambda storage: execute.check_plan(storage, planned, insist=insist, clock=self._clock)
        )

    def execute_batch(self, planned: Plan, batch: Sequence[Doomed]) -> RetentionReport:
        """See ``execute.execute_batch``."""
        return self._storage.call(
            lambda storage: execute.execute_batch(
                storage, self._catalogue, planned, batch, clock=self._clock
            )
        )

    def keep_report(self, report: RetentionReport) -> None:
        """See ``execute.keep_report``; after the batches were added up."""
        self._storage.call(execute.keep_report, report)

    def prune_plans(self, keep_for: timedelta = KEEP_PLANS) -> int:
        """See ``plan_files.prune_plans``."""
        return self._storage.call(
            lambda storage: plan_files.prune_plans(storage, keep_for, clock=self._clock)
        )

    def erase(self, session_id: str, reason: str, *, others: Others | None = None) -> Receipt:
        """See ``erase.erase``."""
        return self._storage.call(
            lambda storage: erase.erase(
                storage, self._catalogue, session_id, reason, others=others, clock=self._clock
            )
        )
