"""Sessions that nobody closed and nobody adds to: every session ends in some state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.keys import manifest_key, parse_step_key, session_prefix
from checkpoint_assets.storage.listing import session_ids
from checkpoint_assets.storage.store import Store

IDLE_FOR = timedelta(days=1)


async def idle_sessions(
    store: Store, clock: Clock, idle_for: timedelta
) -> AsyncIterator[SessionId]:
    """Sessions with steps and without a manifest, whose newest object is older than that."""
    now = await trusted_now(store, clock)
    async for session_id in session_ids(store):
        newest = await _newest_object(store, session_id)
        if newest is not None and now - newest > idle_for:
            yield session_id


async def _newest_object(store: Store, session_id: SessionId) -> datetime | None:
    """The time of an open session's newest object; ``None`` if it is closed or has no steps."""
    newest: datetime | None = None
    steps = 0
    async for page in store.list(session_prefix(session_id)):
        for info in page.objects:
            if info.key == manifest_key(session_id):
                return None
            step = parse_step_key(info.key)
            if step is not None:
                steps += step.artifact is Artifact.METADATA
                newest = max(newest or info.modified, info.modified)
    return newest if steps else None
