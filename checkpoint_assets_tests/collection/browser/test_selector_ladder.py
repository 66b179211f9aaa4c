"""Every alternative that is written down leads to the very element it was written down for."""

from __future__ import annotations

from typing import Any

import pytest

from checkpoint_assets.collection.browser.targets import describe, find_target, in_frames
from checkpoint_assets_tests.collection.browser.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = """<!doctype html><title>t</title>
<form id=f><label>E-mail <input name=email data-mark=labelled></label>
<input placeholder='your "name"' data-mark=placeholder><input type=checkbox data-mark=bare>
<button data-mark=first>Send</button><button data-mark=second>Send</button>
<button data-mark=nested><span>Buy</span> <i>now</i></button>
<button aria-label='close "it" \\ all' data-mark=quotes>x</button>
<input type=submit value='Go on' data-mark=submit></form>
<ul><li>one</li><li><a href=/x data-mark=link>it's 5 > 3 & so</a></li></ul>
<h2 data-mark=heading>Über uns</h2><div><div><p>a</p><p data-mark=plain></p></div></div>
<div id='odd:id.1' data-mark=odd>odd</div><b id=same>1</b><b id=same data-mark=twin>2</b>
<svg width=20 height=20><g><rect width=9 height=9 data-mark=svg></rect></g></svg>
<img alt='A cat' src='data:,' width=9 height=9 data-mark=image>
<select data-mark=list><option>1</select><textarea aria-labelledby=same data-mark=area></textarea>
<x-a></x-a><script>
const outer = document.querySelector('x-a').attachShadow({mode: 'open'});
outer.innerHTML = '<p>light</p><x-b></x-b>';
outer.querySelector('x-b').attachShadow({mode: 'open'}).innerHTML =
  '<button>Send</button><button data-mark=shadow>Deep</button>';
</script>"""
MARKS = {
    "labelled": {"role", "css", "xpath"},
    "placeholder": {"role", "css", "xpath"},
    "bare": {"role", "css", "xpath"},
    "first": {"role", "text", "css", "xpath"},
    "second": {"role", "text", "css", "xpath"},
    "nested": {"role", "text", "css", "xpath"},
    "quotes": {"role", "text", "css", "xpath"},
    "submit": {"role", "css", "xpath"},
    "link": {"role", "text", "css", "xpath"},
    "heading": {"role", "text", "css", "xpath"},
    "plain": {"css", "xpath"},
    "odd": {"text", "css", "xpath"},
    "twin": {"text", "css", "xpath"},
    "svg": {"css", "xpath"},
    "image": {"role", "css", "xpath"},
    "list": {"role", "css", "xpath"},
    "area": {"role", "css", "xpath"},
    "shadow": {"role", "text", "css"},
}


async def described(tab: Tab, selector: str, *frames: str) -> dict[str, Any]:
    return await describe(await find_target(tab.page, [selector], frames, 2, must_be_visible=False))


async def check_ladder(tab: Tab, mark: str, *frames: str) -> dict[str, str]:
    """Each way leads to one element, the marked one."""
    alternatives = (await described(tab, f"[data-mark={mark}]", *frames))["alternatives"]
    for way, selector in alternatives.items():
        found = in_frames(tab.page, frames).locator(selector)
        # More than one would be an error here.
        assert await found.get_attribute("data-mark") == mark, (way, selector)
    return alternatives


@pytest.mark.parametrize(("mark", "ways"), MARKS.items())
async def test_each_way_leads_to_the_element(tab: Tab, mark: str, ways: set[str]):
    await tab.show(PAGE)
    assert set(await check_ladder(tab, mark)) >= ways


async def test_a_good_name_makes_a_good_selector(tab: Tab):
    await tab.show(PAGE)
    assert await check_ladder(tab, "labelled") == {
        "role": 'role=textbox[name="E-mail"s]',
        "css": 'css=input[name="email"]',
        "xpath": 'xpath=//*[@id="f"]/label[1]/input[1]',
    }
    assert (await check_ladder(tab, "second"))["role"] == 'role=button[name="Send"s] >> nth=1'
    assert (await check_ladder(tab, "shadow"))["role"] == 'role=button[name="Deep"s]'


async def test_in_a_frame_each_way_begins_inside_it(tab: Tab):
    inner = tab.pages.add(PAGE)
    await tab.show(f"<button>Send</button><iframe name=in src='{inner}'></iframe>")
    assert set(await check_ladder(tab, "first", "iframe")) == {"role", "text", "css", "xpath"}
    found = await described(tab, "[data-mark=first]", "iframe")
    assert found["frame"] == {"url": inner, "name": "in"}
    assert "frame" not in await described(tab, "body > button")


async def test_a_deep_or_a_wide_page_has_ways_too(tab: Tab):
    await tab.show(
        "<body><script>let place = document.body; for (let n = 0; n < 400; n++)"
        " place = place.appendChild(document.createElement('div'));"
        " for (let n = 0; n < 3000; n++) place.append(document.createElement('i'));"
        " place.children[2000].dataset.mark = 'far'</script>"
    )
    assert set(await check_ladder(tab, "far")) >= {"css", "xpath"}


async def test_of_a_private_element_only_the_place_is_told(tab: Tab):
    await tab.show(
        "<label>tok-a <input type=password title=tok-b></label>"
        "<p data-private title=tok-c>tok-d <a href=/ aria-label=tok-e>tok-f</a></p>"
        "<label>who <b data-private>tok-g</b><input name=who></label>"
    )
    for selector in ("input >> nth=0", "p", "a", "input >> nth=1"):
        found = await described(tab, selector)
        assert "tok-" not in str(found)
        assert "css" in found["alternatives"]


async def test_writing_them_down_leaves_no_trace_in_the_page(tab: Tab):
    await tab.show(PAGE)
    await tab.page.evaluate(
        "globalThis.seen = []; new MutationObserver((records) => seen.push(...records))"
        ".observe(document, {subtree: true, childList: true, attributes: true})"
    )
    names = "Object.getOwnPropertyNames(globalThis).length"
    before = await tab.page.evaluate(names)
    await check_ladder(tab, "second")
    assert await tab.page.evaluate("seen.length") == 0
    assert await tab.page.evaluate(names) == before
