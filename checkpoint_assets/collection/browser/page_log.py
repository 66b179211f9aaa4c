"""What a page says while it runs: console errors, exceptions, failed requests, dialogs."""

from __future__ import annotations

import asyncio
from typing import Any

from playwright.async_api import ConsoleMessage, Dialog, Page, Request, Response
from playwright.async_api import Error as PlaywrightError

MAX_ENTRIES = 50
MAX_TEXT = 2000


class PageLog:
    """Collects since the last :meth:`take`. Dialogs are dismissed, so that none blocks the page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._dropped = 0
        self._status: int | None = None
        self._dismissals: set[asyncio.Task[None]] = set()
        self.crashed = False
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("requestfailed", self._request_failed)
        page.on("response", self._response)
        page.on("dialog", self._dialog)
        page.on("crash", self._crash)

    def take(self) -> dict[str, Any]:
        """Everything since the last call, as plain JSON, and ``status`` of the main document."""
        taken: dict[str, Any] = {**self._entries}
        if self._dropped:
            taken["dropped"] = self._dropped
        if self._status is not None:
            taken["status"] = self._status
        self._entries, self._dropped, self._status = {}, 0, None
        return taken

    def _add(self, kind: str, **entry: Any) -> None:
        entries = self._entries.setdefault(kind, [])
        if len(entries) < MAX_ENTRIES:
            short = {k: v[:MAX_TEXT] if isinstance(v, str) else v for k, v in entry.items()}
            entries.append(short)
        else:
            self._dropped += 1

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._add("console_errors", text=message.text)

    def _page_error(self, error: PlaywrightError) -> None:
        self._add("page_errors", text=error.message)

    def _request_failed(self, request: Request) -> None:
        self._add("failed_requests", url=request.url, error=request.failure or "")

    def _response(self, response: Response) -> None:
        request = response.request
        if request.is_navigation_request() and request.frame == self._page.main_frame:
            self._status = response.status
        elif response.status >= 400:
            self._add("failed_requests", url=response.url, status=response.status)

    def _dialog(self, dialog: Dialog) -> None:
        self._add("dialogs", type=dialog.type, message=dialog.message)
        task = asyncio.ensure_future(self._dismiss(dialog))
        self._dismissals.add(task)
        task.add_done_callback(self._dismissals.discard)

    async def _dismiss(self, dialog: Dialog) -> None:
        try:
            await dialog.dismiss()
        except PlaywrightError:
            return  # the page closed first, and its dialog with it

    def _crash(self, _: Page) -> None:
        self.crashed = True
