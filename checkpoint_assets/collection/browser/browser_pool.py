"""Browsers that sessions share, many at once and one after another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import DataCollectionError
from checkpoint_assets.runtime.cleanup import to_the_end

_MIB = 1024 * 1024


@dataclass(eq=False, slots=True)
class Lease:
    """A session's place in a browser.

    ``had_company`` is whether other sessions were in it meanwhile.
    """

    chromium: LocalChromium
    had_company: bool = False
    version: str | None = None
    _began_in: Browser | None = None

    @property
    def contained(self) -> bool:
        """See ``LocalChromium.contained``."""
        return self.chromium.contained

    async def start(self) -> None:
        """Start the browser, if it does not run. Raises ``BrowserUnavailable``."""
        await self.chromium.start()

    def device(self, name: str) -> dict[str, Any]:
        """See ``LocalChromium.device``."""
        return self.chromium.device(name)

    async def new_context(self, **options: Any) -> BrowserContext:
        """See ``LocalChromium.new_context``."""
        context = await self.chromium.new_context(**options)
        self._began_in = context.browser
        self.version = self.chromium.version
        return context

    async def leave(self, context: BrowserContext) -> None:
        """See ``LocalChromium.leave``."""
        await self.chromium.leave(context)

    @property
    def lost(self) -> bool:
        """Whether the browser that the session began in is gone."""
        return self._began_in is not None and not self._began_in.is_connected()


@dataclass(eq=False, slots=True)
class _Shared:
    """A browser, and who is in it."""

    chromium: LocalChromium
    alone: bool
    leases: set[Lease] = field(default_factory=set[Lease])
    begun: int = 0
    retired: bool = False


class BrowserPool:
    """At most ``settings.browsers.size`` browsers with ``sessions`` places each.

    Use it as an async context manager, inside one event loop. A browser starts with the first
    session in it. After ``recycle_after`` sessions, above ``recycle_above`` MiB, and if it is gone
    or does not answer, it gets no more sessions and is ended when the last one has left.
    """

    def __init__(
        self, settings: Settings, *, chromium: Callable[[Settings], LocalChromium] = LocalChromium
    ) -> None:
        self._settings = settings
        self._limits = settings.browsers
        self._chromium = chromium
        self._browsers: list[_Shared] = []
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def lease(self, *, alone: bool = False) -> AsyncGenerator[Lease, None]:
        """A place in a browser, as soon as there is one; ``alone``: in one that nobody else uses.

        The browser is not started yet.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._has_place(alone))
            shared = self._place(alone)
            lease = Lease(shared.chromium, had_company=bool(shared.leases))
            for other in shared.leases:
                other.had_company = True
            shared.leases.add(lease)
            shared.begun += 1
        try:
            yield lease
        finally:
            await to_the_end(asyncio.ensure_future(self._leave(shared, lease)))

    def _has_place(self, alone: bool) -> bool:
        return len(self._browsers) < self._limits.size or self._free(alone) is not None

    def _place(self, alone: bool) -> _Shared:
        shared = self._free(alone)
        if shared is None:
            shared = _Shared(self._chromium(self._settings), alone)
            self._browsers.append(shared)
        shared.alone = alone
        return shared

    def _free(self, alone: bool) -> _Shared | None:
        """A running browser with a place: the fullest, so that there are few."""
        most = 1 if alone else self._limits.sessions
        free = [
            each
            for each in self._browsers
            if not each.retired and len(each.leases) < most and not (each.alone and each.leases)
        ]
        return max(free, key=lambda each: len(each.leases), default=None)

    async def _leave(self, shared: _Shared, lease: Lease) -> None:
        fit = await self._fit(shared, lease)
        shared.retired |= not fit
        shared.leases.discard(lease)
        if shared.retired and not shared.leases:
            await shared.chromium.close()
            if shared in self._browsers:
                self._browsers.remove(shared)
        async with self._changed:
            self._changed.notify_all()

    async def _fit(self, shared: _Shared, lease: Lease) -> bool:
        """Whether the browser may take more sessions."""
        if shared.begun >= self._limits.recycle_after or lease.lost:
            return False
        if shared.chromium.running is None:
            return True  # it was never started, and can be
        try:
            return await shared.chromium.memory() <= self._limits.recycle_above * _MIB
        except DataCollectionError:
            return False

    async def close(self) -> None:
        """End all browsers, also those with sessions in them. Safe to call twice."""
        await to_the_end(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        browsers, self._browsers = self._browsers, []
        await asyncio.gather(*(each.chromium.close() for each in browsers))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
