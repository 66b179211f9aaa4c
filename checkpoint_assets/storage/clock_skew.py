"""Two clocks decide what is old: ours and the store's. If they disagree, nothing is removed."""

from __future__ import annotations

from datetime import datetime, timedelta

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import DeleteRefused
from checkpoint_assets.storage.store import Store

# kopia refuses its maintenance beyond the same limit.
LARGEST = timedelta(minutes=5)


async def trusted_now(store: Store, clock: Clock) -> datetime:
    """The store's time, if ours is near it. Raises ``DeleteRefused``."""
    theirs = await store.now()
    skew = theirs - clock.now()
    if abs(skew) > LARGEST:
        raise DeleteRefused(
            f"the store's clock is {skew.total_seconds():+.0f} s off ours; nothing is removed",
            hint="set the clock of this machine, or of the server",
        )
    return theirs
