"""A session in Browserbase that Stagehand can act in: `source: stagehand`."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from dataclasses import dataclass, field
from typing import Any

from browserbase import BrowserbaseError

from checkpoint_assets.collection.browser.browserbase_browser import BrowserbaseBrowser
from checkpoint_assets.collection.browser.browserbase_client import translated
from checkpoint_assets.collection.browser.browserbase_sessions import BrowserbaseSessions
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    DataCollectionError,
    InvalidConfiguration,
)


@dataclass(frozen=True, slots=True)
class StagehandModel:
    """The model that Stagehand asks: its name, or an async callback; and the key for it."""

    model: Any
    api_key: str | None = field(default=None, repr=False)


def stagehand_package() -> Any:
    """The package, which is an extra. Raises ``InvalidConfiguration`` where it is not installed."""
    try:
        return importlib.import_module("stagehand")
    except ImportError as err:
        raise InvalidConfiguration(
            "`source: stagehand` needs the package stagehand",
            hint="pip install 'checkpoint-assets[stagehand]'",
        ) from err


class StagehandBrowser(BrowserbaseBrowser):
    """A ``BrowserbaseBrowser`` with Stagehand's extension in it, and ``model`` to ask."""

    def __init__(
        self,
        session_id: str,
        sessions: BrowserbaseSessions,
        driver: CdpDriver,
        settings: Settings,
        redactor: Redactor,
        model: StagehandModel,
    ) -> None:
        super().__init__(session_id, sessions, driver, settings, redactor)
        redactor.add([model.api_key] if model.api_key else [])
        self._package = stagehand_package()
        self._model = model
        self._extension_id: str | None = None
        self._agent: Any = None

    async def reserve(self) -> None:
        if self._extension_id is None and self._failure is None:
            archive = ("stagehand.zip", self._package.get_extension_archive())
            try:
                extension = await self._sessions.client.extensions.create(file=archive)
            except BrowserbaseError as err:
                self._failure = translated(err, "uploading Stagehand's extension")
                return
            self._extension_id = extension.id
        await super().reserve()

    async def _create(self) -> Any:
        return await self._sessions.create(self._session_id, extension_id=self._extension_id)

    async def start(self) -> None:
        await super().start()
        if self._agent is not None:
            return
        client = self._sessions.client
        try:
            async with asyncio.timeout(self._settings.timeouts.launch):
                handle = await self._package.browserbase.connect(
                    api_key=client.api_key,
                    base_url=str(client.base_url).rstrip("/"),
                    session_id=self._session.id,
                )
                self._agent = await self._package.Stagehand.create(
                    browser=handle, model=self._model.model, model_api_key=self._model.api_key
                )
        except Exception as err:  # noqa: BLE001 (Stagehand has no tree of errors of its own)
            raise BrowserUnavailable(
                f"Stagehand did not start: {type(err).__name__}", hint="does the session run?"
            ) from None

    async def act(self, instruction: str) -> Any:
        """What Stagehand says it has done. Raises ``DataCollectionError`` if it did not."""
        try:
            result = await self._agent.act(instruction)
        except Exception as err:
            # The same: an error of the model, of the extension, or of the page.
            text = str(err).splitlines()[0][:200] if str(err) else type(err).__name__
            raise DataCollectionError(f"Stagehand could not act: {text}") from err
        if not result.data.success:
            raise DataCollectionError(f"Stagehand could not act: {result.data.message[:200]}")
        return result

    async def _close(self) -> None:
        agent, self._agent = self._agent, None
        if agent is not None:
            # Not its browser handle: to close that would release the session in our place.
            with contextlib.suppress(Exception):  # it may be gone, in any way
                async with asyncio.timeout(self._settings.timeouts.close):
                    await agent.close()
        await super()._close()
        if self._extension_id is not None:
            with contextlib.suppress(BrowserbaseError):
                await self._sessions.client.extensions.delete(self._extension_id)
