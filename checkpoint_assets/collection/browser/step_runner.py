"""One step: find the target, act, let the page settle, capture it; then encode off the path."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.collection.address_gate import Resolve, resolve
from checkpoint_assets.collection.browser.deadline import is_gone, translate, within
from checkpoint_assets.collection.browser.document_gate import DocumentGate
from checkpoint_assets.collection.browser.fallback_capture import FallbackCapture
from checkpoint_assets.collection.browser.fallback_world import FallbackWorld
from checkpoint_assets.collection.browser.forward_proxy import ForwardProxy
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.page_actions import Actor, PageActions
from checkpoint_assets.collection.browser.page_capture import Observation, PageCapture
from checkpoint_assets.collection.browser.page_log import PageLog
from checkpoint_assets.collection.browser.screenshot import ScreenshotEncoder
from checkpoint_assets.collection.browser.settling import Settle, Settling
from checkpoint_assets.collection.redaction import MASK, Redactor
from checkpoint_assets.collection.steps import Goto, Step
from checkpoint_assets.collection.url_gate import is_out_of_bounds, may_capture, shown_page_url
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock, isoformat
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    BrowserCrashed,
    CaptureTimeout,
    DataCollectionError,
    InvalidScreenshot,
    NavigationFailed,
)
from checkpoint_assets.model.ids import step_id


@dataclass(frozen=True, slots=True)
class CapturedStep:
    """A step ready to be stored. ``action`` and ``page`` are redacted, plain JSON."""

    step_id: str
    timestamp: datetime
    action: dict[str, Any]
    page: dict[str, Any]
    artifacts: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Doing:
    """A step that is being done: what was asked for, and what is known of it so far."""

    step: Step
    record: ActionRecord
    timestamp: datetime
    artifacts: Collection[Artifact]
    full_page: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A step that was done: the capture, being encoded, and what went wrong, if anything.

    ``unseen``: the action was done, and the browser was gone before its page could be captured.
    """

    captured: asyncio.Future[CapturedStep]
    error: DataCollectionError | None
    unseen: Doing | None = None


