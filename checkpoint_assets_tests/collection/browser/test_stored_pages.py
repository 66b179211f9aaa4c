"""A stored page runs nothing, leads nowhere, and nothing of it breaks out of its place."""

from __future__ import annotations

import pytest

from checkpoint_assets_tests.collection.browser.conftest import Kept, Reopen, Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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


async def test_a_stored_page_neither_leads_away_nor_forbids_what_is_in_it(kept: Kept):
    page = await kept(
        "<meta http-equiv=Refresh content='3600;url=/elsewhere'>"
        "<meta http-equiv=content-security-policy content=\"default-src 'none'\">"
        "<meta http-equiv=content-language content=de>"
    )
    assert await page.locator("meta[http-equiv]").get_attribute("content") == "de"
    assert await page.locator("meta[data-checkpoint-http-equiv]").count() == 2
