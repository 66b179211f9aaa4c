"""Capture and page keep out of each other's way, whatever the page does."""

from __future__ import annotations

import contextlib
import time

import pytest

from checkpoint_assets.model.errors import BrowserCrashed, CaptureTimeout
from checkpoint_assets_tests.collection.browser.conftest import Reopen, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Pages that are against it, or in the way


HOSTILE = """
window.seen = [];
const trap = (object, name) => {
  const found = Object.getOwnPropertyDescriptor(object, name);
  const bad = () => { window.seen.push(name); throw new Error("broken by the page: " + name); };
  try {
    Object.defineProperty(object, name, found && !("value" in found)
      ? { get: bad, set: bad, configurable: true }
      : { value: bad, configurable: true, writable: true });
  } catch (fixed) { /* it cannot be changed */ }
};
const arm = () => {
  const kinds = [Node, Element, HTMLElement, HTMLInputElement, HTMLTextAreaElement, Document,
    HTMLCanvasElement, HTMLOptionElement, ShadowRoot, CSSStyleSheet, CSSRuleList, CSSRule,
    HTMLIFrameElement, HTMLStyleElement, NamedNodeMap, Attr, MutationObserver, Animation];
  for (const kind of kinds) {
    for (const name of Object.getOwnPropertyNames(kind.prototype)) {
      if (name !== "constructor") trap(kind.prototype, name);
    }
  }
  for (const name of ["stringify", "parse"]) trap(JSON, name);
  for (const name of ["from", "isArray"]) trap(Array, name);
  for (const name of ["push", "map", "filter", "join", "some", "every", "splice", "pop",
    "forEach", Symbol.iterator]) trap(Array.prototype, name);
  for (const name of ["replace", "replaceAll", "isWellFormed", "toWellFormed", "slice",
    "startsWith", "trim"]) trap(String.prototype, name);
  trap(RegExp.prototype, "test");
  trap(RegExp.prototype, "exec");
  trap(Promise.prototype, "then");
  for (const name of ["requestAnimationFrame", "setTimeout", "getComputedStyle", "Map", "Set",
    "MutationObserver", "CSSStyleSheet", "performance", "checkpoint"]) trap(window, name);
  Object.defineProperty(Object.prototype, "length", { set() { window.seen.push("length"); } });
  Object.defineProperty(Object.prototype, "html", { set() { window.seen.push("html"); } });
};
"""


async def test_a_page_that_breaks_every_prototype_neither_sees_nor_breaks_the_capture(tab: Tab):
    await tab.show(
        "<!doctype html><style>p { color: red }</style><p title=t>text</p><input><canvas></canvas>"
        "<select><option>1</select><iframe srcdoc='<p>in a frame'></iframe><x-a></x-a><script>"
        "document.querySelector('x-a').attachShadow({mode: 'open'}).innerHTML = '<i>shadow</i>';"
        "document.querySelector('input').value = 'typed';"
        f"{HOSTILE}; onload = arm</script>"
    )
    observation = await tab.capture()
    for token in ('<p title="t">text</p>', 'value="typed"', "in a frame", "<i>shadow</i>"):
        assert token in observation.html
    assert observation.png
    assert observation.facts["consistency"] == {"mutations": 0, "retries": 0}
    # Asked over another world: in the page's own nothing works any more.
    seen = await tab.cdp.send("Runtime.evaluate", {"expression": "'' + window.seen.length"})
    assert seen["result"].get("value") == "0", seen


async def test_form_fields_named_like_properties_hide_nothing(tab: Tab, reopen: Reopen):
    names = [
        *("attributes", "nodeType", "localName", "tagName", "namespaceURI", "childNodes"),
        *("firstChild", "lastChild", "nextSibling", "previousSibling", "getAttribute"),
        *("hasAttribute", "matches", "ownerDocument", "shadowRoot", "scrollLeft", "scrollTop"),
        *("getBoundingClientRect", "textContent", "popover", "content", "value", "type", "style"),
        *("id", "name", "title", "action", "method", "sheet", "data", "parentNode"),
    ]
    fields = "".join(f"<input name={name} value=v-{name}>" for name in names)
    await tab.show(f"<body><form class=f>{fields}<b>inside</b></form><p>after</p>")
    observation = await tab.capture(screenshot=False)
    page = await reopen(observation)
    # Playwright's own selectors stumble over such a form.
    count = "document.querySelectorAll('form.f > input').length"
    assert await page.evaluate(count) == len(names)
    assert await page.evaluate("document.querySelector('form.f > b').textContent") == "inside"
    assert await page.evaluate("document.querySelector('p').textContent") == "after"


async def test_elements_named_like_properties_of_the_document_hide_nothing(tab: Tab):
    names = [
        *("documentElement", "body", "head", "title", "URL", "baseURI", "fonts", "getAnimations"),
        *("nodeType", "firstChild", "lastChild", "doctype", "adoptedStyleSheets", "defaultView"),
    ]
    await tab.show("<title>t</title>" + "".join(f"<form name={name}></form>" for name in names))
    observation = await tab.capture(screenshot=False)
    assert all(f'<form name="{name}"></form>' in observation.html for name in names)
    assert observation.facts["title"] == "t"
    assert observation.facts["url"] == observation.facts["base_url"] == tab.page.url
    settled = await tab.world.call("settle", 20, 1000)
    assert (settled["quiet"], settled["mutations"]) == (True, 0)