class StepRunner:
    """Does steps on one page."""

    def __init__(
        self,
        page: Page,
        world: IsolatedWorld | FallbackWorld,
        actions: PageActions,
        capture: PageCapture | FallbackCapture,
        settings: Settings,
        redactor: Redactor,
        encoders: ThreadPoolExecutor,
        clock: Clock,
        proxy: ForwardProxy | DocumentGate | None = None,
    ) -> None:
        self._page = page
        self.scale = 1.0
        # The metrics of the page as it was captured last; and those that it has to have, if that
        # may change without anybody's wish.
        self.viewport: dict[str, Any] | None = None
        self._expected: dict[str, Any] | None = None
        self._cdp: CDPSession | None = None
        self._actions = actions
        self._capture = capture
        self._settling = Settling(page, world)
        self._log = PageLog(page, proxy)
        self._settings = settings
        self._redactor = redactor
        self._encoders = encoders
        self._pictures = ScreenshotEncoder(settings.capture)
        self._clock = clock

    @classmethod
    async def open(
        cls,
        context: BrowserContext,
        settings: Settings,
        *,
        base_url: str,
        allowed: frozenset[str],
        secrets: Mapping[str, str],
        redactor: Redactor,
        encoders: ThreadPoolExecutor,
        clock: Clock,
        timeout: float | None = None,
        proxy: ForwardProxy | DocumentGate | None = None,
        resolver: Resolve = resolve,
        actor: Actor | None = None,
        page: Page | None = None,
        scale: float | None = None,
        viewport: dict[str, Any] | None = None,
    ) -> Self:
        """A runner on a new page of the context. Raises ``DataCollectionError``.

        ``page``, ``scale`` and ``viewport`` are those of a runner that has lost its connection: it
        goes on.
        """
        seconds = settings.timeouts.launch
        # A remote session has its one empty page already: the one that its viewers see.
        page = page or (context.pages[0] if context.pages else None)
        page = page or await within(seconds, context.new_page(), "opening a page")
        cdp = await _cdp_session(seconds, context, page)
        if isinstance(proxy, DocumentGate):
            await within(seconds, proxy.guard(page), "guarding a page")
        world = IsolatedWorld(cdp) if cdp else FallbackWorld(page)
        actions = PageActions(
            page,
            settings,
            base_url=base_url,
            allowed=allowed,
            secrets=secrets,
            redactor=redactor,
            timeout=timeout,
            resolver=resolver,
            actor=actor,
        )
        # Asked of the empty page that a new one is: no script of a site has a say in it.
        if scale is None:
            asking = page.evaluate("devicePixelRatio")
            scale = float(await within(seconds, asking, "asking for the scale"))
        options: dict[str, Any] = {
            "deadline": settings.timeouts.capture,
            "scale": scale,
            "settings": settings.capture,
        }
        if isinstance(world, FallbackWorld):
            capture = FallbackCapture(page, world, **options)
        else:
            capture = PageCapture(world.cdp, world, page=page, **options)
        runner = cls(page, world, actions, capture, settings, redactor, encoders, clock, proxy)
        runner.scale, runner._expected, runner._cdp = scale, viewport, cdp
        return runner

    async def run(
        self,
        step: Step,
        ordinal: int,
        *,
        artifacts: Collection[Artifact],
        full_page: bool,
        reconnected: bool = False,
    ) -> Run:
        """Do the step and capture what came of it, also when the action failed.

        The step says so if the runner is the first one on a new connection.
        """
        now = self._clock.now()
        record = ActionRecord(step.kind, ordinal, isoformat(now), label=step.label)
        record.url_before = shown_page_url(self._page.url)
        doing = Doing(step, record, now, artifacts, full_page)
        error = self._unfit_for(step) or await self._act(step, record)
        return await self._see(doing, error, reconnected=reconnected)

    async def see(self, doing: Doing) -> Run:
        """Capture what came of a step that another runner has done on this page, and could not see.

        The step says ``reconnected``.
        """
        doing.record.outcome, doing.record.error = "ok", None
        return await self._see(doing, None, reconnected=True)

    async def _see(
        self, doing: Doing, error: DataCollectionError | None, *, reconnected: bool
    ) -> Run:
        record = doing.record
        wanted = sorted(str(artifact) for artifact in doing.artifacts)
        done = error is None
        settle = await self._settling.settle(self._settings.timeouts.settle)
        record.milliseconds["settle"] = settle.ms
        record.url_after = shown_page_url(self._page.url)
        if not isinstance(error, BrowserCrashed):
            error = self._log.navigation_failure or error
        observation: Observation | None = None
        if not isinstance(error, BrowserCrashed) and may_capture(self._page.url):
            started = time.monotonic()
            try:
                observation = await self._observe(doing)
            except DataCollectionError as err:
                error = error or err
            record.milliseconds["capture"] = _since(started)
        unseen = doing if done and isinstance(error, BrowserCrashed) else None
        log = self._log.take()
        if reconnected:
            log["reconnected"] = True
        # The page may have gone elsewhere while it was read: what was read says where it was.
        at = observation.facts["url"] if observation else self._page.url
        if not may_capture(at):
            observation = None
            error = error or self._log.navigation_failure
            error = error or NavigationFailed("the page could not be opened")
        if refused := _out_of_bounds(at):
            error, log = refused, {}
            await self._leave()
        record.hear(log)
        if error is not None:
            record.outcome = "failed"
            record.error = {"type": type(error).__name__, "message": error.message}
        encoding = asyncio.get_running_loop().run_in_executor(
            self._encoders,
            lambda: self._finish(doing.timestamp, record, settle, observation, log, wanted),
        )
        error = _placed(error, doing.step, record.ordinal, self._redactor)
        return Run(encoding, error, unseen)

    async def _observe(self, doing: Doing) -> Observation:
        screenshot = Artifact.SCREENSHOT in doing.artifacts
        seen = await self._capture.capture(screenshot=screenshot, full_page=doing.full_page)
        if self._expected is not None and seen.facts["viewport"] != self._expected:
            # The end of the old connection has taken its metrics along, after ours were set.
            await self._restore(self._expected)
            seen = await self._capture.capture(screenshot=screenshot, full_page=doing.full_page)
            if seen.facts["viewport"] != self._expected:
                seen.facts["incomplete"] = "the page lost its metrics with the connection"
        self.viewport = seen.facts["viewport"]
        return seen

    async def _restore(self, viewport: dict[str, Any]) -> None:
        if self._cdp is None:
            return
        metrics = {
            "width": viewport["width"],
            "height": viewport["height"],
            "deviceScaleFactor": self.scale,
            "mobile": False,
        }
        setting = self._cdp.send("Emulation.setDeviceMetricsOverride", metrics)
        await within(self._settings.timeouts.capture, setting, "setting the metrics")
        await self._settling.settle(self._settings.timeouts.settle)

    def _unfit_for(self, step: Step) -> DataCollectionError | None:
        """Why the step is not even begun: a page out of bounds is not touched, or there is none."""
        failure = None if isinstance(step, Goto) else self._log.navigation_failure
        return _out_of_bounds(self._page.url) or failure

    async def _leave(self) -> None:
        """Show an empty page. One that cannot be left ends with the session, a moment later."""
        with contextlib.suppress(DataCollectionError):
            await within(
                self._settings.timeouts.close, self._page.goto("about:blank"), "leaving the page"
            )

    async def _act(self, step: Step, record: ActionRecord) -> DataCollectionError | None:
        self._settling.begin()
        try:
            await self._actions.perform(step, record)
        except DataCollectionError as err:
            if self._log.crashed:
                return BrowserCrashed("the page's renderer crashed")
            return err
        return None

    def _finish(
        self,
        timestamp: datetime,
        record: ActionRecord,
        settle: Settle,
        observation: Observation | None,
        log: dict[str, Any],
        wanted: list[str],
    ) -> CapturedStep:
        """Mask, encode and redact; runs in a thread."""
        redact = self._redactor
        page: dict[str, Any] = {"settle": settle.to_dict(), "artifacts": wanted, **log}
        artifacts: dict[str, bytes] = {}
        if observation is not None:
            page |= observation.facts
            if reason := page.get("truncated"):
                page["incomplete"] = f"the page was cut off: {reason}"
            if Artifact.HTML in wanted:
                artifacts[Artifact.HTML] = redact.text(observation.html).encode()
            if missing := page.get("no_screenshot"):
                page["incomplete"] = f"no screenshot: {missing}"
            elif observation.png:
                try:
                    picture = self._pictures.encode(
                        observation.png, observation.masks, scale=observation.scale
                    )
                except InvalidScreenshot as err:
                    # The page is kept; the step says that its picture is not there, and why.
                    page["incomplete"] = f"no screenshot: {err.message}"
                else:
                    artifacts[Artifact.SCREENSHOT] = picture.webp
                    page["screenshot"] = {"width": picture.width, "height": picture.height}
                    if not picture.lossless:
                        page["screenshot"]["lossless"] = False
        action = redact.json(record.to_dict())
        if record.secret is not None:
            action["value"] = MASK
        # So that the catalogue need not read the action's file.
        page["action"] = {key: action[key] for key in ("kind", "selector") if key in action}
        return CapturedStep(
            step_id(record.ordinal, record.kind), timestamp, action, redact.json(page), artifacts
        )


