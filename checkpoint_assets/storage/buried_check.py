"""A writer must not store into what was deleted: the sweep would take its files away."""

from __future__ import annotations

import asyncio
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
        self._forgotten = 0
        self._asking: dict[tuple[asyncio.AbstractEventLoop, SessionId], asyncio.Event] = {}

    async def refuse_if_buried(
        self, session_id: SessionId, step_id: StepId | None = None, *, can_wait: bool = True
    ) -> None:
        """Raises ``Conflict`` for a session or step that was deleted and is not swept yet.

        A store with a spool that cannot be asked is away: what is written next goes to the spool,
        and is checked when it is drained. Any other raises ``StoreUnavailable``, and so does one
        for what cannot wait in a spool.
        """
        if self._is_clean(session_id):
            return
        if can_wait and is_away(self._store):
            return  # what is spooled is checked when it is drained
        turn = asyncio.get_running_loop(), session_id
        answered = asyncio.Event()
        with self._lock:
            under_way = self._asking.setdefault(turn, answered)
        if under_way is not answered:
            # Of many steps of a session the first one asks for all. Where that did not settle it
            # each asks for itself, and at the same time.
            await under_way.wait()
            if not self._is_clean(session_id):
                await self._ask(session_id, step_id, can_wait)
            return
        try:
            await self._ask(session_id, step_id, can_wait)
        finally:
            with self._lock:
                del self._asking[turn]
            answered.set()

    def _is_clean(self, session_id: SessionId) -> bool:
        with self._lock:
            asked = self._clean.get(session_id, float("-inf"))
        return asked > self._clock.monotonic() - _VALID_SECONDS

    async def _ask(self, session_id: SessionId, step_id: StepId | None, can_wait: bool) -> None:
        now = self._clock.monotonic()
        forgotten = self._forgotten
        try:
            buried = {step async for _, step, _ in tombstones(self._store, session_id)}
        except StoreUnavailable:
            if can_wait and is_away(self._store):
                return  # it was found out by this
            raise
        if None in buried or step_id in buried:
            what = f"session {session_id}" if None in buried else f"step {session_id}/{step_id}"
            raise Conflict(
                f"{what} was deleted and waits to be swept",
                session_id=session_id,
                hint="restore it, or store under a new id",
            )
        if not buried:
            with self._lock:
                if forgotten != self._forgotten:
                    return  # it may have been deleted while we asked
                self._clean[session_id] = now
                while len(self._clean) > _REMEMBERED:
                    self._clean.popitem(last=False)

    def forget(self, session_id: SessionId) -> None:
        """The next write looks again."""
        with self._lock:
            self._forgotten += 1
            self._clean.pop(session_id, None)