# What the page can notice


WATCH = """
window.noticed = [];
for (const root of [document, ...[...document.querySelectorAll("*")].map(e => e.shadowRoot)]) {
  if (root) new MutationObserver(records => noticed.push(...records.map(each => each.type)))
    .observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
}
for (const name of ["focus", "blur", "scroll", "input", "change", "selectionchange", "resize",
  "visibilitychange", "pointermove", "mousemove", "beforeprint"]) {
  for (const target of [window, document]) {
    target.addEventListener(name, () => noticed.push(name), true);
  }
}
const describe = (object) => Object.entries(Object.getOwnPropertyDescriptors(object));
let known = [];
window.changedPrototypes = () => known.flatMap(([object, before]) => {
  const now = Object.getOwnPropertyDescriptors(object);
  const same = ([name, was]) => now[name] && Object.is(now[name].value, was.value) &&
    now[name].get === was.get;
  const lost = before.filter(each => !same(each)).map(([name]) => name);
  const fresh = Object.keys(now).filter(name => !before.some(([known]) => known === name));
  return [...lost, ...fresh].map(name => `${object}.${name}`);
});
window.state = () => [document.documentElement.outerHTML, document.styleSheets.length,
  document.adoptedStyleSheets.length, scrollX, scrollY, innerWidth, innerHeight,
  document.activeElement.id, getSelection().toString(), Object.keys(window).length,
  [...document.styleSheets].map(s => [...s.cssRules].map(r => r.cssText)).flat().join()].join("|");
known = [window, document, ...Object.getOwnPropertyNames(window).map((name) => {
  try { return window[name].prototype; } catch { return null; }
})].filter(Boolean).map(object => [object, describe(object)]);
"""


@pytest.mark.parametrize("full_page", [False, True])
async def test_the_page_notices_nothing(tab: Tab, full_page: bool):
    await tab.show(
        "<!doctype html><style>p { color: red }</style><p>some text</p><input id=i value=x>"
        "<input type=password value=secret><canvas></canvas><x-a></x-a><div style='height: 3000px'>"
        "</div><iframe srcdoc='<p>x'></iframe><script>"
        "document.querySelector('x-a').attachShadow({mode: 'open'}).innerHTML = '<i>shadow</i>';"
        "i.focus(); getSelection().selectAllChildren(document.querySelector('p'));"
        f"scrollTo(0, 40); onload = () => {{ {WATCH} }}</script>"
    )
    before = await tab.page.evaluate("state()")
    await tab.page.evaluate("noticed.length = 0")
    for _ in range(2):
        await tab.capture(full_page=full_page)
    await tab.page.evaluate("new Promise(resolve => requestAnimationFrame(resolve))")
    noticed = set(await tab.page.evaluate("noticed"))
    # Chromium paints what is outside of the window by making the window larger for a moment.
    assert noticed == set() if not full_page else noticed <= {"resize"}
    assert await tab.page.evaluate("state()") == before
    assert await tab.page.evaluate("changedPrototypes()") == []


# One instant


async def test_a_page_at_rest_is_read_once_and_labelled_so(tab: Tab):
    await tab.show("<p>still")
    assert (await tab.capture()).facts["consistency"] == {"mutations": 0, "retries": 0}


async def test_a_page_that_ticks_is_read_once_more_and_labelled(tab: Tab):
    await tab.show(
        "<p></p><script>let n = 0; setInterval(() => {"
        "document.querySelector('p').textContent = ++n }, 1)</script>"
    )
    consistency = (await tab.capture()).facts["consistency"]
    assert consistency["mutations"] > 0
    assert consistency["retries"] == 1


async def test_a_page_that_gave_way_to_another_one_meanwhile_is_not_called_steady(tab: Tab):
    await tab.show("<p>one")
    options = {"privateNames": "x", "privatePurposes": "x", "privateSelectors": ["x"]}
    limits = {"maxNodes": 100, "maxLength": 10_000, "canvas": True}
    await tab.world.call("capture", options | limits)
    await tab.show("<p>two")
    assert await tab.world.call("mutationsSince") is None


async def test_a_page_that_keeps_opening_itself_is_captured_or_refused_in_time(tab: Tab):
    await tab.show("<p>x<script>setTimeout(() => location.reload(), 5)</script>")
    started = time.monotonic()
    with contextlib.suppress(CaptureTimeout):  # it may never stand still for long enough
        assert (await tab.capture(deadline=3)).html
    assert time.monotonic() - started < 5


# Deadlines


async def test_a_page_that_hangs_is_given_up_in_time(tab: Tab):
    await tab.show("<p>x")
    await tab.hang()
    started = time.monotonic()
    with pytest.raises(CaptureTimeout, match=r"took longer than 0\.3 s"):
        await tab.capture(deadline=0.3)
    assert time.monotonic() - started < 3


async def test_a_page_that_is_gone_is_said_to_be(tab: Tab):
    await tab.show("<p>x")
    await tab.page.close()
    with pytest.raises(BrowserCrashed):
        await tab.capture()
