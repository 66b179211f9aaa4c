"""The functions of ``page_world.js`` where there is no CDP: in the page's own world."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import JSHandle, Page

from checkpoint_assets.collection.browser.isolated_world import PAGE_WORLD

_SOURCE = f'() => {{ "use strict";\n{PAGE_WORLD}\nreturn makeWorld(); }}'
_CALL = "(world, [name, values]) => world[name](...values)"
# What Playwright says when the page has navigated under a call.
_NAVIGATED = ("Execution context was destroyed", "Cannot find context", "JSHandle is disposed")
_TRIES = 20


class FallbackWorld:
    """Calls the functions of ``page_world.js`` in the page's main frame, by Playwright alone.

    The page finds no name of ours and no change, but it could have changed what we rely on, such
    as the methods of ``Node``. No deadline of its own.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._world: JSHandle | None = None

    async def call(self, function: str, *arguments: Any) -> Any:
        """The function's result. A navigation in between starts it again in the new page."""
        for remaining in range(_TRIES, 0, -1):
            try:
                if self._world is None:
                    self._world = await self._page.evaluate_handle(_SOURCE)
                return await self._world.evaluate(_CALL, [function, list(arguments)])
            except PlaywrightError as err:
                if remaining == 1 or not any(sign in err.message for sign in _NAVIGATED):
                    raise
                self._world = None
        raise AssertionError("the loop returns or raises")
