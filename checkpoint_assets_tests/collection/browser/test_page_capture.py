"""What a capture keeps of a page, read back in a browser that runs no script of it."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from checkpoint_assets.testing.demo_shop_site import DemoShop
from checkpoint_assets.testing.web_server import Response
from checkpoint_assets_tests.collection.browser.conftest import Kept, Reopen, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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


async def test_values_that_a_script_or_a_user_gave_are_kept(kept: Kept):
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


async def test_what_is_checked_is_kept_and_what_is_not_any_more_is_not(kept: Kept):
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


async def test_selected_options_are_kept(kept: Kept):
    page = await kept(
        "<select id=one><option>1<option>2<option selected>3</select>"
        "<select id=many multiple><option selected>1<option>2<option>3</select>"
        "<script>one.value = '2'; many.options[0].selected = false;"
        "many.options[1].selected = many.options[2].selected = true</script>"
    )
    chosen = "id => [...document.getElementById(id).selectedOptions].map(each => each.text)"
    assert await page.evaluate(chosen, "one") == ["2"]
    assert await page.evaluate(chosen, "many") == ["2", "3"]


async def test_edited_text_is_kept(kept: Kept):
    page = await kept(
        "<div contenteditable>old</div><script>"
        "document.querySelector('div').innerHTML = 'new <i>text</i>'</script>"
    )
    assert await page.inner_html("div") == "new <i>text</i>"


async def test_open_shadow_roots_are_kept_with_the_values_inside(kept: Kept):
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


async def test_adopted_style_sheets_are_kept(kept: Kept):
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


async def test_rules_that_a_script_put_in_or_took_out_are_kept(kept: Kept):
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
    inner = tab.pages.add(
        "<input><p>in a frame</p><script>"
        "document.querySelector('input').value = 'typed \"<&'</script>"
    )
    middle = tab.pages.add(f"<iframe id=inner src='{inner}'></iframe>")
    await tab.show(f"<iframe id=outer src='{middle}'></iframe>")
    observation = await tab.capture(screenshot=False)
    page = await reopen(observation)
    frame = page.frame_locator("#outer").frame_locator("#inner")
    assert await frame.locator("input").input_value() == 'typed "<&'
    assert await frame.locator("p").inner_text() == "in a frame"
    assert observation.facts["counts"]["frames"] == 2


async def test_srcdoc_frames_are_kept_with_the_values_inside(kept: Kept):
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


async def test_pixels_of_a_canvas_are_kept(kept: Kept):
    page = await kept(
        "<body style='margin: 0'><canvas width=40 height=20></canvas><script>"
        "const c = document.querySelector('canvas').getContext('2d');"
        "c.fillStyle = 'rgb(10, 200, 30)'; c.fillRect(0, 0, 20, 20)</script>"
    )
    picture = Image.open(BytesIO(await page.screenshot())).convert("RGB")
    assert picture.getpixel((10, 10)) == (10, 200, 30)
    assert picture.getpixel((30, 10)) == (255, 255, 255)


async def test_a_canvas_that_may_not_be_read_is_marked_and_counted(tab: Tab):
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'
    picture = tab.pages.add(Response(body=svg, media_type="image/svg+xml"))
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


async def test_a_modal_dialog_is_told_from_an_open_one(kept: Kept):
    page = await kept(
        "<dialog id=a>one</dialog><dialog id=b>two</dialog><dialog id=c>three</dialog>"
        "<div id=d popover>four</div>"
        "<script>a.showModal(); b.show(); d.showPopover()</script>"
    )
    assert await page.locator("[data-checkpoint-modal]").get_attribute("id") == "a"
    assert await page.locator("[data-checkpoint-popover-open]").get_attribute("id") == "d"
    assert await page.locator("#b").is_visible()
    assert not await page.locator("#c").is_visible()


async def test_templates_keep_what_is_in_them(kept: Kept):
    page = await kept("<template><p>in <b>it</b></p></template>")
    inside = "document.querySelector('template').content.querySelector('p').innerHTML"
    assert await page.evaluate(inside) == "in <b>it</b>"


async def test_a_template_that_never_became_a_shadow_root_does_not_become_one(kept: Kept):
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


async def test_svg_and_mathml_stay_what_they_are(kept: Kept):
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


async def test_text_with_every_special_character_is_kept(kept: Kept):
    text = "a & b &amp; <c> \"d\" 'e' \u00a0 ü 😀 -- > ]]> \u2028"
    page = await kept(
        f"<body><p></p><pre></pre><script>const text = {text!r};"
        "document.querySelector('p').textContent = text;"
        "document.querySelector('pre').textContent = '\\n\\n' + text</script>"
    )
    assert await page.evaluate("document.querySelector('p').textContent") == text
    assert await page.evaluate("document.querySelector('pre').textContent") == "\n\n" + text


async def test_half_a_surrogate_pair_is_replaced_and_said(tab: Tab):
    await tab.show(
        "<p></p><script>document.querySelector('p').textContent = 'a\\ud800b';"
        "document.title = 't\\udfff'</script>"
    )
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
    await tab.show(
        "<body><div hidden></div><script>let at = document.querySelector('div');"
        "for (let n = 0; n < 20000; n++) at = at.appendChild(document.createElement('b'));"
        "at.textContent = 'deep'</script>"
    )
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
