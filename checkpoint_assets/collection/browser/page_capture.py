"""Reading one instant of a page: its DOM and its pixels, without changing either."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession

from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.picture import Picture, take_picture
from checkpoint_assets.collection.redaction import (
    PRIVATE_FIELD_NAMES,
    PRIVATE_FIELD_PURPOSES,
)

PRIVATE_SELECTORS = ("[data-private]",)
MAX_NODES = 200_000
MAX_HTML = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Observation:
    """What one instant of a page looked like.

    ``png`` is empty if no picture was asked for. ``masks`` are boxes in CSS pixels of the picture,
    ``scale`` says how many of the picture's pixels make one of these. ``facts`` is plain JSON about
    the page and the capture.
    """

    html: str
    png: bytes
    masks: Sequence[dict[str, Any]]
    scale: float
    facts: dict[str, Any]


class PageCapture:
    """Captures one page, over CDP. The page's DOM, style sheets and prototypes stay as they are.

    ``scale`` is the page's device pixel ratio.
    """

    def __init__(
        self, cdp: CDPSession, world: IsolatedWorld, *, deadline: float, scale: float = 1
    ) -> None:
        self._scale = scale
        self._cdp = cdp
        self._world = world
        self._deadline = deadline

    async def capture(self, *, screenshot: bool = True, full_page: bool = False) -> Observation:
        """The page now. If it changed while it was read it is read once more, and labelled.

        Raises ``CaptureTimeout`` past the deadline, ``BrowserCrashed`` if the page is gone.
        """
        return await within(self._deadline, self._steady(screenshot, full_page), "the capture")

    async def _steady(self, screenshot: bool, full_page: bool) -> Observation:
        retries = 0
        while True:
            page, picture = await asyncio.gather(
                self._world.call("capture", self._options()),
                self._picture(full_page) if screenshot else _no_picture(),
            )
            mutations = await self._world.call("mutationsSince")
            if mutations == 0 or retries:
                return _observation(page, picture, mutations, retries, full_page)
            retries += 1

    def _options(self) -> dict[str, Any]:
        return {
            "privateNames": PRIVATE_FIELD_NAMES,
            "privatePurposes": PRIVATE_FIELD_PURPOSES,
            "privateSelectors": list(PRIVATE_SELECTORS),
            "canvas": True,
            "maxNodes": MAX_NODES,
            "maxLength": MAX_HTML,
        }

    async def _picture(self, full_page: bool) -> Picture:
        return await take_picture(self._cdp, self._scale, full_page=full_page)


async def _no_picture() -> Picture:
    return Picture()


def _observation(
    page: dict[str, Any], picture: Picture, mutations: int | None, retries: int, full_page: bool
) -> Observation:
    redactions = [{"rule": rule, "count": n} for rule, n in sorted(page["redactions"].items())]
    facts = {
        "url": page["url"],
        "base_url": page["base_url"],
        "title": page["title"],
        "scroll": page["scroll"],
        "viewport": page["viewport"],
        "document": page["document"],
        "counts": page["counts"],
        "redactions": redactions,
        # No number: the page gave way to another one while it was read.
        "consistency": {"mutations": mutations, "retries": retries},
        "full_page": full_page,
    }
    if page["truncated"]:
        facts["truncated"] = page["truncated"]
    if page["lone_surrogates"]:
        facts["lone_surrogates"] = True
    if picture.clipped:
        facts["clipped"] = True
    masks = picture.boxes(page["masks"])
    return Observation(page["html"], picture.png, masks, picture.scale, facts)
