"""Our own JavaScript world in a frame: same DOM, other globals; made anew on navigation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

from playwright.async_api import CDPSession
from playwright.async_api import Error as PlaywrightError

_HERE = files("checkpoint_assets.collection.browser")
# In the order in which one needs the other.
_SCRIPTS = (
    "dom", "paper", "scopes", "stamps", "sheets", "states", "secrets", "pictures", "elements",
    "snapshot", "page_world",
)  # fmt: skip
PAGE_WORLD = "\n".join(_HERE.joinpath("page_world", f"{name}.js").read_text() for name in _SCRIPTS)
# An own property: what the page has named "checkpoint" is none.
_SOURCE = f"""(() => {{ "use strict"; if (!Object.hasOwn(globalThis, "checkpoint")) {{
{PAGE_WORLD}
Object.defineProperty(globalThis, "checkpoint", {{ value: makeWorld() }}); }}
return globalThis.checkpoint; }})()"""
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
_LONGEST_PAUSE = 0.05


class IsolatedWorld:
    """Calls the functions of ``page_world.js`` in one frame: the page's main frame, or another.

    No deadline of its own: the caller bounds the whole of what it asks for.
    """

    def __init__(self, cdp: CDPSession, frame_id: str | None = None) -> None:
        self.cdp = cdp
        self._frame_id = frame_id
        self._foreign = frame_id is not None
        self._object: str | None = None

    async def call(self, function: str, *arguments: Any) -> Any:
        """The function's result. A navigation in between starts it again in the new page.

        A result that is a promise is waited for. An argument that is a :class:`Handle` is the
        object it stands for.
        """
        return (await self._steadily(lambda: self._call(function, arguments, True))).get("value")

    async def handle(self, function: str, *arguments: Any) -> Handle | None:
        """The same for a result that stays in the page; ``None`` is null."""
        result = await self._steadily(lambda: self._call(function, arguments, False))
        return Handle(result["objectId"]) if "objectId" in result else None

    async def evaluate(self, expression: str) -> Any:
        """What the expression says in this world; without the functions, and as steady."""
        return (await self._steadily(lambda: self._evaluate(expression))).get("value")

    async def frame_id(self) -> str:
        """The frame this world is in."""
        if self._frame_id is None:
            tree = await self.cdp.send("Page.getFrameTree")
            self._frame_id = tree["frameTree"]["frame"]["id"]
        return self._frame_id

    async def _steadily(self, ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        tries = 0
        while True:
            try:
                return await ask()
            except PlaywrightError as err:
                tries += 1
                # The main frame has another document soon; another frame may be gone for good.
                last = tries == _TRIES and self._foreign
                if last or not any(sign in err.message for sign in _NAVIGATED):
                    raise
                self._object = None
                await asyncio.sleep(min(tries * 0.001, _LONGEST_PAUSE))

    async def _call(
        self, function: str, arguments: tuple[Any, ...], by_value: bool
    ) -> dict[str, Any]:
        if self._object is None:
            self._object = await self._enter()
        answer = await self.cdp.send(
            "Runtime.callFunctionOn",
            {
                "objectId": self._object,
                "functionDeclaration": f"function(...a) {{ return this.{function}(...a); }}",
                "arguments": [_argument(argument) for argument in arguments],
                "awaitPromise": True,
                "returnByValue": by_value,
            },
        )
        return _result(answer)

    async def _enter(self) -> str:
        return (await self._evaluate(_SOURCE))["objectId"]

    async def _evaluate(self, expression: str) -> dict[str, Any]:
        where = {"contextId": await self.context_id()}
        return _result(await self.cdp.send("Runtime.evaluate", {"expression": expression, **where}))

    async def context_id(self) -> int:
        """The world's execution context; it is made if the document has none yet."""
        name = {"frameId": await self.frame_id(), "worldName": "checkpoint"}
        world = await self.cdp.send("Page.createIsolatedWorld", name)
        return world["executionContextId"]


class Handle:
    """An object in the page's process."""

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id


def _argument(argument: Any) -> dict[str, Any]:
    if isinstance(argument, Handle):
        return {"objectId": argument.object_id}
    return {"value": argument}


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if problem := answer.get("exceptionDetails"):
        thrown = problem.get("exception", {}).get("description") or problem.get("text", "")
        raise PlaywrightError(f"the page's capture script failed: {thrown}")
    return answer["result"]