async def _cdp_session(seconds: float, context: BrowserContext, page: Page) -> CDPSession | None:
    """A CDP session; none where the browser knows no CDP: then the fallback captures the page."""
    try:
        async with asyncio.timeout(seconds):
            return await context.new_cdp_session(page)
    except TimeoutError as err:
        raise CaptureTimeout(f"opening a CDP session took longer than {seconds:g} s") from err
    except PlaywrightError as err:
        if is_gone(err):
            raise translate(err, "opening a CDP session") from err
        return None


def _out_of_bounds(url: str) -> NavigationFailed | None:
    if not is_out_of_bounds(url):
        return None
    return NavigationFailed(
        f"the page is at {shown_page_url(url)}", hint="only http and https pages are captured"
    )


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)


def _placed(
    error: DataCollectionError | None, step: Step, ordinal: int, redact: Redactor
) -> DataCollectionError | None:
    """The error, redacted, with the place in the scenario in front of its message.

    It is told to whoever listens, with what caused it: a cause that quotes a secret is left out.
    """
    if error is None:
        return None
    where = f"line {step.line}, " if step.line else ""
    message = redact.text(error.message)
    placed = type(error)(f"{where}step {ordinal} ({step.kind}): {message}", hint=error.hint)
    cause: BaseException | None = error
    while cause is not None and redact.text(str(cause)) == str(cause):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        placed.__cause__ = error
    return placed
