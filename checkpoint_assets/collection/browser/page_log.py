"""What a page says and asks for while it runs: errors, requests, dialogs, downloads, popups."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from playwright.async_api import (
    ConsoleMessage,
    Dialog,
    Download,
    Page,
    Request,
    Response,
    WebSocket,
)
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.document_gate import DocumentGate
from checkpoint_assets.collection.browser.forward_proxy import ForwardProxy
from checkpoint_assets.collection.redaction import redact_url
from checkpoint_assets.model.errors import NavigationFailed

MAX_ENTRIES = 50
MAX_TEXT = 2000
MAX_POPUPS = 10
# What Chromium says of every connection that the proxy did not make.
_NO_CONNECTION = "net::ERR_SOCKS_CONNECTION_FAILED"
# A navigation that gave way to another one, or to a download: the page is still there.
_GAVE_WAY = "net::ERR_ABORTED"


class PageLog:
    """Collects since the last :meth:`take`.

    Dialogs are answered, so that none blocks the page: dismissed, but for the question whether to
    leave. Popups beyond ``MAX_POPUPS`` are closed.
    ``navigation_failure`` is why the page's last navigation came to nothing, until another one is
    answered; ``crashed`` is whether its renderer crashed.
    """

    def __init__(self, page: Page, proxy: ForwardProxy | DocumentGate | None = None) -> None:
        self._page = page
        self._proxy = proxy
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._dropped = 0
        self._status: int | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self._blocked: set[tuple[str, int]] = set()
        self.navigation_failure: NavigationFailed | None = None
        self.crashed = False
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("requestfailed", self._request_failed)
        page.on("websocket", self._web_socket)
        page.on("response", self._response)
        page.on("dialog", self._dialog)
        page.on("crash", self._crash)
        page.on("download", self._download)
        page.context.on("page", self._popup)

    def take(self) -> dict[str, Any]:
        """Everything since the last call, as plain JSON, and ``status`` of the main document."""
        self._add_refusals()
        taken: dict[str, Any] = {**self._entries}
        if self._dropped:
            taken["dropped"] = self._dropped
        if self._status is not None:
            taken["status"] = self._status
        self._entries, self._dropped, self._status = {}, 0, None
        self._blocked.clear()
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
        failure = request.failure or ""
        error = self._failed(request.url, failure)
        if self._is_document(request) and failure != _GAVE_WAY:
            self.navigation_failure = error

    def _web_socket(self, socket: WebSocket) -> None:
        def failed(failure: str) -> None:
            self._failed(socket.url, failure)

        socket.on("socketerror", failed)

    def _failed(self, url: str, failure: str) -> NavigationFailed:
        """Note that a request came to nothing; the result is what that means for a navigation."""
        shown = redact_url(url)
        unreached = self._proxy.unreached(url) if self._proxy else None
        if unreached is not None and unreached.refused:
            self._blocked.add((unreached.host, unreached.port))
            self._add("blocked_requests", url=url, reason=unreached.reason)
            return NavigationFailed(f"{shown} is blocked: {unreached.reason}", hint=unreached.hint)
        if unreached is not None and _NO_CONNECTION in failure:
            failure = f"net::{unreached.reason}"
        self._add("failed_requests", url=url, error=failure)
        return NavigationFailed(
            f"{shown} cannot be opened: {failure.removeprefix('net::')}",
            hint="is the address right, and does the server answer?",
        )

    def _add_refusals(self) -> None:
        """Note what was refused without Playwright telling of it: what workers and popups asked."""
        refusals = self._proxy.take_refusals() if self._proxy else {}
        for refusal, count in refusals.items():
            if (refusal.host, refusal.port) not in self._blocked:
                host = f"{refusal.host}:{refusal.port}"
                self._add("blocked_requests", host=host, reason=refusal.reason, count=count)

    def _is_document(self, request: Request) -> bool:
        return request.is_navigation_request() and request.frame == self._page.main_frame

    def _response(self, response: Response) -> None:
        request = response.request
        if self._is_document(request):
            self._status = response.status
            self.navigation_failure = None
        elif response.status >= 400:
            self._add("failed_requests", url=response.url, status=response.status)

    def _dialog(self, dialog: Dialog) -> None:
        self._add("dialogs", type=dialog.type, message=dialog.message)
        # To dismiss this one would be to stay, and the next step is meant for the next page.
        leaving = dialog.type == "beforeunload"
        self._answer(dialog.accept() if leaving else dialog.dismiss())

    def _download(self, download: Download) -> None:
        self._add("downloads", url=download.url, name=download.suggested_filename)

    def _popup(self, popup: Page) -> None:
        others = len(self._page.context.pages) - 1
        if others > MAX_POPUPS:
            self._add("popups", url=popup.url, closed=True)
            self._answer(popup.close())
        else:
            self._add("popups", url=popup.url)

    def _answer(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(_unless_gone(call))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    def _crash(self, _: Page) -> None:
        self.crashed = True


async def _unless_gone(call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except PlaywrightError:
        return  # the page closed first, and its dialogs with it
