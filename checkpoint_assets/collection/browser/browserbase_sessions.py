"""Sessions in Browserbase: created once, never forgotten, always released."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from browserbase import (
    AsyncBrowserbase,
    BrowserbaseError,
    NotFoundError,
    RateLimitError,
)

from checkpoint_assets.collection.browser.browserbase_client import (
    may_have_been_done,
    own_client,
    seconds_to_wait,
    translated,
)
from checkpoint_assets.collection.browser.browserbase_tags import (
    OURS,
    OWNER,
    SESSION,
    Owner,
    query,
    tag,
    tags,
)
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import BrowserUnavailable, DataCollectionError
from checkpoint_assets.runtime.cleanup import to_the_end

Sleep = Callable[[float], Awaitable[None]]
# Whether our session of that id has ended, whoever captured it.
IsClosed = Callable[[str], Awaitable[bool]]

LIVE = frozenset({"PENDING", "RUNNING"})
SHORTEST, LONGEST = 60, 21_600
# Answers that were lost, and creations that failed, in a row: then it is given up.
_TRIES = 4
# While nobody of us can free a session, others may: so often it is asked.
_POLL = (1.0, 15.0)


class BrowserbaseSessions:
    """Creates and releases sessions. For one event loop; ``close`` at its end.

    Every session carries our tags. A creation is never repeated before Browserbase was asked
    whether the first one has been done, so that no session is left behind that bills.
    """

    def __init__(
        self,
        settings: Settings,
        client: Any = None,
        *,
        clock: Clock = system_clock,
        sleep: Sleep = asyncio.sleep,
        owner: Owner | None = None,
    ) -> None:
        self._settings = settings
        self._wishes = settings.browserbase
        self.client: AsyncBrowserbase = own_client(client, settings.timeouts.launch)
        self._clock = clock
        self._sleep = sleep
        self._owner = owner or Owner.this_process()
        self._places = asyncio.Semaphore(self._wishes.sessions)
        # Who waits for a session that somebody releases stands here: one asks, the others wait.
        self._queue = asyncio.Lock()
        self._released = asyncio.Event()
        # Sessions of ours that this process captures in right now, by our id.
        self._mine: set[str] = set()

    @property
    def api_key(self) -> str:
        return self.client.api_key

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[None, None]:
        """A place among the ``settings.browserbase.sessions`` that run at once."""
        async with self._places:
            yield

    async def create(self, session_id: str, *, extension_id: str | None = None) -> Any:
        """A running session for our session of that id, as the SDK tells of it.

        Waits for a free one. Raises ``BrowserUnavailable``; then none of it is left running.
        """
        self._mine.add(session_id)
        try:
            async with asyncio.timeout(self._wishes.wait):
                return await self._create(session_id, extension_id)
        except TimeoutError as err:
            await self._forget(session_id)
            raise BrowserUnavailable(
                f"no session of Browserbase was free within {self._wishes.wait:g} s",
                hint="CHECKPOINT_BROWSERBASE__WAIT is how long to wait",
            ) from err
        except BaseException:
            # What was asked for last may have been done, whatever became of the answer.
            await self._forget(session_id)
            raise

    async def _forget(self, session_id: str) -> None:
        await to_the_end(asyncio.ensure_future(self.release(session_id)))

    async def _create(self, session_id: str, extension_id: str | None) -> Any:
        if not self._queue.locked():
            with contextlib.suppress(_NoneIsFree):
                return await self._ask(session_id, extension_id)
        async with self._queue:
            pause = _POLL[0]
            while True:
                self._released.clear()
                with contextlib.suppress(_NoneIsFree):
                    return await self._ask(session_id, extension_id)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._released.wait()
                pause = min(pause * 2, _POLL[1])

    async def _ask(self, session_id: str, extension_id: str | None) -> Any:
        """A created session. Raises ``_NoneIsFree``, ``BrowserUnavailable``."""
        failures = 0
        while True:
            try:
                return await self._request(self._body(session_id, extension_id))
            except RateLimitError as err:
                seconds = seconds_to_wait(err)
                if seconds is None:
                    raise _NoneIsFree from err
                await self._sleep(seconds)
            except BrowserbaseError as err:
                failures += 1
                if not may_have_been_done(err) or failures == _TRIES:
                    raise translated(err, "creating a session") from None
                if found := await self._reconcile(session_id):
                    return found
                await self._sleep(0.5 * 2**failures)

    async def _request(self, body: dict[str, Any]) -> Any:
        """One request, to its end also when cancelled: then there is a session to be released."""
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        request = self.client.with_options(max_retries=0).sessions.create(**body)
        try:
            return await to_the_end(asyncio.ensure_future(request))
        except BrowserbaseError as err:
            # A refusal may come first, and whoever is cancelled must not wait for the next try.
            if task and task.cancelling() > before:
                raise asyncio.CancelledError from err
            raise

    async def _reconcile(self, session_id: str) -> Any:
        """The session that a lost answer was about, if there is one; more than one are released."""
        found = await self._find(session_id)
        for extra in found[1:]:
            await self._release(extra.id)
        if not found:
            return None
        try:
            return await self.client.sessions.retrieve(found[0].id)
        except BrowserbaseError as err:
            raise translated(err, "asking for a session") from None

    async def _find(self, session_id: str) -> list[Any]:
        """Sessions in Browserbase that were created for ours and have not ended."""
        try:
            found = await self.client.sessions.list(q=query(SESSION, session_id))
        except BrowserbaseError as err:
            raise translated(err, "looking for a session") from None
        return [each for each in found if each.status in LIVE]

    def _body(self, session_id: str, extension_id: str | None = None) -> dict[str, Any]:
        wishes, timeouts = self._wishes, self._settings.timeouts
        # Ours strikes first: a session is ended in order, not in the middle of a step.
        life = math.ceil(timeouts.session + timeouts.launch + timeouts.capture + timeouts.close)
        body: dict[str, Any] = {
            "project_id": wishes.project_id,
            "region": wishes.region,
            "proxies": wishes.proxies or None,
            "keep_alive": wishes.keep_alive or None,
            "extension_id": extension_id,
        }
        settings: dict[str, Any] = {"record_session": wishes.record, "log_session": wishes.log}
        if wishes.context_id is not None:
            settings["context"] = {"id": wishes.context_id, "persist": wishes.keep_context}
        return {
            **{name: value for name, value in body.items() if value is not None},
            "api_timeout": min(max(life, SHORTEST), LONGEST),
            "browser_settings": settings,
            "user_metadata": tags(session_id, self._owner),
        }

    async def release(self, session_id: str) -> bool:
        """Release whatever was created for our session; true if nothing of it runs any more.

        Never raises because Browserbase does not answer: ``release_orphans`` sees to it later.
        """
        self._mine.discard(session_id)
        try:
            for each in await self._find(session_id):
                await self._release(each.id)
            return not await self._find(session_id)
        except DataCollectionError:
            return False
        finally:
            self._released.set()

    async def _release(self, browserbase_id: str) -> None:
        # To release twice is fine, so the SDK may repeat it.
        with contextlib.suppress(NotFoundError):
            try:
                await self.client.sessions.update(browserbase_id, status="REQUEST_RELEASE")
            except NotFoundError:
                raise
            except BrowserbaseError as err:
                raise translated(err, "releasing a session") from None

    async def release_orphans(
        self, *, older_than: timedelta | None = None, is_closed: IsClosed | None = None
    ) -> list[str]:
        """Release sessions of ours that nobody captures in any more; their Browserbase ids.

        Those are: created by a process of this machine that has ended, older than a session may
        be (``older_than``; by default as long as one of ours can last), or created for a session
        of ours that ``is_closed`` says is closed. What others have created, and what this object
        captures in, is left alone. Raises ``DataCollectionError`` if Browserbase refuses.
        """
        limit = older_than
        if limit is None:
            limit = timedelta(seconds=self._body("")["api_timeout"])
        try:
            found = await self.client.sessions.list(q=query(OURS, "1"))
        except BrowserbaseError as err:
            raise translated(err, "looking for orphans") from None
        released: list[str] = []
        for each in found:
            ours = tag(each, SESSION)
            if each.status not in LIVE or ours is None or ours in self._mine:
                continue
            owner = Owner.parse(tag(each, OWNER))
            old = self._clock.now() - each.created_at >= limit
            ended = owner is not None and owner.gone_from(self._owner)
            if old or ended or (is_closed is not None and await is_closed(ours)):
                await self._release(each.id)
                released.append(each.id)
        return released

    async def close(self) -> None:
        """Close the client. Sessions that still run are left to their captures."""
        await self.client.close()


class _NoneIsFree(Exception):
    """The plan's sessions are all in use."""
