"""Finding what a step names: in order, through frames and shadow roots, and what to say if not."""

from __future__ import annotations

import time

import pytest

from checkpoint_assets.collection.browser.targets import describe, find_target
from checkpoint_assets.model.errors import BrowserCrashed, CaptureTimeout, ElementNotFound
from checkpoint_assets_tests.collection.browser.conftest import Tab

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HIDDEN = "style='display: none'"


async def found(tab: Tab, *selectors: str, frames: tuple[str, ...] = (), seconds: float = 2) -> str:
    target = await find_target(tab.page, selectors, frames, seconds)
    return f"{target.selector}: {await target.locator.inner_text()}"


async def refusal(
    tab: Tab, *selectors: str, frames: tuple[str, ...] = (), seconds: float = 0.2
) -> str:
    with pytest.raises(ElementNotFound) as caught:
        await find_target(tab.page, selectors, frames, seconds)
    return str(caught.value)


async def test_the_first_selector_that_matches_is_taken(tab: Tab):
    await tab.show("<b id=b>bee</b><i id=c>sea</i>")
    assert await found(tab, "#a", "#b", "#c") == "#b: bee"


async def test_selectors_of_every_kind_work(tab: Tab):
    await tab.show("<button>Go on</button>")
    for selector in ("button", "text=Go on", "role=button[name='Go on']", "xpath=//button"):
        assert await found(tab, selector) == f"{selector}: Go on"


async def test_a_hidden_first_match_is_skipped(tab: Tab):
    await tab.show(f"<b {HIDDEN}>one</b><b>two</b><b>three</b>")
    target = await find_target(tab.page, ["b"], (), 2)
    assert await target.locator.inner_text() == "two"
    assert target.matches == 3


async def test_a_later_selector_wins_over_one_whose_matches_are_all_hidden(tab: Tab):
    await tab.show(f"<b {HIDDEN}>one</b><i>two</i>")
    assert await found(tab, "b", "i") == "i: two"


async def test_a_hidden_element_is_found_where_it_need_not_be_seen(tab: Tab):
    await tab.show(f"<input type=file {HIDDEN}>")
    target = await find_target(tab.page, ["input"], (), 2, must_be_visible=False)
    assert target.selector == "input"


async def test_an_element_that_comes_later_is_waited_for(tab: Tab):
    script = "setTimeout(() => { document.body.innerHTML = '<b>late</b>' }, 300)"
    await tab.show(f"<body><script>{script}</script>")
    assert await found(tab, "b") == "b: late"


async def test_frames_inside_frames_are_entered(tab: Tab):
    inner = tab.pages.add("<b>deep</b>")
    outer = tab.pages.add(f"<iframe id=inner src='{inner}'></iframe>")
    await tab.show(f"<iframe id=outer src='{outer}'></iframe><b>shallow</b>")
    assert await found(tab, "b", frames=("#outer", "#inner")) == "b: deep"


async def test_a_frame_that_comes_later_is_waited_for(tab: Tab):
    inner = tab.pages.add("<b>deep</b>")
    script = f"setTimeout(() => {{ document.body.innerHTML = '<iframe src={inner}>' }}, 200)"
    await tab.show(f"<body><script>{script}</script>")
    assert await found(tab, "b", frames=("iframe",)) == "b: deep"


async def test_open_shadow_roots_are_pierced(tab: Tab):
    await tab.show(
        "<x-a></x-a><script>const a = document.querySelector('x-a').attachShadow({mode: 'open'});"
        "a.innerHTML = '<x-b></x-b>';"
        "a.firstChild.attachShadow({mode: 'open'}).innerHTML = '<b>deep</b>'</script>"
    )
    assert await found(tab, "x-a x-b b") == "x-a x-b b: deep"


CLOSED = (
    "<x-a></x-a><script>const a = document.querySelector('x-a').attachShadow({mode: 'closed'});"
    "a.innerHTML = '<b>near</b><x-b></x-b>';"
    "const b = a.querySelector('x-b').attachShadow({mode: 'closed'});"
    "b.innerHTML = '<button>deep</button><input>';"
    "b.querySelector('button').onclick = () => document.title = 'clicked'</script>"
)


