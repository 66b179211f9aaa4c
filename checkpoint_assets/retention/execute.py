"""Executes a plan, and only a plan: each session is compared with the truth before it goes.

The catalogue is a mirror and the plan a picture of it. What decides is the store: the pin, the
expiry and the manifest as they are at that moment, and what waits in the spool.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.truth import is_buried, is_there
from checkpoint_assets.model.clock import Clock, isoformat, parse_isoformat, system_clock
from checkpoint_assets.model.errors import DeleteRefused, NotFound, StorageError
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.retention.plan import Doomed, Plan, read_plan
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.keys import plan_key
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all

logger = logging.getLogger(__name__)

# A picture of the store that is older is not acted upon.
LONGEST = timedelta(days=7)
_AT_ONCE = 8


@dataclass(slots=True)
class RetentionReport:
    """What became of the sessions of a plan. ``bytes`` are those of the deleted ones.

    They are free when the sweep has been there. ``kept`` says why a session was left alone after
    all; ``failed`` goes with the next run.
    """

    plan_id: str
    deleted: list[str] = field(default_factory=list[str])
    kept: dict[str, str] = field(default_factory=dict[str, str])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])
    bytes: int = 0

    def add(self, other: RetentionReport) -> None:
        """Also what another batch of the plan did."""
        self.deleted += other.deleted
        self.kept |= other.kept
        self.failed |= other.failed
        self.bytes += other.bytes

    def to_json(self) -> bytes:
        """The bytes of the report that is kept beside the plan."""
        return encode_json(
            {
                "schema_version": SCHEMA_VERSION,
                "plan_id": self.plan_id,
                "deleted": self.deleted,
                "kept": self.kept,
                "failed": {session: str(error) for session, error in self.failed.items()},
                "bytes": self.bytes,
            }
        )


async def execute(
    storage: StorageManager,
    catalogue: Catalogue,
    plan_id: str,
    *,
    insist: bool = False,
    clock: Clock = system_clock,
) -> RetentionReport:
    """Delete what the plan names and nothing else, as ``delete_session`` does: it can be restored.

    Safe to run again, to kill, and to run twice at once. Raises ``DeleteRefused`` for a plan that
    is refused (unless ``insist``) or too old, and where the clocks disagree. The report is kept as
    ``_retention/plans/{plan_id}.report.json``.
    """
    plan = await read_plan(storage, plan_id)
    await check_plan(storage, plan, insist=insist, clock=clock)
    report = RetentionReport(plan_id)
    for batch in plan.batches():
        report.add(await execute_batch(storage, catalogue, plan, batch, clock=clock))
    await keep_report(storage, report)
    return report


async def check_plan(
    storage: StorageManager, plan: Plan, *, insist: bool = False, clock: Clock = system_clock
) -> None:
    """Raises ``DeleteRefused`` for a plan that must not be executed (any more)."""
    now = await trusted_now(storage.store, clock)
    if plan.refused and not insist:
        raise DeleteRefused(
            f"plan {plan.plan_id} is refused: {plan.refused}", hint="insist, if it is meant"
        )
    if now - plan.made > LONGEST:
        raise DeleteRefused(f"plan {plan.plan_id} is of {plan.made_at}", hint="make a new one")


async def execute_batch(
    storage: StorageManager,
    catalogue: Catalogue,
    plan: Plan,
    batch: Sequence[Doomed],
    *,
    clock: Clock = system_clock,
) -> RetentionReport:
    """Delete these entries of the plan, each if the truth still agrees. The catalogue follows."""
    now = await trusted_now(storage.store, clock)
    spooled = set(await storage.spooled_sessions())
    report = RetentionReport(plan.plan_id)

    async def work(entry: Doomed) -> None:
        session_id = entry.session_id
        try:
            objection = await object_to(storage, plan, entry, now, spooled)
            if objection is not None:
                report.kept[session_id] = objection
                return
            await storage.delete_session(session_id)
        except DeleteRefused as refused:
            report.kept[session_id] = refused.message
        except StorageError as error:
            logger.warning("session %s could not be deleted: %s", session_id, error)
            report.failed[session_id] = error
        else:
            report.deleted.append(session_id)
            report.bytes += entry.bytes

    await run_all(work, batch, _AT_ONCE)
    report.deleted.sort()
    # Also those that were kept: the catalogue may have known less than the store.
    await catalogue.append_events([*report.deleted, *report.kept])
    return report


async def object_to(
    storage: StorageManager, plan: Plan, entry: Doomed, now: datetime, spooled: Iterable[str]
) -> str | None:
    """Why the session must not be deleted after all; ``None``: nothing speaks against it."""
    session_id = entry.session_id
    if session_id in spooled:
        return "waits in the spool"
    if await storage.get_pin(session_id) is not None:
        return "pinned"
    expires = await storage.get_expiration(session_id)
    if (None if expires is None else isoformat(expires)) != entry.expires_at:
        return "its expiry was changed since it was planned"
    if await is_buried(storage, session_id):
        return None  # a delete that was cut short is completed
    try:
        manifest = await storage.get_manifest(session_id)
    except NotFound:
        there = await is_there(storage, session_id)
        return "in flight: it was not closed yet" if there else "gone already"
    if isoformat(parse_isoformat(manifest.closed_at)) != entry.closed_at:
        return "changed since it was planned"
    if now - parse_isoformat(manifest.closed_at) < plan.floor:
        return f"closed less than {plan.floor} ago"
    return None


async def keep_report(storage: StorageManager, report: RetentionReport) -> None:
    """The report is beside the plan; that of a later execution replaces it."""
    key = plan_key(report.plan_id, "report.json")
    await storage.write_object(key, report.to_json(), JSON, create=False)
