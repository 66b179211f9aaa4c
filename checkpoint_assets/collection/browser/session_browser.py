"""What a session needs of a browser, wherever that runs."""

from __future__ import annotations

from typing import Any, Protocol

from playwright.async_api import BrowserContext


class SessionBrowser(Protocol):
    """A browser for sessions: a local one, a place in a pool, one at a CDP address, a remote one.

    ``contained``: it is on this machine, so its pages must go through the session's proxy.
    """

    @property
    def contained(self) -> bool: ...

    @property
    def version(self) -> str | None:
        """The browser's version, once it runs."""
        ...

    async def start(self) -> None:
        """Start or reach it. Twice is fine. Raises ``DataCollectionError``."""
        ...

    def device(self, name: str) -> dict[str, Any]:
        """Playwright's settings for the named device. Raises ``InvalidScenario``."""
        ...

    async def new_context(self, **options: Any) -> BrowserContext:
        """A context with these options of Playwright. Raises ``DataCollectionError``."""
        ...

    async def leave(self, context: BrowserContext) -> None:
        """Let go of the context."""
        ...