async def test_closed_shadow_roots_are_pierced_where_nothing_else_is_found(tab: Tab):
    await tab.show(CLOSED + "<b>light</b>")
    assert await found(tab, "b") == "b: light"
    assert await found(tab, "#nowhere", "button") == "closed=button: deep"
    assert await found(tab, "x-a >> button") == "closed=x-a >> closed=button: deep"
    target = await find_target(tab.page, ["button"], (), 2)
    await target.locator.click()
    assert await tab.page.title() == "clicked"
    described = await describe(target)
    assert described["alternatives"]["css"] == "closed=x-a >> closed=x-b >> closed=button"
    again = tab.page.locator(described["alternatives"]["css"])
    assert await again.inner_text() == "deep"
    await (await find_target(tab.page, ["input"], (), 2)).locator.fill("typed")


async def test_closed_shadow_roots_of_a_frame_are_pierced(tab: Tab):
    inner = tab.pages.add(CLOSED)
    await tab.show(f"<iframe src='{inner}'></iframe>")
    assert await found(tab, "button", frames=("iframe",)) == "closed=button: deep"


async def test_what_is_not_in_a_closed_root_either_is_reported_as_ever(tab: Tab):
    await tab.show(CLOSED)
    message = await refusal(tab, "#nowhere", "text=nothing", ":text-is('odd')", seconds=0.7)
    assert "no visible element matched '#nowhere', 'text=nothing', \":text-is('odd')\"" in message


async def test_the_report_names_what_was_tried_and_for_how_long(tab: Tab):
    await tab.show(f"<b {HIDDEN}>one</b><b {HIDDEN}>two</b>")
    message = await refusal(tab, "#nowhere", "b")
    assert "'#nowhere', 'b' (2 hidden)" in message
    assert "within 0.2 s" in message
    assert "no visible element" in message


async def test_the_report_names_the_frames(tab: Tab):
    await tab.show("<iframe srcdoc='<b>deep</b>'></iframe>")
    assert "'i' inside 'iframe'" in await refusal(tab, "i", frames=("iframe",))


async def test_a_frame_that_is_not_there_is_reported_with_the_selector(tab: Tab):
    await tab.show("<p>")
    assert "'b' inside '#frame'" in await refusal(tab, "b", frames=("#frame",))


async def test_a_frame_that_is_not_the_only_one_is_reported(tab: Tab):
    await tab.show("<iframe srcdoc='<b>1</b>'></iframe><iframe srcdoc='<b>2</b>'></iframe>")
    message = await refusal(tab, "b", frames=("iframe",))
    assert "'b' inside 'iframe'" in message
    assert "resolved to 2 elements" in message


@pytest.mark.parametrize("selector", ["##a", "[", "role=", "nonsense=a", "xpath=//[", "a >> [[["])
async def test_an_invalid_selector_is_named_at_once(tab: Tab, selector: str):
    await tab.show("<p>")
    started = time.monotonic()
    message = await refusal(tab, "#fine", selector, seconds=20)
    assert f"the selector {selector!r} is not valid" in message
    assert time.monotonic() - started < 5


async def test_an_invalid_frame_selector_is_named_at_once(tab: Tab):
    await tab.show("<iframe srcdoc='<b>deep</b>'></iframe>")
    started = time.monotonic()
    assert "##frame" in await refusal(tab, "b", frames=("##frame",), seconds=20)
    assert time.monotonic() - started < 5


async def test_a_page_that_keeps_opening_itself_hides_no_missing_element(tab: Tab):
    await tab.show("<script>setTimeout(() => location.reload(), 1)</script>")
    assert "'#nowhere'" in await refusal(tab, "#nowhere", seconds=1)


async def test_an_element_is_found_in_the_page_that_is_being_opened(tab: Tab):
    target = tab.pages.add("<b>there</b>")
    script = f"setTimeout(() => location.href = '{target}', 30)"
    await tab.show(f"<script>{script}</script>")
    assert await found(tab, "b") == "b: there"


