"""A data source over a browser elsewhere: same steps, same captures as with a local one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from checkpoint_assets.collection.browser.document_gate import NOT_FILTERED
from checkpoint_assets.collection.browser.local_source import LocalBrowserSource
from checkpoint_assets.collection.browser.session_browser import SessionBrowser
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.errors import DataCollectionError
from checkpoint_assets.runtime.cleanup import to_the_end

# A session is left so many seconds before it ends by itself.
MARGIN = 5.0


class RemoteBrowser(SessionBrowser, Protocol):
    """A session's own connection to a browser elsewhere."""

    async def close(self) -> None:
        """Let go of it. Never raises because the other side is gone."""
        ...


class RemoteSource:
    """Runs one scenario in the browser, and closes it. Keeps the contract of ``IDataSource``.

    Takes what :class:`LocalBrowserSource` takes. ``remote`` is for the manifest.
    """

    def __init__(
        self,
        scenario: Scenario,
        browser: RemoteBrowser,
        settings: Settings,
        *,
        clock: Clock = system_clock,
        **more: Any,
    ) -> None:
        self._scenario = scenario
        self._browser = browser
        self._clock = clock
        self._source = LocalBrowserSource(scenario, browser, settings, clock=clock, **more)
        self._stream: AsyncGenerator[CollectedData, None] | None = None

    @property
    def remote(self) -> dict[str, Any]:
        """Ids and links of the session elsewhere, and what of its network was not filtered."""
        words = dict(getattr(self._browser, "remote", {}))
        return words if self._browser.contained else {**words, "not_filtered": list(NOT_FILTERED)}

    def get_source_id(self) -> str:
        return f"{self._scenario.source}:{self._scenario.name}"

    async def connect(self) -> None:
        try:
            await self._source.connect()
        except BaseException:
            await to_the_end(asyncio.ensure_future(self.disconnect()))
            raise

    async def disconnect(self) -> None:
        try:
            await self._source.disconnect()
        finally:
            await self._browser.close()

    async def collect(self) -> CollectedData:
        if self._stream is None:
            self._stream = self.collect_stream()
        return await anext(self._stream)

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        expires_at: datetime | None = getattr(self._browser, "expires_at", None)
        while True:
            try:
                async with asyncio.timeout(self._left(expires_at)):
                    step = await self._source.collect()
            except StopAsyncIteration:
                return
            except TimeoutError as err:
                raise DataCollectionError(
                    "the remote session was about to expire",
                    hint="the plan or the project allows no longer ones: split the scenario",
                ) from err
            yield replace(step, source_id=self.get_source_id())

    def _left(self, expires_at: datetime | None) -> float | None:
        if expires_at is None:
            return None
        return max((expires_at - self._clock.now()).total_seconds() - MARGIN, 0)
