"""A page that somebody else drives: captured when it changes, and never touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Self

from playwright.async_api import CDPSession, Dialog, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.page_capture import PageCapture
from checkpoint_assets.collection.browser.page_log import PageLog
from checkpoint_assets.collection.browser.screenshot import ScreenshotEncoder
from checkpoint_assets.collection.browser.settling import Settling
from checkpoint_assets.collection.browser.step_runner import CapturedStep, StepRunner
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.url_gate import may_capture, shown_page_url
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import DataCollectionError, NavigationFailed

Change = Literal["navigate", "change"]
Tell = Callable[["WatchedPage", Change], None]

# In our own world, where no script of the page sees it: tells once, until it is armed again.
_WATCH = """(() => {
  if (Object.hasOwn(globalThis, 'checkpointArm')) { checkpointArm(); return; }
  let armed = true;
  const tell = () => { if (armed) { armed = false; checkpointChanged('change'); } };
  new MutationObserver(tell).observe(document,
    { subtree: true, childList: true, attributes: true, characterData: true });
  for (const kind of ['input', 'change', 'scroll', 'toggle']) {
    document.addEventListener(kind, tell, { capture: true, passive: true });
  }
  Object.defineProperty(globalThis, 'checkpointArm', { value: () => { armed = true; } });
})()"""


class WatchedPage(StepRunner):
    """Captures a page as ``StepRunner`` does, without doing anything on it.

    ``target_id`` is CDP's, which Stagehand calls the page's id. Dialogs are left to the driver.
    """

    def __init__(
        self,
        page: Page,
        cdp: CDPSession,
        capture: PageCapture,
        world: IsolatedWorld,
        settings: Settings,
        redactor: Redactor,
        encoders: ThreadPoolExecutor,
        clock: Clock,
        target_id: str,
        tell: Tell,
    ) -> None:
        # Not the base's: its log of the page would answer dialogs.
        self._page = page
        self._cdp = cdp
        self._world = world
        self._capture = capture
        self._settling = Settling(page, world)
        self._log = _WatchedLog(page)
        self._settings = settings
        self._redactor = redactor
        self._encoders = encoders
        self._pictures = ScreenshotEncoder(settings.capture)
        self._clock = clock
        self._tell = tell
        self.target_id = target_id
        page.on("domcontentloaded", self._navigated)
        cdp.on("Runtime.bindingCalled", self._changed)

    @classmethod
    async def watch(
        cls,
        page: Page,
        settings: Settings,
        redactor: Redactor,
        encoders: ThreadPoolExecutor,
        clock: Clock,
        tell: Tell,
    ) -> Self:
        """Begin to watch the page; ``tell`` is called at each change. Raises
        ``DataCollectionError``."""
        seconds = settings.timeouts.launch
        cdp = await within(seconds, page.context.new_cdp_session(page), "attaching to a page")
        world = IsolatedWorld(cdp)
        target = await within(seconds, cdp.send("Target.getTargetInfo"), "asking for the page")
        binding = {"name": "checkpointChanged", "executionContextName": "checkpoint"}
        await within(seconds, cdp.send("Runtime.enable"), "attaching to a page")
        await within(seconds, cdp.send("Runtime.addBinding", binding), "attaching to a page")
        scale = await within(seconds, world.evaluate("devicePixelRatio"), "asking its scale")
        capture = PageCapture(
            cdp,
            world,
            deadline=settings.timeouts.capture,
            scale=float(scale or 1),
            page=page,
            settings=settings.capture,
        )
        watched = cls(
            page,
            cdp,
            capture,
            world,
            settings,
            redactor,
            encoders,
            clock,
            target["targetInfo"]["targetId"],
            tell,
        )
        await watched.arm()
        return watched

    @property
    def url(self) -> str:
        return shown_page_url(self._page.url)

    @property
    def closed(self) -> bool:
        return self._page.is_closed()

    async def arm(self) -> None:
        """Tell of the next change again. A page that is gone, or just going, has none."""
        with contextlib.suppress(DataCollectionError, PlaywrightError):
            await within(
                self._settings.timeouts.close,
                self._world.evaluate(_WATCH),
                "watching the page",
            )

    async def observe(self, record: ActionRecord, artifacts: Collection[Artifact]) -> CapturedStep:
        """The page now, when it has come to rest. Raises ``DataCollectionError``."""
        settle = await self._settling.settle(self._settings.timeouts.settle)
        record.milliseconds["settle"] = settle.ms
        record.url_after = self.url
        if not may_capture(self._page.url):
            raise NavigationFailed("the page shows nothing that may be captured")
        observation = await self._capture.capture(screenshot=Artifact.SCREENSHOT in artifacts)
        if not may_capture(observation.facts["url"]):
            raise NavigationFailed("the page shows nothing that may be captured")
        log = self._log.take()
        record.hear(log)
        self._settling.begin()
        return await _in_thread(
            self._encoders,
            lambda: self._finish(
                self._clock.now(), record, settle, observation, log, sorted(map(str, artifacts))
            ),
        )

    def _navigated(self, _: Page) -> None:
        self._tell(self, "navigate")

    def _changed(self, event: dict[str, Any]) -> None:
        if event.get("name") == "checkpointChanged":
            self._tell(self, "change")


class _WatchedLog(PageLog):
    """Hears what a page says, and answers nothing."""

    def _dialog(self, dialog: Dialog) -> None:
        # That somebody listens keeps Playwright from answering it for us.
        self._add("dialogs", type=dialog.type, message=dialog.message)

    def _popup(self, popup: Page) -> None:
        self._add("popups", url=popup.url)


async def _in_thread(
    encoders: ThreadPoolExecutor, work: Callable[[], CapturedStep]
) -> CapturedStep:
    return await asyncio.get_running_loop().run_in_executor(encoders, work)
