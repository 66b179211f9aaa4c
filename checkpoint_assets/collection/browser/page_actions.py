"""Doing the steps of a scenario on a page, each before a deadline and each written down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar
from urllib.parse import urljoin

from playwright.async_api import Locator, Page

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.collection.address_gate import Resolve, check_url, resolve
from checkpoint_assets.collection.agent_actions import read_action
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.expectations import (
    Observed,
    expected,
    holds,
    same_url,
)
from checkpoint_assets.collection.browser.targets import (
    Target,
    describe,
    find_focus,
    find_target,
    in_frames,
)
from checkpoint_assets.collection.redaction import MASK, Redactor, redact_url
from checkpoint_assets.collection.steps import (
    Act,
    Check,
    Click,
    Expect,
    Fill,
    Goto,
    Hover,
    Position,
    Press,
    Scroll,
    Select,
    Step,
    Uncheck,
    Upload,
    WaitFor,
)
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import (
    CaptureTimeout,
    DataCollectionError,
    ExpectationFailed,
    InvalidUrl,
    NavigationFailed,
)

S = TypeVar("S")

# An instruction in natural language -> what the agent's framework says it did
Actor = Callable[[str], Awaitable[Any]]

_POLL = 0.1
_SCROLL = "(what, {x, y}) => what.scrollTo({left: x, top: y, behavior: 'instant'})"


class PageActions:
    """Performs steps. ``allowed`` are the private ``host:port`` pairs that may be opened.

    ``timeout`` is for steps that have none of their own, in seconds.
    """

    def __init__(
        self,
        page: Page,
        settings: Settings,
        *,
        base_url: str,
        allowed: frozenset[str],
        secrets: Mapping[str, str],
        redactor: Redactor,
        timeout: float | None = None,
        resolver: Resolve = resolve,
        actor: Actor | None = None,
    ) -> None:
        self._timeout = timeout
        self._resolver = resolver
        self._actor = actor
        self._redactor = redactor
        self._page = page
        self._timeouts = settings.timeouts
        self._base_url = base_url
        self._allowed = allowed
        self._secrets = secrets

    async def perform(self, step: Step, record: ActionRecord) -> None:
        """Do the step, and fill in ``record`` on the way.

        Raises ``NavigationFailed``, ``ElementNotFound``, ``ExpectationFailed``,
        ``CaptureTimeout``, ``BrowserCrashed``, or ``DataCollectionError`` for whatever else the
        browser refuses.
        """
        record.selectors = list(step.selectors)
        record.frames = list(step.frames)
        match step:
            case Goto():
                await self._goto(step, record)
            case WaitFor():
                await self._wait_for(step, record)
            case Expect():
                await self._expect(step, record)
            case Act():
                await self._by_agent(step, record)
            case Press() | Scroll() if not step.selectors:
                await self._on_page(step, record)
            case _:
                await self._on_target(step, record)

    def _seconds(self, step: Step) -> float:
        return step.timeout or self._timeout or self._timeouts.action

    async def _by_agent(self, step: Act, record: ActionRecord) -> None:
        if self._actor is None:
            raise DataCollectionError(
                "`act` needs a Stagehand session", hint="use `source: stagehand`"
            )
        record.value = step.instruction
        record.agent = {"framework": "stagehand", "instruction": step.instruction}
        started = time.monotonic()
        # A model thinks as long as a page loads.
        seconds = step.timeout or self._timeout or self._timeouts.navigation
        try:
            result = await within(seconds, self._actor(step.instruction), "the act")
        finally:
            record.milliseconds["act"] = _since(started)
        record.agent |= read_action(result, kind="act").to_dict()

    async def _goto(self, step: Goto, record: ActionRecord) -> None:
        url = urljoin(self._base_url, step.url)
        record.value = redact_url(url)
        started = time.monotonic()
        try:
            await check_url(url, self._allowed, resolver=self._resolver)
        except InvalidUrl as err:
            raise NavigationFailed(err.message, hint=err.hint) from err
        seconds = step.timeout or self._timeout or self._timeouts.navigation
        try:
            response = await within(
                seconds,
                self._page.goto(url, wait_until="domcontentloaded", timeout=seconds * 1000),
                f"opening {record.value}",
            )
        except DataCollectionError as err:
            if "Download is starting" in err.message:
                raise NavigationFailed(
                    f"{record.value} is a download, and downloads are refused"
                ) from err
            if (reason := re.search(r"net::(ERR_\w+)", err.message)) is None:
                raise
            raise NavigationFailed(
                f"{record.value} cannot be opened: {reason[1]}",
                hint="is the address right, and does the server answer?",
            ) from err
        finally:
            record.milliseconds["act"] = _since(started)
        if response is not None and response.status >= 400:
            raise NavigationFailed(f"{record.value} answered with status {response.status}")

    async def _on_target(self, step: Step, record: ActionRecord) -> None:
        seconds = self._seconds(step)
        hidden_is_fine = isinstance(step, Upload | Select | Check | Uncheck | Scroll)
        target = await self._find(step, record, seconds, must_be_visible=not hidden_is_fine)
        record.describe(await describe(target))
        started = time.monotonic()
        act = self._action(step, target, record)
        if record.is_private and isinstance(step, Press | Select):
            record.value = MASK
        try:
            await within(seconds, act(), f"{step.kind} on {target.selector!r}")
        finally:
            record.milliseconds["act"] = _since(started)

    async def _find(
        self, step: Step, record: ActionRecord, seconds: float, *, must_be_visible: bool = True
    ) -> Target:
        started = time.monotonic()
        try:
            target = await find_target(
                self._page, step.selectors, step.frames, seconds, must_be_visible=must_be_visible
            )
        finally:
            record.milliseconds["locate"] = _since(started)
        record.selector, record.matches = target.selector, target.matches
        return target

    def _action(
        self, step: Step, target: Target, record: ActionRecord
    ) -> Callable[[], Coroutine[Any, Any, Any]]:
        locator = target.locator
        match step:
            case Fill():
                private = record.is_private
                value = self._secrets[step.secret] if step.secret else step.text or ""
                record.secret = step.secret
                record.value = MASK if step.secret or private else value
                if private:
                    # What goes into a private field is a secret wherever else it turns up.
                    self._redactor.add([value])
                if record.target and record.target.get("tag") == "select":
                    # A recording says "change" of a list, too.
                    return lambda: locator.select_option(value)
                return lambda: locator.fill(value)
            case Click():
                options: dict[str, Any] = {
                    "button": step.button,
                    "modifiers": list(step.modifiers) or None,
                    "click_count": step.click_count,
                    "position": step.position,
                }
                record.options = {k: v for k, v in options.items() if v not in (None, "left", 1)}
                return lambda: locator.click(**options)
            case Press():
                record.value = step.key
                return lambda: locator.press(step.key)
            case Select():
                choices = list(step.choices)
                record.value = choices
                if step.by == "label":
                    return lambda: locator.select_option(label=choices)
                # Playwright takes what is no option's value for an option's label.
                return lambda: locator.select_option(choices)
            case Check() | Uncheck():
                record.value = isinstance(step, Check)
                return lambda: locator.set_checked(isinstance(step, Check))
            case Hover():
                return lambda: locator.hover()
            case Scroll():
                record.value = step.place
                return lambda: _scroll(locator, step.place)
            case Upload():
                record.value = list(step.names)
                return lambda: locator.set_input_files([str(file) for file in step.files])
            case _:
                raise AssertionError(f"no action for {step.kind}")

    async def _on_page(self, step: Press | Scroll, record: ActionRecord) -> None:
        if isinstance(step, Press) and (target := await find_focus(self._page)):
            record.describe(await describe(target))
        started = time.monotonic()
        if isinstance(step, Press):
            record.value = MASK if record.is_private else step.key
            call = self._page.keyboard.press(step.key)
        else:
            record.value = place = {**(step.place or {})}
            call = self._page.evaluate(f"(place) => ({_SCROLL})(window, place)", place)
        try:
            await within(self._seconds(step), call, step.kind)
        finally:
            record.milliseconds["act"] = _since(started)

    async def _wait_for(self, step: WaitFor, record: ActionRecord) -> None:
        seconds = self._seconds(step)
        started = time.monotonic()
        record.value = step.state if step.selectors else step.text or step.url
        try:
            if step.url is not None:
                await self._until(self._is_at, step.url, seconds, f"the URL to be {step.url!r}")
            elif step.text is not None:
                # In quotes: without them ">>" and quotes of its own would mean something.
                quoted = json.dumps(" ".join(step.text.split()), ensure_ascii=False)
                await find_target(self._page, [f":text({quoted})"], step.frames, seconds)
            elif step.state in ("hidden", "detached"):
                await self._until(self._is_gone, step, seconds, f"the target to be {step.state}")
            else:
                visible = step.state == "visible"
                target = await self._find(step, record, seconds, must_be_visible=visible)
                record.describe(await describe(target))
        finally:
            record.milliseconds["act"] = _since(started)

    async def _expect(self, step: Expect, record: ActionRecord) -> None:
        seconds = self._seconds(step)
        started = time.monotonic()
        observed = Observed()
        failure: CaptureTimeout | None = None
        record.value = step.expected
        try:
            await self._until(
                lambda each: holds(each, self._page, self._base_url, observed), step, seconds, "it"
            )
        except CaptureTimeout as err:
            failure = err
        finally:
            record.milliseconds["act"] = _since(started)
        hidden = await self._note_target(step, observed, record)
        if failure is not None:
            found = MASK if hidden else observed.shown()
            raise ExpectationFailed(
                f"expected {expected(step)}, found {found}",
                hint=f"it did not come true within {seconds:g} s",
            ) from failure

    async def _note_target(self, step: Expect, observed: Observed, record: ActionRecord) -> bool:
        """Write down what the expectation was about; whether that is nobody's business."""
        if not step.selectors:
            return False
        with contextlib.suppress(DataCollectionError):
            target = observed.target
            if target is None:
                target = await self._find(step, record, 0, must_be_visible=False)
            record.selector, record.matches = target.selector, target.matches
            record.describe(await describe(target))
        hidden = record.is_private or bool(record.target and record.target.get("text") == MASK)
        if hidden:
            # The error quotes what was expected, too.
            self._redactor.add(filter(None, (step.text, step.matches, step.value)))
            record.value = MASK
        return hidden

    async def _is_at(self, url: str) -> bool:
        return same_url(self._page.url, urljoin(self._base_url, url))

    async def _is_gone(self, step: WaitFor) -> bool:
        for selector in step.selectors:
            locator = in_frames(self._page, step.frames).locator(selector)
            if step.state == "detached":
                if await locator.count():
                    return False
            elif any([await each.is_visible() for each in await locator.all()]):
                return False
        return True

    async def _until(
        self, condition: Callable[[S], Awaitable[bool]], subject: S, seconds: float, what: str
    ) -> None:
        """Ask again and again until it is so. Raises ``CaptureTimeout``."""

        async def ask() -> None:
            while not await condition(subject):  # noqa: ASYNC110 (the page has no event for it)
                await asyncio.sleep(_POLL)

        await within(seconds, ask(), f"waiting for {what}")


async def _scroll(locator: Locator, place: Position | None) -> None:
    if place is None:
        await locator.scroll_into_view_if_needed()
    else:
        await locator.evaluate(_SCROLL, {**place})


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
