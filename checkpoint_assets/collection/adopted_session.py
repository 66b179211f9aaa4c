"""A session that somebody else drives, recorded as a second CDP client while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
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
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import BrowserCrashed, DataCollectionError
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import StepData
from checkpoint_assets.runtime.cleanup import to_the_end

Open = Callable[[], Awaitable[Browser]]
# A new connection after one was lost; ``None`` where the session has ended.
Again = Callable[[], Awaitable[Browser | None]]

# What changes more often than this is one change.
_PAUSE = 0.5


class AdoptedSession:
    """Yields steps of a browser that it did not start and will not end. Keeps ``IDataSource``.

    A navigation or a change that can be seen becomes a step by itself (``on`` says which of the
    two); :meth:`tell` makes one at once. A page that looks as it did in its last step is no new
    one. The stream ends with the connection, unless there is ``again`` to make a new one, and
    after :meth:`end`. Changes that come while nobody takes a step become one.
    """

    def __init__(
        self,
        session_id: SessionId,
        open_browser: Open,
        settings: Settings,
        *,
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
        # The version of the browser, once there is a connection.
        self.version: str | None = None
        # What could not be recorded, and why.
        self.problems: list[str] = []
        # What the steps that somebody told become, by their ids, until they are stored.
        self.told: dict[str, asyncio.Future[StepData]] = {}
        self.again: Again | None = None
        self._open = open_browser
        self._browser: Browser | None = None
        self._lost = False
        self._over = True
        self._settings = settings
        self._on = frozenset(on)
        self._clock = clock
        self._encoders: ThreadPoolExecutor | None = None
        self._pages: list[WatchedPage] = []
        self._pending: dict[WatchedPage, Change] = {}
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._ordinal = 0
        self._seen: dict[str, bytes] = {}
        self._attaching: set[asyncio.Task[None]] = set()
        # Captured, and not taken yet.
        self._captured: deque[CollectedData] = deque()
        self._rest_until = 0.0

    def get_source_id(self) -> str:
        return f"adopted:{self.id}"

    async def connect(self) -> None:
        """Attach to the pages there are, and to those that come."""
        if self._browser is not None:
            return
        try:
            self._encoders = ThreadPoolExecutor(
                self._settings.encode_threads, thread_name_prefix="checkpoint-encode"
            )
            browser = await self._open()
            self._over = False
            await self._attach_all(browser)
        except BaseException:
            await self.disconnect()
            raise

    async def _go_on(self, browser: Browser) -> None:
        """Over a new connection. What happened without one is not recorded."""
        self.problems.append("the connection was lost for a while")
        self.remote["reconnected"] = self.remote.get("reconnected", 0) + 1
        self._pages.clear()
        self._pending.clear()
        await self._attach_all(browser)

    async def _attach_all(self, browser: Browser) -> None:
        self._browser, self._lost = browser, False
        self.version = browser.version
        browser.on("disconnected", self._disconnected)
        for context in browser.contexts:
            context.on("page", self._came)
            for page in context.pages:
                await self._attach(page)
        # What is there already is where the recording begins.
        if "navigate" in self._on:
            for page in [each for each in self._pages if each.url != "about:blank"]:
                await self._by_itself(page, "navigate")

    def _disconnected(self, browser: Browser) -> None:
        if browser is self._browser:
            self._lost = True
            self._changed.set()

    def _came(self, page: Page) -> None:
        task = asyncio.ensure_future(self._attach(page, came=True))
        self._attaching.add(task)
        task.add_done_callback(self._attaching.discard)

    async def _attach(self, page: Page, *, came: bool = False) -> None:
        if self._encoders is None:
            return
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

    async def collect(self) -> CollectedData:
        while not self._captured:
            if self._over:
                raise StopAsyncIteration
            if self._lost:
                await self._after_loss()
                continue
            rest = self._rest_until - self._clock.monotonic() if self._pending else None
            if rest is not None and rest <= 0:
                await self._next_change()
                continue
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._changed.wait()
        return self._captured.popleft()

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        while True:
            try:
                step = await self.collect()
            except StopAsyncIteration:
                return
            yield step

    async def _after_loss(self) -> None:
        browser = await self.again() if self.again is not None else None
        if browser is None:
            self._over = True
            return
        # At once, so that it is let go of whatever happens.
        self._browser = browser
        async with self._turn:
            await self._go_on(browser)

    async def _next_change(self) -> None:
        async with self._turn:
            if self._pending:  # else the step that was told just now has them
                page, change = next(iter(self._pending.items()))
                del self._pending[page]
                if change in self._on and not page.closed:
                    await self._by_itself(page, change)
                else:
                    await page.arm()
            if not self._pending:
                self._rest_until = self._clock.monotonic() + _PAUSE

    async def _by_itself(self, page: WatchedPage, change: Change) -> None:
        record = self._record_of(change)
        try:
            step = await self._observe(page, record)
        except DataCollectionError as err:
            self._ordinal -= 1
            if not isinstance(err, BrowserCrashed) and not page.closed:
                self.problems.append(f"a {change} was not recorded: {err.message}")
            return
        except BaseException:
            self._ordinal -= 1
            raise
        if self._looks_as_before(page, step):
            self._ordinal -= 1
            return
        self._captured.append(self._collected(step))

    async def tell(
        self, action: AgentAction, *, url: str | None, page_id: str | None, task_id: str | None
    ) -> asyncio.Future[StepData]:
        """A step with that action, now; whoever takes it from the stream answers the future.

        Raises ``DataCollectionError`` if there is no page.
        """
        async with self._turn:
            page = self._page(url, page_id)
            if page is None or self._over or self._lost:
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
            self._captured.append(self._collected(step))
            told = self.told[step.step_id] = asyncio.get_running_loop().create_future()
            self._changed.set()
            return told

    def _collected(self, step: CapturedStep) -> CollectedData:
        return CollectedData(
            source_id=self.get_source_id(),
            timestamp=step.timestamp,
            data_format="checkpoint/step",
            collection_method=step.page.get("capture", "cdp"),
            raw_data=step.artifacts.get(Artifact.HTML, b""),
            metadata={
                "session_id": self.id,
                "step_id": step.step_id,
                "action": step.action,
                "page": step.page,
            },
            artifacts=step.artifacts,
        )

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

    async def end(self) -> None:
        """Capture nothing more: the stream ends after what is captured. Safe to call twice."""
        async with self._turn:
            self._over = True
        self._changed.set()

    async def disconnect(self) -> None:
        """Detach. The session goes on."""
        await to_the_end(asyncio.ensure_future(self._disconnect()))

    async def _disconnect(self) -> None:
        await self.end()
        tasks = list(self._attaching)
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.problems.append(str(result))
        browser, self._browser = self._browser, None
        if browser is not None:
            with contextlib.suppress(DataCollectionError, PlaywrightError):
                await within(self._settings.timeouts.close, browser.close(), "leaving the session")
        encoders, self._encoders = self._encoders, None
        if encoders is not None:
            await asyncio.to_thread(encoders.shutdown, cancel_futures=True)
        self._pages.clear()
        self._pending.clear()
        self._captured.clear()
        for told in self.told.values():
            if not told.done():
                told.set_exception(BrowserCrashed("the recording ended before the step was stored"))
        self.told.clear()
