"""A browser that somebody else has started, at a CDP address."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.address_gate import Resolve, checked_addresses, resolve
from checkpoint_assets.collection.browser.cdp_driver import CdpDriver
from checkpoint_assets.collection.browser.deadline import within
from checkpoint_assets.collection.url_gate import check_url_syntax
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    DataCollectionError,
    InvalidUrl,
)

_SCHEMES = ("http", "https", "ws", "wss")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


async def check_cdp_url(url: str, allowed: Collection[str], *, resolver: Resolve = resolve) -> str:
    """The address, if its ``host:port`` is among the allowed ones. Raises ``InvalidUrl``.

    A cloud's metadata address is refused whatever is allowed.
    """
    parts = urlsplit(check_url_syntax(url, _SCHEMES))
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if shown not in allowed:
        raise InvalidUrl(
            f"the browser at {shown} is not allowed", hint="name it in CHECKPOINT_ALLOW_CDP, too"
        )
    await checked_addresses(host, port, allowed, resolver=resolver)
    return url


class CdpBrowser:
    """The browser at ``url``, which ``Settings.allow_cdp`` allows; a session gets a new context.

    On loopback its pages go through the session's proxy, as those of a local browser. The browser
    goes on when the session ends.
    """

    def __init__(
        self, url: str, driver: CdpDriver, settings: Settings, *, resolver: Resolve = resolve
    ) -> None:
        self._url = url
        self._driver = driver
        self._settings = settings
        self._resolver = resolver
        self._browser: Browser | None = None
        self.version: str | None = None

    @property
    def contained(self) -> bool:
        host = urlsplit(self._url).hostname or ""
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return host == "localhost"

    async def start(self) -> None:
        if self._browser is not None and self._browser.is_connected():
            return
        try:
            await check_cdp_url(self._url, self._settings.allow_cdp, resolver=self._resolver)
        except InvalidUrl as err:
            raise BrowserUnavailable(err.message, hint=err.hint) from err
        self._browser = await self._driver.connect(self._url)
        self.version = self._browser.version

    def device(self, name: str) -> dict[str, Any]:
        return self._driver.device(name)

    async def new_context(self, **options: Any) -> BrowserContext:
        await self.start()
        if self._browser is None:
            raise BrowserUnavailable("the browser is gone")
        return await within(
            self._settings.timeouts.launch,
            _new_context(self._browser, options),
            "opening a context",
        )

    async def leave(self, context: BrowserContext) -> None:
        await context.close()

    async def close(self) -> None:
        """Disconnect. Safe to call twice; never raises because the browser is gone."""
        browser, self._browser = self._browser, None
        if browser is not None:
            with contextlib.suppress(DataCollectionError, PlaywrightError):
                await within(self._settings.timeouts.close, browser.close(), "disconnecting")


async def _new_context(browser: Browser, options: dict[str, Any]) -> BrowserContext:
    context = await browser.new_context(accept_downloads=False, service_workers="block", **options)
    await context.grant_permissions([])
    return context
