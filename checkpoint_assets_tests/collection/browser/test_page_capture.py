"""What a capture keeps of a page, read back in a browser that runs no script of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Page

from checkpoint_assets.collection.browser.page_capture import Observation
from checkpoint_assets.collection.browser.screenshot import MAX_SIDE, encode_screenshot
from checkpoint_assets.model.errors import BrowserCrashed, CaptureTimeout
from checkpoint_assets.testing.demo_shop_site import DemoShop
from checkpoint_assets.testing.web_server import Response
from checkpoint_assets_tests.collection.browser.conftest import NewTab, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

Stored = Callable[[str], Awaitable[Any]]
Reopen = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def reopen(new_tab: NewTab) -> Reopen:
    """Opens what was stored at the URL it came from; by default no script of it runs."""

    async def make(observation: Observation, *, scripts: bool = False) -> Page:
        tab = await new_tab(java_script_enabled=scripts)
        url = observation.facts["url"]

        async def answer(route: Any) -> None:
            await route.fulfill(body=observation.html, content_type="text/html; charset=utf-8")

        await tab.page.route(url, answer)
        await tab.page.goto(url)
        return tab.page

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def kept(tab: Tab, reopen: Reopen) -> Callable[..., Awaitable[Page]]:
    """Shows a page, captures it, and opens what was stored."""

    async def make(html: str) -> Page:
        await tab.show(html)
        return await reopen(await tab.capture(screenshot=False))

    return make


# What is kept


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">',
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN"'
        ' "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">',
        "",
    ],
)
async def test_the_doctype_and_with_it_the_mode_is_kept(tab: Tab, reopen: Reopen, doctype: str):
    await tab.show(f"{doctype}<p>x")
    observation = await tab.capture(screenshot=False)
    assert observation.html.startswith(f"{doctype}<html>")
    stored = await reopen(observation)
    mode = "document.compatMode"
    assert await stored.evaluate(mode) == await tab.page.evaluate(mode)


async def test_values_that_a_script_or_a_user_gave_are_kept(kept: Any):
    page = await kept(
        "<input id=a value=old><input id=b type=date><input id=c type=range value=1>"
        "<input id=d value=old><textarea id=e>old</textarea><textarea id=f></textarea>"
        """<script>a.value = 'new "<&>\u00a0 ü😀'; b.value = '2026-01-31'; c.value = 70;
        d.value = ''; e.value = '\\n first </textarea><b>&amp;'; f.value = ' '</script>"""
    )
    values = "[...document.querySelectorAll('input, textarea')].map(each => each.value)"
    assert await page.evaluate(values) == [
        'new "<&>\u00a0 ü😀',
        "2026-01-31",
        "70",
        "",
        "\n first </textarea><b>&amp;",
        " ",
    ]
    assert await page.locator("b").count() == 0


async def test_what_is_checked_is_kept_and_what_is_not_any_more_is_not(kept: Any):
    page = await kept(
        "<input type=checkbox id=a><input type=checkbox id=b checked>"
        "<input type=radio name=r id=c checked><input type=radio name=r id=d>"
        "<input type=checkbox id=e>"
        "<script>a.checked = true; b.checked = false; d.checked = true; e.indeterminate = true"
        "</script>"
    )
    checked = "[...document.querySelectorAll(':checked')].map(each => each.id)"
    assert await page.evaluate(checked) == ["a", "d"]
    assert await page.locator("[data-checkpoint-indeterminate]").get_attribute("id") == "e"


async def test_selected_options_are_kept(kept: Any):
    page = await kept(
        "<select id=one><option>1<option>2<option selected>3</select>"
        "<select id=many multiple><option selected>1<option>2<option>3</select>"
        "<script>one.value = '2'; many.options[0].selected = false;"
        "many.options[1].selected = many.options[2].selected = true</script>"
    )
    chosen = "id => [...document.getElementById(id).selectedOptions].map(each => each.text)"
    assert await page.evaluate(chosen, "one") == ["2"]
    assert await page.evaluate(chosen, "many") == ["2", "3"]


async def test_edited_text_is_kept(kept: Any):
    page = await kept("<div contenteditable>old</div><script>"
                      "document.querySelector('div').innerHTML = 'new <i>text</i>'</script>")  # fmt: skip
    assert await page.inner_html("div") == "new <i>text</i>"


async def test_open_shadow_roots_are_kept_with_the_values_inside(kept: Any):
    page = await kept(
        "<x-a><b slot=s>light</b></x-a><script>"
        "const root = document.querySelector('x-a').attachShadow({mode: 'open'});"
        "root.innerHTML = '<slot name=s></slot><input><x-b></x-b>';"
        "root.querySelector('input').value = 'typed';"
        "root.querySelector('x-b').attachShadow({mode: 'open'}).innerHTML = '<i>deep</i>'</script>"
    )
    assert await page.locator("x-a input").input_value() == "typed"
    assert await page.locator("x-a x-b i").inner_text() == "deep"
    assert await page.evaluate("document.querySelector('x-a').shadowRoot.mode") == "open"
    assert await page.locator("b").is_visible()


COLOUR = "selector => getComputedStyle(document.querySelector(selector)).color"


async def test_adopted_style_sheets_are_kept(kept: Any):
    page = await kept(
        "<body><p>x</p><x-a></x-a><script>const sheet = new CSSStyleSheet();"
        "sheet.replaceSync('p { color: rgb(1, 2, 3) }'); document.adoptedStyleSheets = [sheet];"
        "const root = document.querySelector('x-a').attachShadow({mode: 'open'});"
        "root.innerHTML = '<i>y</i>'; const inner = new CSSStyleSheet();"
        "inner.replaceSync('i { color: rgb(4, 5, 6) }'); root.adoptedStyleSheets = [inner]</script>"
    )
    assert await page.evaluate(COLOUR, "p") == "rgb(1, 2, 3)"
    inner = "getComputedStyle(document.querySelector('x-a').shadowRoot.querySelector('i')).color"
    assert await page.evaluate(inner) == "rgb(4, 5, 6)"


async def test_rules_that_a_script_put_in_or_took_out_are_kept(kept: Any):
    page = await kept(
        "<style>p { color: rgb(9, 9, 9) }</style><style>i { color: rgb(9, 9, 9) }</style>"
        "<p>x</p><b>y</b><i>z</i><script>const [one, two] = document.styleSheets;"
        "one.cssRules[0].style.color = 'rgb(1, 2, 3)'; one.insertRule('b { color: rgb(4, 5, 6) }');"
        "two.deleteRule(0)</script>"
    )
    assert await page.evaluate(COLOUR, "p") == "rgb(1, 2, 3)"
    assert await page.evaluate(COLOUR, "b") == "rgb(4, 5, 6)"
    assert await page.evaluate(COLOUR, "i") == "rgb(0, 0, 0)"


async def test_a_style_sheet_that_nobody_changed_is_kept_as_it_was_written(tab: Tab):
    css = "/* a note */ p{color:RED}  @media print{p{color:blue}}"
    await tab.show(f"<style>{css}</style><p>x")
    assert f"<style>{css}</style>" in (await tab.capture(screenshot=False)).html


async def test_frames_of_the_same_origin_are_kept_with_the_values_inside(tab: Tab, reopen: Reopen):
    inner = tab.pages.add("<input><p>in a frame</p><script>"
                          "document.querySelector('input').value = 'typed \"<&'</script>")  # fmt: skip
    middle = tab.pages.add(f"<iframe id=inner src='{inner}'></iframe>")
    await tab.show(f"<iframe id=outer src='{middle}'></iframe>")
    observation = await tab.capture(screenshot=False)
    page = await reopen(observation)
    frame = page.frame_locator("#outer").frame_locator("#inner")
    assert await frame.locator("input").input_value() == 'typed "<&'
    assert await frame.locator("p").inner_text() == "in a frame"
    assert observation.facts["counts"]["frames"] == 2


async def test_srcdoc_frames_are_kept_with_the_values_inside(kept: Any):
    page = await kept(
        "<iframe srcdoc='<input value=old><b>one</b>'></iframe><script>"
        "onload = () => { frames[0].document.querySelector('input').value = 'new';"
        "frames[0].document.querySelector('b').textContent = 'two' }</script>"
    )
    frame = page.frame_locator("iframe")
    assert await frame.locator("input").input_value() == "new"
    assert await frame.locator("b").inner_text() == "two"


async def test_a_frame_of_another_site_is_kept_or_marked_and_counted(tab: Tab):
    other = tab.pages.add("<p>tok-foreign</p>").replace("127.0.0.1", "localhost")
    await tab.show(f"<iframe src='{other}'></iframe>")
    observation = await tab.capture(screenshot=False)
    if "tok-foreign" not in observation.html:
        assert "data-checkpoint-opaque" in observation.html
        assert observation.facts["counts"]["opaque_frames"] == 1


async def test_pixels_of_a_canvas_are_kept(kept: Any):
    page = await kept(
        "<body style='margin: 0'><canvas width=40 height=20></canvas><script>"
        "const c = document.querySelector('canvas').getContext('2d');"
        "c.fillStyle = 'rgb(10, 200, 30)'; c.fillRect(0, 0, 20, 20)</script>"
    )
    picture = Image.open(BytesIO(await page.screenshot())).convert("RGB")
    assert picture.getpixel((10, 10)) == (10, 200, 30)
    assert picture.getpixel((30, 10)) == (255, 255, 255)


async def test_a_canvas_that_may_not_be_read_is_marked_and_counted(tab: Tab):
    picture = tab.pages.add(Response(body=PNG, media_type="image/png"))
    picture = picture.replace("127.0.0.1", "localhost")
    await tab.show(
        f"<canvas></canvas><script>const i = new Image(); i.src = '{picture}'; i.onload = () => {{"
        "document.querySelector('canvas').getContext('2d').drawImage(i, 0, 0); done = true }"
        "</script>"
    )
    await tab.page.wait_for_function("window.done")
    observation = await tab.capture(screenshot=False)
    assert 'data-checkpoint-canvas="tainted"' in observation.html
    assert observation.facts["counts"]["tainted_canvases"] == 1


async def test_where_things_are_scrolled_to_is_kept(tab: Tab):
    await tab.show(
        "<div id=d style='height: 50px; width: 50px; overflow: scroll'>"
        "<p style='height: 900px; width: 900px'></div><p style='height: 3000px'>"
        "<script>d.scrollTo(30, 70); scrollTo(0, 120)</script>"
    )
    observation = await tab.capture(screenshot=False)
    assert 'data-checkpoint-scroll="30,70"' in observation.html
    assert observation.facts["scroll"] == {"x": 0, "y": 120}


async def test_a_modal_dialog_is_told_from_an_open_one(kept: Any):
    page = await kept(
        "<dialog id=a>one</dialog><dialog id=b>two</dialog><dialog id=c>three</dialog>"
        "<div id=d popover>four</div>"
        "<script>a.showModal(); b.show(); d.showPopover()</script>"
    )
    assert await page.locator("[data-checkpoint-modal]").get_attribute("id") == "a"
    assert await page.locator("[data-checkpoint-popover-open]").get_attribute("id") == "d"
    assert await page.locator("#b").is_visible()
    assert not await page.locator("#c").is_visible()


async def test_templates_keep_what_is_in_them(kept: Any):
    page = await kept("<template><p>in <b>it</b></p></template>")
    inside = "document.querySelector('template').content.querySelector('p').innerHTML"
    assert await page.evaluate(inside) == "in <b>it</b>"


async def test_a_template_that_never_became_a_shadow_root_does_not_become_one(kept: Any):
    page = await kept(
        "<div></div><script>document.querySelector('div').innerHTML ="
        "'<template shadowrootmode=open><p>x</p></template>'</script>"
    )
    assert await page.evaluate("document.querySelector('div').shadowRoot") is None


async def test_the_content_of_noscript_is_kept_and_not_shown(tab: Tab, reopen: Reopen):
    await tab.show("<body><noscript><p>without scripts</p></noscript><p>with scripts</p>")
    observation = await tab.capture(screenshot=False)
    assert "without scripts" in observation.html
    assert await (await reopen(observation)).inner_text("body") == "with scripts"


async def test_svg_and_mathml_stay_what_they_are(kept: Any):
    page = await kept(
        "<svg viewBox='0 0 9 9'><linearGradient id=g></linearGradient><style>a&gt;b{}</style>"
        "<use xlink:href='#g'/><foreignObject><p>html</p></foreignObject></svg>"
        "<math><mi>x</mi></math>"
    )
    kinds = (
        "[...document.querySelectorAll('body *')].map(e => e.nodeName + e.namespaceURI.slice(-4))"
    )
    assert await page.evaluate(kinds) == [
        *("svg/svg", "linearGradient/svg", "style/svg", "use/svg", "foreignObject/svg"),
        *("Phtml", "maththML", "mithML"),
    ]
    assert await page.locator("svg").get_attribute("viewBox") == "0 0 9 9"


async def test_text_with_every_special_character_is_kept(kept: Any):
    text = "a & b &amp; <c> \"d\" 'e' \u00a0 ü 😀 -- > ]]> \u2028"
    page = await kept(f"<body><p></p><pre></pre><script>const text = {text!r};"
                      "document.querySelector('p').textContent = text;"
                      "document.querySelector('pre').textContent = '\\n\\n' + text</script>")  # fmt: skip
    assert await page.evaluate("document.querySelector('p').textContent") == text
    assert await page.evaluate("document.querySelector('pre').textContent") == "\n\n" + text


async def test_half_a_surrogate_pair_is_replaced_and_said(tab: Tab):
    await tab.show("<p></p><script>document.querySelector('p').textContent = 'a\\ud800b';"
                   "document.title = 't\\udfff'</script>")  # fmt: skip
    observation = await tab.capture(screenshot=False)
    assert "a\ufffdb" in observation.html
    assert observation.html.encode()
    assert observation.facts["title"] == "t\ufffd"
    assert observation.facts["lone_surrogates"] is True


async def test_a_page_without_surrogates_is_not_said_to_have_some(tab: Tab):
    await tab.show("<p>😀")
    assert "lone_surrogates" not in (await tab.capture(screenshot=False)).facts


async def test_where_the_page_is_and_what_it_is_called_is_written_down(tab: Tab):
    await tab.show("<title>A  title</title><base href='/elsewhere/'><p>x")
    facts = (await tab.capture(screenshot=False)).facts
    assert facts["url"] == tab.page.url
    assert facts["base_url"] == tab.pages.url + "/elsewhere/"
    assert facts["title"] == "A title"
    assert facts["viewport"] == {"width": 800, "height": 600, "device_pixel_ratio": 1}


async def test_a_page_deeper_than_a_stack_is_kept(tab: Tab):
    # Not laid out: that is what takes long.
    await tab.show("<body><div hidden></div><script>let at = document.querySelector('div');"
                   "for (let n = 0; n < 20000; n++) at = at.appendChild(document.createElement('b'));"
                   "at.textContent = 'deep'</script>")  # fmt: skip
    assert "deep" in (await tab.capture(screenshot=False)).html


async def test_an_empty_page_and_one_without_a_body_are_kept(tab: Tab):
    await tab.show("")
    assert "<html><head></head><body></body></html>" in (await tab.capture()).html
    await tab.page.evaluate("document.documentElement.remove()")
    assert (await tab.capture()).html == ""


@pytest.mark.parametrize("path", ["/", "/search?q=tea", "/product/teapot-moss", "/checkout"])
async def test_the_stored_page_shows_the_same_text(tab: Tab, reopen: Reopen, path: str):
    with DemoShop(stock_seconds=0) as shop:
        await tab.page.goto(shop.url + "/product/teapot-moss")
        await tab.page.click("#add-to-cart")
        await tab.page.wait_for_selector(".toast")
        await tab.page.goto(shop.url + path, wait_until="networkidle")
        observation = await tab.capture(screenshot=False)
        live = await tab.page.inner_text("body")
        stored = await reopen(observation)
        assert await stored.inner_text("body") == live
        assert len(live) > 200


# What must not run


async def test_nothing_of_a_stored_page_runs(tab: Tab, reopen: Reopen):
    inner = tab.pages.add("<script>parent.ran = 'inner'</script><p onclick='parent.ran = 1'>x")
    await tab.show(
        "<body onload='ran = 1'><script>ran = 0</script><script type=module>window.ran = 1</script>"
        "<p onclick='ran = 1' OnMouseOver='ran = 1'>x</p><a href='javascript:ran = 1'>y</a>"
        "<a id=odd>z</a><svg onload='ran = 1'><script>ran = 1</script></svg>"
        f"<iframe src='{inner}'></iframe><iframe srcdoc='<script>parent.ran = 1</script>'></iframe>"
        "<iframe src='javascript:parent.ran = 1'></iframe>"
        "<script>odd.setAttribute('href', 'ja\\nva\\tscript:ran = 1')</script>"
        "<form action='javascript:ran = 1'><button formaction='javascript:ran = 1'></button>"
    )
    page = await reopen(await tab.capture(screenshot=False), scripts=True)
    assert await page.locator("[action], [formaction]").count() == 0
    for selector in ("p", "a >> nth=0", "a >> nth=1"):
        await page.locator(selector).first.click(no_wait_after=True)
    await page.wait_for_timeout(50)
    assert await page.evaluate("window.ran") is None
    assert page.url == tab.page.url


@pytest.mark.parametrize(
    "make",
    [
        "const s = document.createElement('style'); s.textContent = BREAK('style')",
        "const s = document.createElement('script'); s.type = 'x'; s.textContent = BREAK('script')",
        "const s = document.createElement('script'); s.type = 'x';"
        "s.textContent = '\\x3c!--\\x3cscript>'; after = BREAK('script')",
        "const s = document.createComment('x--><img src=x onerror=ran=1>')",
        "const s = document.createComment('x--!><img src=x onerror=ran=1>')",
        "const s = document.createComment('><img src=x onerror=ran=1>')",
        "const s = document.createComment('-><img src=x onerror=ran=1>')",
        "const s = document.createElement('noscript');"
        "s.textContent = '</template>' + BREAK('noscript')",
        "const s = document.createElement('xmp'); s.textContent = BREAK('xmp')",
        "const s = document.createElement('noembed'); s.textContent = BREAK('noembed')",
        "const s = document.createElement('textarea'); s.value = BREAK('textarea')",
        "const s = document.createElement('title'); s.textContent = BREAK('title')",
        "const s = document.createElement('p'); s.setAttribute('title', BREAK('p') + '\">')",
        "const s = document.createElement('style'); setTimeout(() => { s.sheet.insertRule("
        "`p::before { content: \"${BREAK('style')}\" }`) })",
        "const s = document.createElement('p'); const sheet = new CSSStyleSheet();"
        "sheet.replaceSync(`p::before { content: \"${BREAK('style')}\" }`);"
        "document.adoptedStyleSheets = [sheet]",
    ],
)
async def test_no_text_of_the_page_breaks_out_of_its_place(tab: Tab, reopen: Reopen, make: str):
    await tab.show(
        "<body><script>let after = '';"
        'const BREAK = (tag) => `</${tag}><img src=x onerror="ran=1"></${tag}>`;'
        f"{make}; document.body.append(s, after);"
        "document.body.appendChild(document.createElement('b')).textContent = 'the end'</script>"
    )
    await tab.page.wait_for_timeout(20)
    live = await tab.page.evaluate("document.querySelectorAll('*').length")
    page = await reopen(await tab.capture(screenshot=False), scripts=True)
    await page.wait_for_timeout(20)
    assert await page.evaluate("window.ran") is None
    assert await page.locator("img").count() == 0
    assert await page.locator("b").inner_text() == "the end"
    # The sheet of a document is written as one element more.
    assert await page.evaluate("document.querySelectorAll('*').length") - live in (0, 1)


async def test_a_stored_page_neither_leads_away_nor_forbids_what_is_in_it(kept: Any):
    page = await kept(
        "<meta http-equiv=Refresh content='3600;url=/elsewhere'>"
        "<meta http-equiv=content-security-policy content=\"default-src 'none'\">"
        "<meta http-equiv=content-language content=de>"
    )
    assert await page.locator("meta[http-equiv]").get_attribute("content") == "de"
    assert await page.locator("meta[data-checkpoint-http-equiv]").count() == 2


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
    assert await tab.world.call("settle", 20, 1000) == {"quiet": True, "mutations": 0}


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


async def test_the_page_notices_nothing(tab: Tab):
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
        await tab.capture()
    await tab.page.evaluate("new Promise(resolve => requestAnimationFrame(resolve))")
    noticed = set(await tab.page.evaluate("noticed"))
    assert noticed == set()
    assert await tab.page.evaluate("state()") == before
    assert await tab.page.evaluate("changedPrototypes()") == []


# One instant


async def test_a_page_at_rest_is_read_once_and_labelled_so(tab: Tab):
    await tab.show("<p>still")
    assert (await tab.capture()).facts["consistency"] == {"mutations": 0, "retries": 0}


async def test_a_page_that_ticks_is_read_once_more_and_labelled(tab: Tab):
    await tab.show("<p></p><script>let n = 0; setInterval(() => {"
                   "document.querySelector('p').textContent = ++n }, 1)</script>")  # fmt: skip
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
    try:
        assert (await tab.capture(deadline=3)).html
    except CaptureTimeout:
        pass  # it never stood still for long enough
    assert time.monotonic() - started < 5


# Pixels


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(png)).size


PNG = (lambda out: (Image.new("RGB", (4, 4), "red").save(out, "PNG"), out.getvalue())[1])(BytesIO())


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("full_page", [False, True])
async def test_the_picture_has_the_pixels_of_the_device(
    new_tab: NewTab, scale: int, full_page: bool
):
    tab = await new_tab(device_scale_factor=scale)
    await tab.show(
        "<body style='margin: 0'><div style='height: 700px'></div><div style='height: 200px;"
        " background: rgb(1, 2, 3)'></div><script>scrollTo(0, 300)</script>"
    )
    observation = await tab.capture(full_page=full_page)
    image = Image.open(BytesIO(observation.png)).convert("RGB")
    assert image.size == (800 * scale, (900 if full_page else 600) * scale)
    top = 700 if full_page else 400
    assert image.getpixel((0, top * scale)) == (1, 2, 3)
    assert image.getpixel((0, top * scale - 1)) == (255, 255, 255)
    assert observation.scale == scale


async def test_without_a_screenshot_there_is_none(tab: Tab):
    await tab.show("<p>x")
    assert (await tab.capture(screenshot=False)).png == b""


async def test_a_full_page_is_as_high_as_the_page(tab: Tab):
    await tab.show(
        "<body style='margin: 0'><div style='height: 2000px'></div>"
        "<div style='height: 100px; background: rgb(1, 2, 3)'></div><script>scrollTo(0, 500)</script>"
    )
    observation = await tab.capture(full_page=True)
    image = Image.open(BytesIO(observation.png)).convert("RGB")
    assert image.size == (800, 2100)
    assert image.getpixel((400, 2050)) == (1, 2, 3)
    assert observation.facts["full_page"] is True
    assert await tab.page.evaluate("scrollY") == 500


@pytest.mark.parametrize("scale", [1, 2, 2.625])
async def test_a_page_that_is_too_high_is_cut_and_said_to_be(new_tab: NewTab, scale: int):
    tab = await new_tab(device_scale_factor=scale, viewport={"width": 60, "height": 60})
    await tab.show("<body style='margin: 0'><div style='height: 40000px'></div>")
    observation = await tab.capture(full_page=True)
    width, height = size_of(observation.png)
    assert width == pytest.approx(60 * scale, abs=1)
    assert MAX_SIDE - scale < height <= MAX_SIDE
    assert observation.facts["clipped"] is True


async def test_a_picture_of_the_whole_page_is_not_said_to_be_cut(tab: Tab):
    await tab.show("<p>x")
    assert "clipped" not in (await tab.capture(full_page=True)).facts
    assert "clipped" not in (await tab.capture()).facts


# Secrets

PRIVATE = (
    "<!doctype html><body style='margin: 0'><style>.box {{ position: absolute; border: 0;"
    " padding: 0; background: rgb(200, 0, 0); color: rgb(200, 0, 0); width: 100px; height: 20px;"
    " {where} }}</style>{field}"
)


async def masked(tab: Tab, observation: Observation, box: tuple[int, int, int, int]) -> bool:
    """Whether the one mask is where the element is: left, top, width, height."""
    (mask,) = observation.masks
    found = (mask["x"], mask["y"], mask["width"], mask["height"])
    return found == pytest.approx(box, abs=0.5)


@pytest.mark.parametrize(
    ("field", "rule"),
    [
        ("<input class=box type=password value='tok-1'>", "password"),
        ("<input class=box autocomplete=cc-number value='tok-1'>", "autocomplete"),
        ("<input class=box autocomplete=one-time-code value='tok-1' data-x='tok-2'>", "autocomplete"),
        ("<input class=box name=api_token value='tok-1' title='tok-2'>", "name"),
        ("<textarea class=box id=secret-note>tok-1</textarea>", "name"),
        ("<div class=box data-private title='tok-1'>tok-2 <b aria-label='tok-3'>tok-4</b></div>", "private"),
        ("<select class=box data-private><option value='tok-1'>tok-2</select>", "private"),
        ("<div class=box data-private contenteditable>tok-1<!--tok-2--></div>", "private"),
        ("<div class=box data-private><a href='mailto:tok-1'>tok-2</a><img alt='tok-3'></div>", "private"),
        ("<div class=box data-private><input type=checkbox value='tok-1'></div>", "private"),
        ("<div class=box data-private><textarea>tok-1</textarea></div>", "private"),
        ("<div class=box data-private><style>.tok-1 {}</style><script>'tok-2'</script></div>", "private"),
        ("<div class=box data-private><iframe srcdoc='tok-1'></iframe></div>", "private"),
    ],
)  # fmt: skip
async def test_private_parts_are_masked_in_text_and_pixels(tab: Tab, field: str, rule: str):
    await tab.show(PRIVATE.format(where="left: 50px; top: 70px", field=field))
    observation = await tab.capture()
    assert "tok-" not in observation.html
    assert "********" in observation.html or "<select" in field or "<iframe" in field
    assert await masked(tab, observation, (50, 70, 100, 20))
    assert observation.facts["redactions"] == [{"rule": rule, "count": 1}]


async def test_hidden_fields_with_tokens_are_masked(tab: Tab):
    await tab.show("<input type=hidden name=csrf_token value='tok-1'>")
    observation = await tab.capture()
    assert "tok-1" not in observation.html
    assert observation.masks == []


async def test_a_page_s_own_mask_tells_nothing_of_the_length(tab: Tab):
    await tab.show("<input type=password><script>document.querySelector('input').value ="
                   "'x'.repeat(300)</script>")  # fmt: skip
    assert 'value="********"' in (await tab.capture(screenshot=False)).html


async def test_an_empty_private_field_is_not_masked(tab: Tab):
    await tab.show("<input type=password placeholder='Your password'>")
    observation = await tab.capture()
    assert observation.masks == []
    assert "********" not in observation.html.replace('placeholder="********"', "")


async def test_private_parts_in_frames_and_shadow_roots_are_masked_where_they_are(tab: Tab):
    inner = PRIVATE.format(
        where="left: 5px; top: 7px", field="<input class=box type=password value=tok-1>"
    )
    url = tab.pages.add(inner)
    frame = f"<iframe src='{url}' style='position: absolute; left: 100px; top: 200px; border: 3px solid'>"
    await tab.show(f"<body style='margin: 0'>{frame}</iframe>")
    observation = await tab.capture()
    assert await masked(tab, observation, (108, 210, 100, 20))
    await tab.show(
        "<x-a></x-a><script>document.querySelector('x-a').attachShadow({mode: 'open'}).innerHTML ="
        "'<input type=password value=tok' + '-1 style=\"position: absolute; left: 5px; top: 7px;"
        " width: 100px; height: 20px; border: 0; padding: 0\">'</script>"
    )
    shadow = await tab.capture()
    assert await masked(tab, shadow, (5, 7, 100, 20))
    assert "tok-1" not in observation.html + shadow.html


@pytest.mark.parametrize(
    "where", ["left: 50px; top: 500px", "position: fixed; left: 50px; bottom: 30px"]
)
@pytest.mark.parametrize(("full_page", "scroll"), [(True, 0), (True, 400), (False, 400)])
@pytest.mark.parametrize("scale", [1, 2])
async def test_no_pixel_of_a_private_field_is_left(
    new_tab: NewTab, where: str, scroll: int, full_page: bool, scale: int
):
    tab = await new_tab(device_scale_factor=scale, viewport={"width": 200, "height": 150})
    field = "<input class=box autocomplete=cc-number value=x><p style='height: 800px'>"
    await tab.show(
        PRIVATE.format(where=where, field=field) + f"<script>scrollTo(0, {scroll})</script>"
    )
    observation = await tab.capture(full_page=full_page)
    red = Image.open(BytesIO(observation.png)).convert("RGB").getcolors(1 << 24)
    stored = encode_screenshot(observation.png, observation.masks, scale=observation.scale)
    left = Image.open(BytesIO(stored.webp)).convert("RGB").getcolors(1 << 24)
    assert (200, 0, 0) in {colour for _, colour in red or []}
    assert (200, 0, 0) not in {colour for _, colour in left or []}


@pytest.mark.parametrize(
    "meta",
    ["", "<meta name=viewport content='width=device-width, initial-scale=2'>"],
    ids=["shown smaller", "shown larger"],
)
@pytest.mark.parametrize("scale", [1, 2.625])
@pytest.mark.parametrize("full_page", [False, True])
async def test_no_pixel_of_a_private_field_is_left_on_a_phone(
    new_tab: NewTab, meta: str, scale: float, full_page: bool
):
    tab = await new_tab(
        device_scale_factor=scale,
        viewport={"width": 200, "height": 300},
        is_mobile=True,
        has_touch=True,
    )
    field = "<input class=box autocomplete=cc-number value=x><p style='height: 1500px'>"
    html = PRIVATE.format(where="left: 30px; top: 200px", field=field)
    await tab.show(html.replace("<body", meta + "<body") + "<script>scrollTo(0, 110)</script>")
    observation = await tab.capture(full_page=full_page)
    picture = Image.open(BytesIO(observation.png)).convert("RGB")
    stored = encode_screenshot(observation.png, observation.masks, scale=observation.scale)
    left = Image.open(BytesIO(stored.webp)).convert("RGB").getcolors(1 << 24)
    assert picture.getcolors(1 << 24) != left
    assert (200, 0, 0) not in {colour for _, colour in left or []}
    if not full_page:
        assert picture.size == (round(200 * scale), pytest.approx(300 * scale, abs=1))


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
