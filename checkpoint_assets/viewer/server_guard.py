"""What holds for every request and every answer of the viewer's server."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-dns-prefetch-control": "off",
    "permissions-policy": "interest-cohort=()",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


class Guard:
    """Reads only, only for the names of this machine, and says how each answer is to be treated.

    Another name in ``Host`` is another site that was made to resolve to this machine.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", _NOTHING)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = _refusal(scope)
        await (refusal or self._app)(scope, receive, guarded)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    hosts = Headers(scope=scope).getlist("host")
    port = (scope.get("server") or ("", 0))[1]
    if hosts not in ([f"127.0.0.1:{port}"], [f"localhost:{port}"]):
        return PlainTextResponse("this server answers to 127.0.0.1 and localhost alone\n", 421)
    if scope["method"] not in ("GET", "HEAD"):
        return PlainTextResponse("this server is read-only\n", 405, {"allow": "GET, HEAD"})
    return None
