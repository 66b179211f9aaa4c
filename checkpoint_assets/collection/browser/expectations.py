"""Checking what an ``expect`` step says of the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from playwright.async_api import Page

from checkpoint_assets.collection.browser.pattern_search import is_found
from checkpoint_assets.collection.browser.targets import Target, in_frames
from checkpoint_assets.collection.steps import Expect

_SHOWN = 200
_MOST = 20


@dataclass(slots=True)
class Observed:
    """What was there when the expectation was last looked at, and in which element."""

    target: Target | None = None
    found: str | None = None
    looked: bool = False
    # Texts in which the pattern was looked for in vain.
    without: set[str] = field(default_factory=set[str])

    def shown(self) -> str:
        """For a message."""
        if self.found is not None:
            return repr(self.found[:_SHOWN])
        return "no such element" if self.looked else "no answer from the page"


def expected(step: Expect) -> str:
    """The expectation in words."""
    target = " or ".join(repr(selector) for selector in step.selectors)
    return f"{step.expected} in {target}" if target else step.expected


async def holds(step: Expect, page: Page, base_url: str, observed: Observed) -> bool:
    """Whether the expectation is true now. ``observed`` is told what there was instead."""
    if step.url is not None:
        observed.found = page.url
        return same_url(page.url, urljoin(base_url, step.url))
    if step.title is not None:
        observed.found = await page.title()
        return step.title in observed.found
    scope = in_frames(page, step.frames)
    counts: list[int] = []
    seen = False
    for selector in step.selectors:
        matches = scope.locator(selector)
        counts.append(await matches.count())
        for index in range(min(counts[-1], _MOST)):
            each = matches.nth(index)
            visible = await each.is_visible()
            seen = seen or visible
            if step.visible is not None or step.count is not None or not visible:
                continue
            observed.target = Target(scope, each, selector, counts[-1])
            if step.value is not None:
                observed.found = await each.input_value(timeout=1000)
                if observed.found == step.value:
                    return True
                continue
            observed.found = " ".join((await each.inner_text(timeout=1000)).split())
            if step.matches is not None and await _matches(step.matches, observed):
                return True
            if step.text is not None and " ".join(step.text.split()) in observed.found:
                return True
    observed.looked = True
    if step.count is not None:
        observed.found = str(sum(counts))
        return sum(counts) == step.count
    if step.visible is not None:
        observed.found = "visible" if seen else "hidden"
        return seen == step.visible
    return False


async def _matches(pattern: str, observed: Observed) -> bool:
    text = observed.found or ""
    if text in observed.without:
        return False
    if await is_found(pattern, text):
        return True
    observed.without.add(text)
    return False


def same_url(found: str, wanted: str) -> bool:
    """Whether the two are the same page; a query or fragment counts only where it is asked for."""
    have, want = urlsplit(found), urlsplit(wanted)
    return urlunsplit(
        (
            have.scheme,
            have.netloc,
            have.path or "/",
            have.query if want.query else "",
            have.fragment if want.fragment else "",
        )
    ) == urlunsplit((want.scheme, want.netloc, want.path or "/", want.query, want.fragment))
