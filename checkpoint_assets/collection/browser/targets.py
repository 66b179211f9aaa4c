"""Finding the element that a step names, and writing down what it was before the action."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import FrameLocator, Locator, Page

from checkpoint_assets.collection.browser.closed_search import (
    reveal_closed_roots,
    through_closed_roots,
)
from checkpoint_assets.collection.browser.deadline import translate
from checkpoint_assets.collection.browser.selector_ladder import CLUES, ladder
from checkpoint_assets.collection.redaction import (
    PRIVATE_FIELD_NAMES,
    PRIVATE_FIELD_PURPOSES,
)
from checkpoint_assets.model.errors import BrowserCrashed, CaptureTimeout, ElementNotFound

_PAUSE = 0.1
# To look into closed shadow roots is dear: first after so long, then in ever longer pauses.
_FIRST_LOOK = 0.5
# A page gets so long to answer one question, however little of the step's time is left.
_LEAST = 1.0
# More matches than this are not looked at one by one for a visible one.
_MOST = 20

# Only reads. Text of private parts and values of fields stay in the page; of a private element's
# attributes only those get out that say what it is.
_DESCRIBE = (
    f"""(element, [names, purposes]) => {{
  {CLUES}"""
    """
  let secret = false;
  for (let each = element; each; each = each.parentElement || each.getRootNode().host) {
    secret ||= each.matches('[data-private]');
  }
  const hidden = secret || element.type === 'password' ||
    new RegExp(purposes, 'i').test(element.getAttribute('autocomplete') || '') ||
    ['name', 'id'].some(key => new RegExp(names, 'i').test(element.getAttribute(key) || ''));
  const kept = hidden ? /^(id|class|name|type|role|autocomplete|inputmode|for|data-private)$/
    : /^(?!(value|style|srcdoc)$)/;
  const attributes = {};
  for (const {name, value} of element.attributes) {
    if (kept.test(name) && value.length <= 500) attributes[name] = value;
  }
  const boxOf = ({x, y, width, height}) => width || height ? {x, y, width, height} : null;
  const masked = secret || element.querySelector('[data-private]') !== null;
  return {
    tag: element.localName,
    attributes,
    text: masked ? '********' : (element.innerText || '').trim().slice(0, 200),
    private: hidden,
    box: boxOf(element.getBoundingClientRect()),
    framed: window !== window.parent,
    clues: cluesOf(element, hidden || masked),
  };
}"""
)


@dataclass(frozen=True, slots=True)
class Target:
    """The element a step acts on: where it was looked for, by what, and how many matched."""

    scope: Page | FrameLocator
    locator: Locator
    selector: str
    matches: int


async def find_target(
    page: Page,
    selectors: Sequence[str],
    frames: Sequence[str],
    seconds: float,
    *,
    must_be_visible: bool = True,
) -> Target:
    """The first visible match of the first selector that has one, waiting until there is one.

    Shadow roots are pierced, and closed ones, too, where nothing else is found; the target's
    selector then says so. ``frames`` are selectors of nested iframes, outermost first.
    Raises ``ElementNotFound`` with what was tried, ``CaptureTimeout`` if the page does not answer,
    ``BrowserCrashed`` if it is gone.
    """
    scope = in_frames(page, frames)
    deadline = time.monotonic() + seconds
    pause = _FIRST_LOOK
    look_at = min(time.monotonic() + pause, deadline)
    seen = dict.fromkeys(selectors, 0)
    trouble: str | None = None
    while True:
        for selector in selectors:
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), _LEAST)):
                    found = await _visible(scope.locator(selector), must_be_visible)
            except TimeoutError as err:
                raise CaptureTimeout(
                    f"looking for {selector!r} took longer than {seconds:g} s",
                    hint="the page does not answer",
                ) from err
            except PlaywrightError as err:
                translated = translate(err, f"looking for {selector!r}")
                if isinstance(translated, BrowserCrashed):
                    raise translated from err
                if "frame" in err.message.lower() and "selector" not in err.message.lower():
                    # There are two such frames, or the one there was is just being replaced.
                    trouble = translated.message
                    continue
                raise ElementNotFound(
                    f"the selector {selector!r} is not valid: {err.message}"
                ) from err
            seen[selector] = max(seen[selector], found[1])
            if found[0] is not None:
                return Target(scope, found[0], selector, found[1])
        if seconds and time.monotonic() >= look_at:
            if closed := await _in_closed_roots(page, scope, selectors, must_be_visible):
                return closed
            pause *= 2
            look_at = time.monotonic() + pause
        if time.monotonic() >= deadline:
            raise _not_found(seen, frames, seconds, trouble)
        await asyncio.sleep(_PAUSE)


async def find_focus(page: Page) -> Target | None:
    """The element of the page that has the focus, if there is one; that of a frame is not told."""
    locator = page.locator(":focus")
    try:
        async with asyncio.timeout(_LEAST):
            if await locator.count() != 1:
                return None
    except (PlaywrightError, TimeoutError):
        return None  # the key press itself will say what is wrong
    return Target(page, locator, ":focus", 1)


def in_frames(page: Page, frames: Sequence[str]) -> Page | FrameLocator:
    """The innermost of the nested iframes, or the page itself."""
    scope: Page | FrameLocator = page
    for frame in frames:
        scope = scope.frame_locator(frame)
    return scope


async def _visible(locator: Locator, must_be_visible: bool) -> tuple[Locator | None, int]:
    count = await locator.count()
    for index in range(min(count, _MOST)):
        candidate = locator.nth(index)
        if not must_be_visible or await candidate.is_visible():
            return candidate, count
    return None, count


async def _in_closed_roots(
    page: Page, scope: Page | FrameLocator, selectors: Sequence[str], must_be_visible: bool
) -> Target | None:
    try:
        async with asyncio.timeout(_LEAST):
            if not await reveal_closed_roots(page):
                return None
            for selector in filter(None, map(through_closed_roots, selectors)):
                found, count = await _visible(scope.locator(selector), must_be_visible)
                if found is not None:
                    return Target(scope, found, selector, count)
    except (PlaywrightError, TimeoutError):
        return None  # no CDP, or a page too large or too busy: then it is not found there
    return None


def _not_found(
    seen: dict[str, int], frames: Sequence[str], seconds: float, trouble: str | None
) -> ElementNotFound:
    tried = ", ".join(
        f"{selector!r} ({count} hidden)" if count else repr(selector)
        for selector, count in seen.items()
    )
    inside = f" inside {' > '.join(map(repr, frames))}" if frames else ""
    because = f": {trouble}" if trouble else ""
    return ElementNotFound(
        f"no visible element matched {tried}{inside} within {seconds:g} s{because}",
        hint="look at the step's stored page and correct the selector",
    )


async def describe(target: Target) -> dict[str, Any]:
    """What the element is: tag, attributes, text, box (CSS pixels in the main frame's viewport).

    ``alternatives`` are other selectors that lead to it, see ``ladder``; ``frame`` is the URL and
    the name of its frame, if that is not the main one. An element that cannot be described counts
    as private.
    """
    try:
        async with asyncio.timeout(_LEAST):
            # The one of them: this asks once, where `element_handle` waits in polls of its own.
            elements = await target.locator.element_handles()
            if not elements:
                return {"error": "the element was gone again", "private": True}
            element = elements[0]
            described: dict[str, Any] = await element.evaluate(
                _DESCRIBE, [PRIVATE_FIELD_NAMES, PRIVATE_FIELD_PURPOSES]
            )
            if described.pop("framed"):
                # Of the page, not of the frame: the browser has to put the two together.
                described["box"] = await element.bounding_box()
                frame = await element.owner_frame()
                described["frame"] = frame and {"url": frame.url, "name": frame.name}
        clues = described.pop("clues")
        described["alternatives"] = await ladder(target.scope, element, clues)
    except PlaywrightError as err:
        # The action itself will say what is wrong with its target.
        return {"error": err.message.splitlines()[0], "private": True}
    except TimeoutError:
        return {"error": "the page does not answer", "private": True}
    return described
