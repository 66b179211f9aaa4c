"""The reading half of a store with a spool: what waits is read as if it were in the store.

- A step that waits is read from the spool alone; everything else is looked for in the store, then
  in the spool.
- A listing shows both. While the store is away a listing of one session shows what waits of it,
  unless the store is known to have steps of it; any other listing raises.
- A read that gets no answer begins an outage, too: the next write need not find out by itself. For
  as long as it has waited in vain, if that was long, no other read waits: it is told at once. A
  store that takes no writes may still answer reads, so the first read of an outage always asks.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound, StoreUnavailable
from checkpoint_assets.storage.keys import artifact_key, parse_session_folder, parse_step_key
from checkpoint_assets.storage.merged_listing import Entry, entries, merged, pages
from checkpoint_assets.storage.outage import Outage
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_events import SpoolEventKind, SpoolEvents
from checkpoint_assets.storage.spool_probe import StoreProbe
from checkpoint_assets.storage.store import ObjectInfo, Page, Store, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

# A store that refuses is soon asked again; this many seconds it takes one that is silent.
_LONG = 3.0


class SpoolReadingStore(WrappedStore):
    """Reads from ``inner`` and ``spool``, and knows whether ``inner`` is away.

    ``probe`` is asked whether the store is back; it should be the store without retries.
    """

    def __init__(
        self,
        inner: Store,
        spool: Spool,
        *,
        clock: Clock,
        probe: Store | None,
        outage: Outage | None,
        events: SpoolEvents | None,
    ) -> None:
        super().__init__(inner)
        self.spool = spool
        self.outage = outage or Outage(clock=clock)
        self.events = events or SpoolEvents(inner.url)
        self._clock = clock
        self._silent_until = 0.0
        self._probe = StoreProbe(probe or inner, self.outage, self.back)

    async def close(self) -> None:
        """End what runs in the background of this event loop."""
        await self._probe.close()

    def known_away(self) -> bool:
        """Whether the store is known to be away; now and then this sets off a probe."""
        if self.outage.since is None:
            return False
        self._probe.start_if_due()
        return True

    def back(self) -> None:
        """The store answers again."""
        seconds = self.outage.end()
        if seconds is not None:
            logger.info("%s answers again after %.0f s; drain the spool", self.url, seconds)
            self.events.tell(SpoolEventKind.RECOVERED, reason=f"away for {seconds:.0f} s")

    def away(self, error: StoreUnavailable) -> None:
        """The store did not answer, or asked to come back later, once too often."""
        if self.outage.begin(error):
            logger.warning(
                "%s is away, steps go to the spool %s until it is back: %s",
                self.url,
                self.spool.folder,
                error,
            )
            self.events.tell(SpoolEventKind.OUTAGE, reason=str(error))

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        if version is not None or not self.spool.may_hold(key):
            with self._noticing():
                return await self.inner.fetch(key, version=version)
        return await self._look(key, lambda place: place.fetch(key))

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        if version is not None or not self.spool.may_hold(key):
            with self._noticing():
                return await self.inner.stat(key, version=version)
        return await self._look(key, lambda place: place.stat(key))

    async def keeps_versions(self) -> bool:
        with self._noticing():
            return await self.inner.keeps_versions()

    @contextmanager
    def _noticing(self) -> Generator[None]:
        """A read that gets no answer tells as much as a write: the next one need not try."""
        asked = self._clock.monotonic()
        if self.known_away() and asked < self._silent_until:
            raise StoreUnavailable(f"{self.url} is away: {self.outage.reason}")
        try:
            yield
        except StoreUnavailable as error:
            now = self._clock.monotonic()
            if now - asked >= _LONG:
                self._silent_until = now + (now - asked)
            self.away(error)
            raise

    def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        if version is not None or not self.spool.may_hold(key):
            return self._open_inner(key, start, length, version)
        return self._open(key, start, length)

    async def _open_inner(
        self, key: str, start: int, length: int | None, version: str | None
    ) -> AsyncIterator[bytes]:
        with self._noticing():
            async for chunk in self.inner.open(key, start=start, length=length, version=version):
                yield chunk

    async def _open(self, key: str, start: int, length: int | None) -> AsyncIterator[bytes]:
        async def begin(place: Store) -> tuple[bytes, AsyncIterator[bytes]]:
            chunks = place.open(key, start=start, length=length)
            return await anext(chunks, b""), chunks

        chunk, chunks = await self._look(key, begin)
        if chunk:
            yield chunk
            async for chunk in chunks:
                yield chunk

    async def _look(self, key: str, ask: Callable[[Store], Awaitable[T]]) -> T:
        """The answer of the first place that has the object."""
        away: StoreUnavailable | None = None
        missing: NotFound | None = None
        for place in await self._places(key):
            if place is self.inner and away is not None:
                continue
            try:
                with self._noticing() if place is self.inner else nullcontext():
                    return await ask(place)
            except NotFound as error:
                missing = error
            except StoreUnavailable as error:
                away = error
        raise away or missing or NotFound(f"no object {key}", key=key)

    async def _places(self, key: str) -> tuple[Store, ...]:
        """Where to look for the object, in order."""
        step = parse_step_key(key)
        record = key
        if step is not None:
            record = artifact_key(step.session_id, step.step_id, Artifact.METADATA, step.layout)
        # The files of a step are read where its record is, so that one reading is of one writing.
        if await self.spool.holds(record):
            return self.spool.pending, self.inner
        # It may be drained between the first two looks.
        return self.inner, self.spool.pending, self.inner

    def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        if not self.spool.may_hold(prefix):
            return self._list_inner(prefix, after, recursive)
        return self._list(prefix, after, recursive)

    async def _list_inner(
        self, prefix: str, after: str | None, recursive: bool
    ) -> AsyncIterator[Page]:
        with self._noticing():
            async for page in self.inner.list(prefix, after=after, recursive=recursive):
                yield page

    async def _list(self, prefix: str, after: str | None, recursive: bool) -> AsyncIterator[Page]:
        # What waits is noted first: it is listed also when it is drained meanwhile.
        waiting: list[Entry] = []
        async for page in self.spool.pending.list(prefix, after=after, recursive=recursive):
            waiting += entries(page)
        begun = False
        try:
            with self._noticing():
                listing = self.inner.list(prefix, after=after, recursive=recursive)
                async for page in merged(listing, waiting):
                    yield page
                    begun = True
        except StoreUnavailable as error:
            session_id = parse_session_folder(prefix.partition("/")[0])
            if begun or session_id is None or await self.spool.is_partial(session_id):
                raise
            logger.warning("listing only what waits of %s in the spool: %s", session_id, error)
            for page in pages(waiting):
                yield page
