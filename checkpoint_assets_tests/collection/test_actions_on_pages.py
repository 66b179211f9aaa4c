"""Every kind of step does on a real page what its name says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets_tests.collection.captures import Captures, scenario_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Writes down what happens to it, in words.
PAGE = """<!doctype html><title>A form</title><body style="height: 4000px">
<input id=text value=old><textarea id=area></textarea><p id=edit contenteditable>old</p>
<select id=one><option value=s>Small<option value=m>Medium</select>
<select id=many multiple><option>a<option>b<option>c</select>
<input id=box type=checkbox><input id=on type=checkbox checked><input id=radio type=radio>
<div style="display: none"><input id=file type=file multiple></div>
<button id=b>Press me</button><div id=hover>hover</div>
<iframe srcdoc="<input id=inner>"></iframe><ul><li>one<li>two<li>three</ul>
<p id=later hidden>later</p><p id=gone>gone</p><p id=odd>a >> b "c" it's</p>
<div id=end style="position: absolute; top: 3000px">end</div><ol id=said></ol><script>
const say = (text) => document.getElementById("said").append(
  Object.assign(document.createElement("li"), { textContent: text }));
const on = (id, kind, tell) => document.getElementById(id).addEventListener(kind, tell);
on("b", "click", (e) => say(`click ${e.button} ${e.detail} ${e.shiftKey}`));
on("b", "contextmenu", (e) => { e.preventDefault(); say(`menu at ${e.offsetX},${e.offsetY}`); });
on("hover", "mouseenter", () => say("hovered"));
addEventListener("keydown", (e) => say(`key ${e.key} ${e.ctrlKey}`));
on("b", "click", () => setTimeout(() => { later.hidden = false; gone.remove(); }, 150));
</script>"""


@pytest.fixture
def page(captures: Captures) -> str:
    return captures.pages.add(PAGE)


async def do(captures: Captures, page: str, *steps: Any, **keys: Any) -> SessionManifest:
    """Do the steps on the page; all of them succeed."""
    manifest = await captures.run({"goto": page}, *steps, **keys)
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    return manifest


async def said(captures: Captures, page: str, *steps: Any) -> list[str]:
    """What the page has to say of the steps."""
    manifest = await do(captures, page, *steps)
    list_of_it = captures.html(manifest).partition('<ol id="said">')[2].partition("</ol>")[0]
    return [item.removesuffix("</li>") for item in list_of_it.split("<li>")[1:]]


async def test_fill_replaces_what_was_there(captures: Captures, page: str):
    manifest = await do(
        captures,
        page,
        {"fill": {"selector": "#text", "text": "new"}},
        {"fill": {"selector": "#area", "text": "two\nlines"}},
        {"fill": {"selector": "#edit", "text": "edited"}},
        {"fill": {"selector": "#inner", "frame": "iframe", "text": "inside"}},
        {"expect": {"selector": "#text", "value": "new"}},
        {"expect": {"selector": "#inner", "frame": "iframe", "value": "inside"}},
        {"fill": {"selector": "#text", "text": ""}},
        {"expect": {"selector": "#text", "value": ""}},
    )
    html = captures.html(manifest)
    assert ">two\nlines</textarea>" in html
    assert ">edited</p>" in html
    assert captures.action(manifest, 4)["frames"] == ["iframe"]


async def test_click_with_every_option(captures: Captures, page: str):
    assert await said(
        captures,
        page,
        {"click": "#b"},
        {"click": {"selector": "#b", "click_count": 2}},
        {"click": {"selector": "#b", "modifiers": ["Shift"]}},
        {"click": {"selector": "#b", "button": "right", "position": {"x": 5, "y": 7}}},
    ) == [
        *("click 0 1 false", "click 0 1 false", "click 0 2 false"),
        *("key Shift false", "click 0 1 true", "menu at 5,7"),
    ]


async def test_press_on_a_target_or_on_what_has_the_focus(captures: Captures, page: str):
    manifest = await do(
        captures,
        page,
        {"press": {"selector": "#text", "key": "Control+A"}},
        {"press": "x"},
        {"press": {"selector": "#area", "key": "Enter"}},
        {"expect": {"selector": "#text", "value": "x"}},
        {"expect": {"selector": "#area", "value": "\n"}},
    )
    assert captures.action(manifest, 1)["value"] == "Control+A"
    # The key went to what had the focus.
    assert captures.action(manifest, 2)["target"]["attributes"]["id"] == "text"


async def test_select_by_value_and_by_label(captures: Captures, page: str):
    await do(
        captures,
        page,
        {"select": {"selector": "#one", "value": "m"}},
        {"expect": {"selector": "#one", "value": "m"}},
        {"select": {"selector": "#one", "label": "Small"}},
        {"expect": {"selector": "#one", "value": "s"}},
        {"select": {"selector": "#many", "values": ["a", "c"]}},
        {"expect": {"selector": "#many", "value": "a"}},
    )


async def test_check_and_uncheck(captures: Captures, page: str):
    manifest = await do(
        captures,
        page,
        {"check": "#box"},
        {"check": "#radio"},
        {"uncheck": "#on"},
        {"check": "#box"},
    )
    html = captures.html(manifest)
    checked = {
        name for name in ("box", "on", "radio") if re.search(f'id="{name}"[^>]* checked', html)
    }
    assert checked == {"box", "radio"}
    assert captures.action(manifest, 3)["value"] is False


async def test_hover(captures: Captures, page: str):
    assert await said(captures, page, {"hover": "#hover"}) == ["hovered"]


async def test_scroll_to_a_place_or_to_a_target(captures: Captures, page: str):
    manifest = await do(captures, page, {"scroll": {"y": 700}}, {"scroll": "#end"})
    assert captures.facts(manifest, 1)["scroll"] == {"x": 0, "y": 700}
    assert 2000 < captures.facts(manifest, 2)["scroll"]["y"] <= 3000
    assert captures.action(manifest, 1)["value"] == {"x": 0, "y": 700}


async def test_scroll_inside_a_target(captures: Captures):
    url = captures.pages.add(
        "<div id=box style='width: 90px; height: 90px; overflow: auto'>"
        "<div style='width: 900px; height: 900px'></div></div><p></p><script>box.onscroll = () =>"
        " document.querySelector('p').textContent = [box.scrollLeft, box.scrollTop]</script>"
    )
    manifest = await do(
        captures,
        url,
        {"scroll": {"selector": "#box", "x": 20, "y": 70}},
        {"expect": {"selector": "p", "text": "20,70"}},
        {"scroll": {"selector": "#box", "y": 30}},
        {"expect": {"selector": "p", "text": "0,30"}},
    )
    assert captures.action(manifest, 1)["value"] == {"x": 20, "y": 70}


async def test_wait_for_every_state(captures: Captures, page: str):
    await do(
        captures,
        page,
        {"click": "#b"},
        {"wait_for": "#later"},
        {"wait_for": {"selector": "#gone", "state": "detached"}},
        {"wait_for": {"selector": "#gone", "state": "hidden"}},
        {"wait_for": {"selector": "#file", "state": "attached"}},
        {"wait_for": {"text": "later"}},
        {"wait_for": {"url": page}},
    )


@pytest.mark.parametrize("text", ['a >> b "c" it\'s', '"c"', "A  >> B", ">> b"])
async def test_a_text_to_wait_for_is_only_text(captures: Captures, page: str, text: str):
    await do(captures, page, {"wait_for": {"text": text, "timeout": 1}})


async def test_upload_takes_files_beside_the_scenario(
    captures: Captures, page: str, tmp_path: Path
):
    (tmp_path / "one.txt").write_text("content of one")
    (tmp_path / "two.txt").write_text("content of two")
    scenario = scenario_on(captures.pages, {"goto": page})
    text = (
        f"name: upload\nstart_url: {page}\nallow_private: {list(scenario.allow_private)}\n"
        "steps:\n- upload: {selector: '#file', files: [one.txt, two.txt]}\n"
    )
    manifest = await captures.collector.capture_scenario(
        parse_scenario(text, path=tmp_path / "upload.yaml")
    )
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert captures.action(manifest)["value"] == ["one.txt", "two.txt"]
    assert str(tmp_path) not in str(captures.tree(manifest.session_id))


async def test_expectations_of_every_kind_hold(captures: Captures, page: str):
    await do(
        captures,
        page,
        {"expect": {"selector": "#odd", "text": "a  >> b"}},
        {"expect": {"selector": "#odd", "matches": '^a .* "c"'}},
        {"expect": {"selector": "#text", "value": "old"}},
        {"expect": {"selector": "ul > li", "count": 3}},
        {"expect": {"selector": "#nowhere", "count": 0}},
        {"expect": {"selector": "#b", "visible": True}},
        {"expect": {"selector": ["#later", "#nowhere"], "visible": False}},
        {"expect": {"title": "form"}},
        {"expect": {"url": page}},
        {"expect": {"selector": ["#nowhere", "#b"], "text": "Press"}},
    )


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        ({"selector": "#odd", "text": "A >> b"}, "a >> b"),
        ({"selector": "#odd", "matches": "^b"}, "a >> b"),
        ({"selector": "#text", "value": "ol"}, "'old'"),
        ({"selector": "ul > li", "count": 2}, "'3'"),
        ({"selector": "#b", "visible": False}, "'visible'"),
        ({"selector": "#later", "visible": True}, "'hidden'"),
        ({"selector": "#nowhere", "text": "x"}, "no such element"),
        ({"title": "a form"}, "'A form'"),
        ({"url": "/elsewhere"}, "http://127.0.0.1"),
    ],
)
async def test_an_expectation_that_does_not_hold_says_what_was_found(
    captures: Captures, page: str, expect: dict[str, Any], found: str
):
    manifest = await captures.run({"goto": page}, {"expect": {**expect, "timeout": 0.5}})
    assert manifest.state is SessionState.INCOMPLETE
    assert "step 2 (expect): expected " in (manifest.reason or "")
    assert found in (manifest.reason or "").partition(", found ")[2]


async def test_a_recorded_change_of_a_list_selects(captures: Captures, page: str):
    await do(
        captures,
        page,
        {"fill": {"selector": "#one", "text": "m"}},
        {"expect": {"selector": "#one", "value": "m"}},
    )


async def test_a_target_that_is_covered_is_not_acted_on_through_the_cover(captures: Captures):
    url = captures.pages.add(
        "<button>b</button><div style='position: fixed; inset: 0; background: #fff'>cover</div>"
    )
    manifest = await captures.run({"goto": url}, {"click": {"selector": "button", "timeout": 0.5}})
    assert manifest.state is SessionState.INCOMPLETE
    assert "took longer than 0.5 s" in (manifest.reason or "")


async def test_the_timeout_of_the_scenario_is_that_of_its_steps(captures: Captures, page: str):
    manifest = await captures.run({"goto": page}, {"click": "#nowhere"}, timeout=0.2)
    assert "within 0.2 s" in (manifest.reason or "")
