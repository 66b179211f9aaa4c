"""What can be kept from the pages of a browser elsewhere: documents at addresses out of bounds.

The network of such a browser is not ours, so no proxy checks its connections. Over CDP each
document that a page or a frame in it asks for is held, hop by hop, until its address was checked.
Names are looked up here, which may differ from what the browser finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.address_gate import Resolve, check_url, resolve
from checkpoint_assets.collection.browser.forward_proxy import Unreached
from checkpoint_assets.collection.url_gate import scheme_of
from checkpoint_assets.model.errors import InvalidUrl

# Said in the manifest.
NOT_FILTERED = (
    "images, scripts, requests of scripts",
    "web sockets",
    "workers",
    "frames in processes of their own, after their first document",
    "the first document of a popup",
)
_DOCUMENTS = {"patterns": [{"urlPattern": "*", "resourceType": "Document"}]}
_PORTS = {"http": 80, "https": 443}
# Scheme, host and port.
_Place = tuple[str, str, int]


class DocumentGate:
    """Lets pages open public addresses and ``allowed`` private ``host:port`` pairs."""

    def __init__(self, allowed: Collection[str] = (), *, resolver: Resolve = resolve) -> None:
        self._allowed = frozenset(allowed)
        self._resolver = resolver
        # What was found of each host and port: names are looked up once in a session.
        self._verdicts: dict[_Place, asyncio.Task[Unreached | None]] = {}
        self._refused: dict[_Place, Unreached] = {}
        self._refusals: dict[Unreached, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def guard(self, page: Page) -> None:
        """Check the documents of the page and, as soon as they are there, of its popups."""
        await self._guard(page)
        page.context.on("page", lambda popup: self._start(self._guard_popup(popup)))

    async def _guard(self, page: Page) -> None:
        cdp = await page.context.new_cdp_session(page)

        def paused(event: dict[str, Any]) -> None:
            self._start(self._decide(cdp, event))

        cdp.on("Fetch.requestPaused", paused)
        await cdp.send("Fetch.enable", _DOCUMENTS)

    async def _guard_popup(self, popup: Page) -> None:
        try:
            await self._guard(popup)
        except PlaywrightError:
            return  # it is gone already

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _decide(self, cdp: CDPSession, event: dict[str, Any]) -> None:
        request = {"requestId": event["requestId"]}
        refusal = await self._verdict(event["request"]["url"])
        try:
            if refusal is None:
                await cdp.send("Fetch.continueRequest", request)
                return
            self._refusals[refusal] = self._refusals.get(refusal, 0) + 1
            await cdp.send("Fetch.failRequest", {**request, "errorReason": "BlockedByClient"})
        except PlaywrightError:
            return  # the page is gone, and its request with it

    async def _verdict(self, url: str) -> Unreached | None:
        place = _place(url)
        if place is None:
            return None  # nothing is asked of any host
        if place not in self._verdicts:
            self._verdicts[place] = asyncio.ensure_future(self._check(place))
        return await asyncio.shield(self._verdicts[place])

    async def _check(self, place: _Place) -> Unreached | None:
        scheme, host, port = place
        name = f"[{host}]" if ":" in host else host
        try:
            await check_url(f"{scheme}://{name}:{port}/", self._allowed, resolver=self._resolver)
        except InvalidUrl as err:
            refused = Unreached(host, port, err.message, refused=True, hint=err.hint)
            self._refused[place] = refused
            return refused
        return None

    def unreached(self, url: str) -> Unreached | None:
        """Why documents of the URL's host and port are refused; ``None`` if they are not."""
        place = _place(url)
        return self._refused.get(place) if place else None

    def take_refusals(self) -> dict[Unreached, int]:
        """What was refused since the last call, and how many times."""
        refusals, self._refusals = self._refusals, {}
        return refusals


def _place(url: str) -> _Place | None:
    scheme = scheme_of(url)
    if scheme not in _PORTS:
        return None
    try:
        parts = urlsplit(url)
        return scheme, parts.hostname or "", parts.port or _PORTS[scheme]
    except ValueError:
        return scheme, "", 0  # which is refused
