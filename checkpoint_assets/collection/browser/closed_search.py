"""Finding elements in closed shadow roots, which no selector of Playwright's looks into.

Playwright looks for elements in a JavaScript world of its own. The browser, asked over CDP, gives
that world the page's closed roots, and an engine of ours there looks into them, too: then actions
work as they do everywhere else. The selector ``closed=button`` is plain CSS; ``>>`` leads from a
host into its root, and so on.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, Playwright
from playwright.async_api import Error as PlaywrightError

ENGINE = "closed"
MOST = 1000
_SCRIPT = """({
  queryAll(root, selector) {
    const found = new Set();
    const visit = (scope) => {
      for (const element of scope.querySelectorAll(selector)) found.add(element);
      for (const element of [scope, ...scope.querySelectorAll('*')]) {
        const inner = element.shadowRoot || globalThis.checkpointRoots?.get(element);
        if (inner) visit(inner);
      }
    };
    visit(root);
    return [...found];
  },
  query(root, selector) { return this.queryAll(root, selector)[0] || null; },
})"""
_GIVE = """function () {
  (globalThis.checkpointRoots ??= new WeakMap()).set(this.host, this);
}"""
_UTILITY = "__playwright_utility_world"
# Selectors of other engines than CSS: `text=`, `role=`, XPath, and text in quotes.
_NO_CSS = re.compile(r"\s*(?:[\w:*-]+=|//|\.\.|[\"'])")


async def register_engine(playwright: Playwright) -> None:
    """Make ``closed=`` known, once for each driver, before the first page.

    A context that a browser has when it is connected to does not learn of it by that.
    """
    await playwright.selectors.register(ENGINE, _SCRIPT, content_script=True)


async def register_engine_in(context: BrowserContext) -> None:
    """Make ``closed=`` known in a context that was there before we connected to its browser."""
    # Playwright tells of engines only when one is registered or a context is made, and there is
    # no public way to tell it later.
    channel: Any = context._impl_obj._channel  # pyright: ignore[reportPrivateUsage]
    engine = {"name": ENGINE, "source": _SCRIPT, "contentScript": True}
    await channel.registerSelectorEngine(selectorEngine=engine, timeout=0)


def through_closed_roots(selector: str) -> str | None:
    """The same selector for our engine; ``None`` if it is not CSS."""
    parts = [part.strip().removeprefix("css=") for part in selector.split(">>")]
    if not all(parts) or any(_NO_CSS.match(part) for part in parts):
        return None
    return " >> ".join(f"{ENGINE}={part}" for part in parts)


async def reveal_closed_roots(page: Page) -> bool:
    """Give Playwright's world the closed roots of the page; whether there are any.

    Dear on a large page, so to be asked for only when all else has failed. Frames of other
    processes are left out. Raises Playwright's errors, also where there is no CDP.
    """
    cdp = await page.context.new_cdp_session(page)
    try:
        worlds: dict[str, int] = {}

        def note(event: dict[str, Any]) -> None:
            context = event["context"]
            if context["name"].startswith(_UTILITY):
                worlds[context["auxData"]["frameId"]] = context["id"]

        cdp.on("Runtime.executionContextCreated", note)
        await cdp.send("Runtime.enable")
        tree = await cdp.send("Page.getFrameTree")
        document = await cdp.send("DOM.getDocument", {"depth": -1, "pierce": True})
        roots = list(_closed(document["root"], tree["frameTree"]["frame"]["id"]))[:MOST]
        known = [(worlds[frame], node) for frame, node in roots if frame in worlds]
        await asyncio.gather(*(_give(cdp, world, node) for world, node in known))
        return bool(known)
    finally:
        await cdp.detach()


async def _give(cdp: CDPSession, world: int, node: int) -> None:
    try:
        found = await cdp.send(
            "DOM.resolveNode", {"backendNodeId": node, "executionContextId": world}
        )
        await cdp.send(
            "Runtime.callFunctionOn",
            {"objectId": found["object"]["objectId"], "functionDeclaration": _GIVE},
        )
    except PlaywrightError:
        return  # it is gone by now


def _closed(root: dict[str, Any], frame: str) -> Iterator[tuple[str, int]]:
    """Frame and node of each closed root. Iterative, since a page may be deep."""
    stack = [(root, frame)]
    while stack:
        node, frame = stack.pop()
        if node.get("shadowRootType") == "closed":
            yield frame, node["backendNodeId"]
        stack += [
            (each, frame) for each in (*node.get("children", ()), *node.get("shadowRoots", ()))
        ]
        if inner := node.get("contentDocument"):
            stack.append((inner, node.get("frameId", frame)))
