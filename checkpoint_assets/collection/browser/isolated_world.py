"""Our own JavaScript world in a page: same DOM, other globals, gone and made anew on navigation."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

_HERE = files("checkpoint_assets.collection.browser")
_SOURCE = "globalThis.checkpoint ??= ({world})({snapshot})".format(
    world=_HERE.joinpath("page_world.js").read_text().strip(),
    snapshot=_HERE.joinpath("snapshot.js").read_text().strip(),
)
# What CDP says when the page has navigated under a call.
_NAVIGATED = (
    "Cannot find context",
    "Could not find object",
    "Execution context was destroyed",
    "Inspected target navigated or closed",
    "No frame for given id",
    "Frame with the given id",
)
_TRIES = 20


class IsolatedWorld:
    """Calls the functions of ``page_world.js`` in the page's main frame.

    No deadline of its own: the caller bounds the whole of what it asks for.
    """

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._object: str | None = None

    async def call(self, function: str, *arguments: Any) -> Any:
        """The function's result. A navigation in between starts it again in the new page."""
        for remaining in range(_TRIES, 0, -1):
            try:
                return await self._call(function, arguments)
            except PlaywrightError as err:
                if remaining == 1 or not any(sign in err.message for sign in _NAVIGATED):
                    raise
                self._object = None
        raise AssertionError("the loop returns or raises")

    async def _call(self, function: str, arguments: tuple[Any, ...]) -> Any:
        if self._object is None:
            self._object = await self._enter()
        answer = await self._cdp.send(
            "Runtime.callFunctionOn",
            {
                "objectId": self._object,
                "functionDeclaration": f"function(...a) {{ return this.{function}(...a); }}",
                "arguments": [{"value": argument} for argument in arguments],
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        return _value(answer)

    async def _enter(self) -> str:
        tree = await self._cdp.send("Page.getFrameTree")
        world = await self._cdp.send(
            "Page.createIsolatedWorld",
            {"frameId": tree["frameTree"]["frame"]["id"], "worldName": "checkpoint"},
        )
        answer = await self._cdp.send(
            "Runtime.evaluate",
            {"expression": _SOURCE, "contextId": world["executionContextId"]},
        )
        _value(answer)
        return answer["result"]["objectId"]


def _value(answer: dict[str, Any]) -> Any:
    if problem := answer.get("exceptionDetails"):
        thrown = problem.get("exception", {}).get("description") or problem.get("text", "")
        raise PlaywrightError(f"the page's capture script failed: {thrown}")
    return answer["result"].get("value")
