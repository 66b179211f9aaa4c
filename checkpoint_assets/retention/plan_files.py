"""Plans and their reports, which nobody looks at for ever."""

from __future__ import annotations

from datetime import timedelta

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.retention.execute import LONGEST
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.keys import PLANS_PREFIX
from checkpoint_assets.storage.storage_manager import StorageManager

KEEP_PLANS = timedelta(days=90)
_AT_ONCE = 1000


async def prune_plans(
    storage: StorageManager, keep_for: timedelta = KEEP_PLANS, *, clock: Clock = system_clock
) -> int:
    """Plans and reports that are older are gone; how many files. Receipts of erasures stay.

    Raises ``InvalidInput`` for less than a plan may be executed after it was made.
    """
    if keep_for < LONGEST:
        raise InvalidInput(f"plans are kept for {LONGEST} at least: they may be executed till then")
    before = await trusted_now(storage.store, clock) - keep_for
    old = [info.key async for info in storage.iter_objects(PLANS_PREFIX) if info.modified < before]
    for begin in range(0, len(old), _AT_ONCE):
        await storage.delete_objects(old[begin : begin + _AT_ONCE])
    return len(old)