async def test_a_page_that_hangs_is_given_up_in_time(tab: Tab):
    await tab.show("<p>")
    await tab.hang()
    started = time.monotonic()
    with pytest.raises(CaptureTimeout, match="'b'"):
        await find_target(tab.page, ["b"], (), 0.3)
    assert time.monotonic() - started < 4


async def test_a_page_that_is_gone_is_said_to_be(tab: Tab):
    await tab.show("<p>")
    await tab.page.close()
    with pytest.raises(BrowserCrashed):
        await find_target(tab.page, ["b"], (), 2)


async def test_what_the_element_was_is_written_down(tab: Tab):
    await tab.show(
        "<body style='margin: 0'><a id=a href='/x' class='u v' style='position: absolute;"
        " left: 10px; top: 20px; width: 30px; height: 40px; display: block'> Go <b>on</b> </a>"
    )
    described = await describe(await find_target(tab.page, ["a"], (), 2))
    assert described == {
        "tag": "a",
        "attributes": {"id": "a", "href": "/x", "class": "u v"},
        "text": "Go on",
        "private": False,
        "box": {"x": 10, "y": 20, "width": 30, "height": 40},
        "alternatives": {
            "role": 'role=link[name="Go on"s]',
            "text": 'a:has-text("Go on")',
            "css": "css=#a",
            "xpath": 'xpath=//*[@id="a"]',
        },
    }


async def test_the_box_of_an_element_in_a_frame_is_that_on_the_page(tab: Tab):
    await tab.show(
        "<body style='margin: 0'><iframe style='position: absolute; left: 100px; top: 50px;"
        " border: 0' srcdoc='<body style=\"margin: 0\"><div>x</div>'></iframe>"
    )
    described = await describe(await find_target(tab.page, ["div"], ("iframe",), 2))
    assert (described["box"]["x"], described["box"]["y"]) == (100, 50)


@pytest.mark.parametrize(
    "field",
    [
        "<input type=password>",
        "<input name=csrf_token>",
        "<input id=user-pass>",
        "<input autocomplete='section-a cc-number'>",
        "<input autocomplete=one-time-code>",
        "<input data-private>",
        "<div data-private><input></div>",
        "<textarea name=secret_note></textarea>",
    ],
)
async def test_private_fields_are_known(tab: Tab, field: str):
    await tab.show(field)
    described = await describe(await find_target(tab.page, ["input, textarea"], (), 2))
    assert described["private"] is True


async def test_values_and_private_text_stay_in_the_page(tab: Tab):
    await tab.show(
        "<main title='fine'>open <p data-private title='tok-a' data-x='tok-b' aria-label='tok-c'>"
        "tok-d <a href='mailto:tok-e'>tok-f</a></p><input value='tok-g'>"
        "<input type=password value='tok-h' data-value='tok-i' placeholder='tok-j'></main>"
    )
    for selector in ("main", "p", "a", "input >> nth=0", "input >> nth=1"):
        described = await describe(await find_target(tab.page, [selector], (), 2))
        assert "tok-" not in str(described), selector
    described = await describe(await find_target(tab.page, ["main"], (), 2))
    assert described["attributes"] == {"title": "fine"}


async def test_text_that_is_half_a_character_can_be_written(tab: Tab):
    await tab.show("<b></b><script>const b = document.querySelector('b');"
                   "b.title = b.textContent = 'a\\ud800b'</script>")  # fmt: skip
    described = await describe(await find_target(tab.page, ["b"], (), 2))
    assert str(described).encode()


async def test_a_page_that_breaks_the_description_makes_the_field_private(tab: Tab):
    await tab.show(
        "<input><script>Element.prototype.matches = () => { throw new Error('no') }</script>"
    )
    described = await describe(await find_target(tab.page, ["input"], (), 2))
    assert described["private"] is True


async def test_describing_on_a_page_that_hangs_ends_in_time(tab: Tab):
    await tab.show("<b>x</b>")
    target = await find_target(tab.page, ["b"], (), 2)
    await tab.hang()
    started = time.monotonic()
    described = await describe(target)
    assert time.monotonic() - started < 4
    assert "error" in described
