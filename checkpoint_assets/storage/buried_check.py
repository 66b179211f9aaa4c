"""A writer must not store into what was deleted: the sweep would take its files away."""

from __future__ import annotations

import threading
from collections import OrderedDict

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.errors import Conflict, StoreUnavailable
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.spooling import is_away
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.tombstones import tombstones

# Far below any grace period: a tombstone that is younger than this is not swept for long.
_VALID_SECONDS = 60.0
_REMEMBERED = 1024


class BuriedCheck:
    """Looks for tombstones once in a while for each session, not for each step."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._clean: OrderedDict[SessionId, float] = OrderedDict()

    async def refuse_if_buried(self, session_id: SessionId, step_id: StepId | None = None) -> None:
        """Raises ``Conflict`` for a session or step that was deleted and is not swept yet.

        Where nobody can tell because the store is away, a store with a spool is told so, and
        takes what is written next to the spool; what waits there is checked when it is drained.
        """
        now = self._clock.monotonic()
        with self._lock:
            if self._clean.get(session_id, float("-inf")) > now - _VALID_SECONDS:
                return
        if is_away(self._store):
            return  # what is spooled is checked when it is drained
        try:
            buried = {step async for _, step, _ in tombstones(self._store, session_id)}
        except StoreUnavailable:
            return  # the write itself will tell
        if None in buried or step_id in buried:
            what = f"session {session_id}" if None in buried else f"step {session_id}/{step_id}"
            raise Conflict(
                f"{what} was deleted and waits to be swept",
                session_id=session_id,
                hint="restore it, or store under a new id",
            )
        if not buried:
            with self._lock:
                self._clean[session_id] = now
                while len(self._clean) > _REMEMBERED:
                    self._clean.popitem(last=False)

    def forget(self, session_id: SessionId) -> None:
        """The next write looks again."""
        with self._lock:
            self._clean.pop(session_id, None)
