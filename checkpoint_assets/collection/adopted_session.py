"""A session that somebody else drives, recorded as a second CDP client while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.collection.agent_actions import AgentAction
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.step_runner import CapturedStep
from checkpoint_assets.collection.browser.watched_page import Change, WatchedPage
from checkpoint_assets.collection.redaction import Redactor, redact_url
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import BrowserCrashed, DataCollectionError
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import StepData
from checkpoint_assets.runtime.cleanup import to_the_end

Store = Callable[["AdoptedSession", CapturedStep], Awaitable[StepData]]

# What changes more often than this is one change.
_PAUSE = 0.5


class AdoptedSession:
    """Records the pages of a browser that it did not start and will not end.

    A navigation or a change that can be seen becomes a step by itself (``on`` says which of the
    two); :meth:`tell` makes one at once. A page that looks as it did in its last step is no new
    one.
    """

    def __init__(
        self,
        session_id: SessionId,
        browser: Browser,
        settings: Settings,
        *,
        store: Store,
        redactor: Redactor,
        remote: dict[str, Any],
        on: Collection[Change],
        clock: Clock,
    ) -> None:
        self.id = session_id
        self.remote = remote
        self.redactor = redactor
        self.tags: dict[str, str] = {}
        self.started_at = isoformat(clock.now())
        self.started = clock.monotonic()
        self.version = browser.version
        # What could not be recorded, and why.
        self.problems: list[str] = []
        self.ended = asyncio.Event()
        self._browser = browser
        self._settings = settings
        self._store = store
        self._on = frozenset(on)
        self._clock = clock
        self._encoders = ThreadPoolExecutor(
            settings.encode_threads, thread_name_prefix="checkpoint-encode"
        )
        self._pages: list[WatchedPage] = []
        self._pending: dict[WatchedPage, Change] = {}
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._ordinal = 0
        self._seen: dict[str, bytes] = {}
        self._attaching: set[asyncio.Task[None]] = set()
        self._recording: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Attach to the pages there are, and to those that come."""
        await self._attach_all()
        self._recording = asyncio.ensure_future(self._record())

    async def go_on(self, browser: Browser) -> None:
        """Record on over a new connection. What happened without one is not recorded."""
        async with self._turn:
            self._browser = browser
            self._pages.clear()
            self._pending.clear()
            self.ended.clear()
            self.problems.append("the connection was lost for a while")
            self.remote["reconnected"] = self.remote.get("reconnected", 0) + 1
            await self._attach_all()

    async def _attach_all(self) -> None:
        self._browser.on("disconnected", self._disconnected)
        for context in self._browser.contexts:
            context.on("page", self._came)
            for page in context.pages:
                await self._attach(page)
        # What is there already is where the recording begins.
        if "navigate" in self._on:
            for page in [each for each in self._pages if each.url != "about:blank"]:
                await self._by_itself(page, "navigate")

    def _disconnected(self, browser: Browser) -> None:
        if browser is self._browser:
            self.ended.set()

    def _came(self, page: Page) -> None:
        task = asyncio.ensure_future(self._attach(page, came=True))
        self._attaching.add(task)
        task.add_done_callback(self._attaching.discard)

    async def _attach(self, page: Page, *, came: bool = False) -> None:
        # A page that closes before it is attached to has nothing to be recorded.
        with contextlib.suppress(DataCollectionError, PlaywrightError):
            watched = await WatchedPage.watch(
                page, self._settings, self.redactor, self._encoders, self._clock, self._heard
            )
            self._pages.append(watched)
            if came and watched.url != "about:blank":
                self._heard(watched, "navigate")

    def _heard(self, page: WatchedPage, change: Change) -> None:
        if self._pending.get(page) != "navigate":
            self._pending[page] = change
        # The page that something happened on last is the one that is talked about.
        if page in self._pages:
            self._pages.remove(page)
            self._pages.append(page)
        self._changed.set()

    async def _record(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._pending:
                async with self._turn:
                    if not self._pending:
                        break  # the step that was told just now has them
                    page, change = next(iter(self._pending.items()))
                    del self._pending[page]
                    if change in self._on and not page.closed:
                        await self._by_itself(page, change)
                    else:
                        await page.arm()
            await asyncio.sleep(_PAUSE)

    async def _by_itself(self, page: WatchedPage, change: Change) -> None:
        record = self._record_of(change)
        try:
            step = await self._observe(page, record)
        except DataCollectionError as err:
            self._ordinal -= 1
            if not isinstance(err, BrowserCrashed) and not page.closed:
                self.problems.append(f"a {change} was not recorded: {err.message}")
            return
        if self._looks_as_before(page, step):
            self._ordinal -= 1
            return
        await self._store(self, step)

    async def tell(
        self, action: AgentAction, *, url: str | None, page_id: str | None, task_id: str | None
    ) -> StepData:
        """A step with that action, now. Raises ``DataCollectionError`` if there is no page."""
        async with self._turn:
            page = self._page(url, page_id)
            if page is None or self.ended.is_set():
                raise BrowserCrashed("the session has no page any more")
            self._pending.pop(page, None)
            record = self._record_of(action.kind)
            record.agent = action.to_dict() | ({"task_id": task_id} if task_id else {})
            record.agent["page_id"] = page.target_id
            if url is not None:
                record.value = redact_url(url)
            if action.success is False:
                record.outcome = "failed"
            try:
                step = await self._observe(page, record)
            except BaseException:
                self._ordinal -= 1
                raise
            self._looks_as_before(page, step)
            return await self._store(self, step)

    def _record_of(self, kind: str) -> ActionRecord:
        self._ordinal += 1
        return ActionRecord(kind, self._ordinal, isoformat(self._clock.now()))

    async def _observe(self, page: WatchedPage, record: ActionRecord) -> CapturedStep:
        # Armed first: what changes while the page is read is a change after it.
        await page.arm()
        return await page.observe(record, tuple(Artifact))

    def _looks_as_before(self, page: WatchedPage, step: CapturedStep) -> bool:
        digest = hashlib.sha256()
        for artifact in (Artifact.HTML, Artifact.SCREENSHOT):
            digest.update(step.artifacts.get(artifact, b""))
        before = self._seen.get(page.target_id)
        self._seen[page.target_id] = digest.digest()
        return before == digest.digest()

    def _page(self, url: str | None, page_id: str | None) -> WatchedPage | None:
        """The page that is meant: by its id, by its URL, or the one that changed last."""
        there = [each for each in self._pages if not each.closed]
        for wanted in (
            [each for each in there if page_id and each.target_id == page_id],
            [each for each in there if url and each.url.rstrip("/") == url.rstrip("/")],
            there,
        ):
            if wanted:
                return wanted[-1]
        return None

    async def stop(self) -> None:
        """Detach. The session goes on. Safe to call twice."""
        await to_the_end(asyncio.ensure_future(self._stop()))

    async def _stop(self) -> None:
        recording, self._recording = self._recording, None
        tasks = [*self._attaching, *([recording] if recording else [])]
        async with self._turn:
            for task in tasks:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                self.problems.append(str(result))
        with contextlib.suppress(DataCollectionError, PlaywrightError):
            await within(
                self._settings.timeouts.close, self._browser.close(), "leaving the session"
            )
        await asyncio.to_thread(self._encoders.shutdown, cancel_futures=True)
