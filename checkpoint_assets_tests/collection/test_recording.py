"""Chrome DevTools Recorder exports are read like scenario files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.collection.scenario_file import load_scenario, load_scenarios
from checkpoint_assets.collection.steps import (
    Click,
    Expect,
    Fill,
    Goto,
    Hover,
    Press,
    Scroll,
    WaitFor,
)
from checkpoint_assets.model.errors import InvalidScenario


def recording(*steps: dict[str, Any], **more: Any) -> str:
    first = {"type": "navigate", "url": "https://shop.example/", "assertedEvents": []}
    return json.dumps({"title": "Buy a pot", "steps": [first, *steps], **more}, indent=4)


def load(folder: Path, text: str) -> Any:
    path = folder / "buy-a-pot.json"
    path.write_text(text)
    return load_scenario(path)


def test_recording_becomes_a_scenario_named_like_its_file(tmp_path: Path) -> None:
    viewport = {"type": "setViewport", "width": 1024, "height": 700, "deviceScaleFactor": 2,
                "isMobile": False, "hasTouch": False, "isLandscape": False}  # fmt: skip
    text = json.dumps(
        {
            "title": "Buy a pot",
            "steps": [viewport, {"type": "navigate", "url": "https://a.example/x"}],
        }
    )
    scenario = load(tmp_path, text)
    assert (scenario.name, scenario.description) == ("buy-a-pot", "Buy a pot")
    assert scenario.start_url == "https://a.example/x"
    assert (scenario.viewport.width, scenario.viewport.height) == (1024, 700)
    assert scenario.viewport.device_scale_factor == 2
    assert [step.kind for step in scenario.steps] == ["goto"]


def test_each_recorded_step_becomes_ours(tmp_path: Path) -> None:
    selectors = [["aria/Search"], ["#q"], ["xpath///*[@id='q']"], ["pierce/#q"], ["text/Sea"]]
    scenario = load(
        tmp_path,
        recording(
            {
                "type": "click",
                "selectors": selectors,
                "offsetX": 4.5,
                "offsetY": 7,
                "target": "main",
            },
            {"type": "change", "selectors": [["#q"]], "value": "pot"},
            {"type": "keyDown", "key": "Enter"},
            {"type": "keyUp", "key": "Enter"},
            {"type": "hover", "selectors": [['aria/Cart[role="link"]']], "timeout": 2500},
            {"type": "scroll", "x": 0, "y": 600.4},
            {"type": "doubleClick", "selectors": [["my-app", "#buy"]], "button": "secondary"},
            {"type": "waitForElement", "selectors": [[".toast"]]},
            {"type": "waitForElement", "selectors": [[".row"]], "operator": "==", "count": 3},
            {"type": "waitForElement", "selectors": [[".busy"]], "visible": False},
            {"type": "close"},
        ),
    )
    goto, click, change, press, hover, scroll, double, toast, rows, busy = scenario.steps
    assert isinstance(goto, Goto)
    assert isinstance(click, Click)
    assert click.selectors[1:] == ("#q", "xpath=//*[@id='q']", "#q", "text=Sea")
    assert click.position == {"x": 4.5, "y": 7}
    assert isinstance(change, Fill)
    assert change.text == "pot"
    assert isinstance(press, Press)
    assert press.key == "Enter"
    assert isinstance(hover, Hover)
    assert (hover.selectors, hover.timeout) == (('role=link[name="Cart"s]',), 2.5)
    assert isinstance(scroll, Scroll)
    assert (scroll.x, scroll.y) == (0, 600)
    assert isinstance(double, Click)
    assert (double.click_count, double.button) == (2, "right")
    assert double.selectors == ("my-app >> #buy",)
    assert isinstance(toast, WaitFor)
    assert toast.state == "visible"
    assert isinstance(rows, Expect)
    assert rows.count == 3
    assert isinstance(busy, WaitFor)
    assert busy.state == "hidden"


@pytest.mark.parametrize(
    ("words", "kind", "expected"),
    [
        ({}, "wait_for", {"selector": "a", "state": "visible"}),
        ({"count": 3}, "wait_for", {"selector": "a >> nth=2", "state": "visible"}),
        ({"operator": ">="}, "wait_for", {"selector": "a", "state": "visible"}),
        (
            {"operator": "<=", "count": 2},
            "wait_for",
            {"selector": "a >> nth=2", "state": "detached"},
        ),
        ({"operator": "<=", "count": 0}, "expect", {"selector": "a", "count": 0}),
        ({"operator": "==", "count": 0}, "expect", {"selector": "a", "count": 0}),
        ({"visible": False}, "wait_for", {"selector": "a", "state": "hidden"}),
    ],
)
def test_an_element_is_waited_for_as_the_recorder_does(
    tmp_path: Path, words: dict[str, Any], kind: str, expected: dict[str, Any]
) -> None:
    """Without an operator it is "at least", and without a count it is one."""
    step = {"type": "waitForElement", "selectors": [["a"]], **words}
    assert load(tmp_path, recording(step)).steps[1].to_dict() == {kind: expected}


def test_no_fewer_than_none_is_always_so(tmp_path: Path) -> None:
    step = {"type": "waitForElement", "selectors": ["a"], "operator": ">=", "count": 0}
    assert len(load(tmp_path, recording(step)).steps) == 1


def test_what_is_scrolled_inside_an_element_is_scrolled_there(tmp_path: Path) -> None:
    step = {"type": "scroll", "selectors": [["#box"]], "x": 0, "y": 70.4}
    assert load(tmp_path, recording(step)).steps[1].to_dict() == {
        "scroll": {"selector": "#box", "x": 0, "y": 70}
    }


def test_held_keys_go_with_the_next_key_and_click(tmp_path: Path) -> None:
    scenario = load(
        tmp_path,
        recording(
            {"type": "keyDown", "key": "Control"},
            {"type": "keyDown", "key": "a"},
            {"type": "keyUp", "key": "a"},
            {"type": "click", "selectors": [["#row"]]},
            {"type": "keyUp", "key": "Control"},
            {"type": "keyDown", "key": "x"},
        ),
    )
    combined, click, plain = scenario.steps[1:]
    assert (combined.key, click.modifiers, plain.key) == ("Control+a", ("Control",), "x")


def test_step_in_a_frame_keeps_its_way_there(tmp_path: Path) -> None:
    step = {"type": "click", "selectors": [["#in"]], "frame": [1, 0]}
    assert load(tmp_path, recording(step)).steps[1].frames == ("iframe >> nth=1", "iframe >> nth=0")


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"type": "waitForExpression", "expression": "true"}, "unsupported recorded step"),
        ({"type": "customStep", "name": "x", "parameters": {}}, "'customStep'"),
        ({"type": "emulateNetworkConditions", "download": 1}, "'emulateNetworkConditions'"),
        ({"type": "click", "selectors": [["#a"]], "target": "https://b.example/"}, "another page"),
        ({"type": "waitForElement", "selectors": ["a"], "operator": "<"}, "unknown .*'<'"),
        ({"type": "waitForElement", "selectors": ["a"], "attributes": {}}, "attributes cannot"),
        ({"type": "click"}, "needs 'selectors'"),
        ({"type": "click", "selectrs": [["#a"]]}, "did you mean 'selectors'"),
        ({"type": "setViewport", "width": 1, "height": 1}, "after the first page"),
        ({"type": "navigate", "url": "file:///etc/passwd"}, "'file'"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name_and_line(
    tmp_path: Path, step: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidScenario, match=message) as caught:
        load(tmp_path, recording(step))
    assert caught.value.line is not None
    assert caught.value.line > 3


def test_recordings_of_a_folder_are_scenarios_like_the_others(tmp_path: Path) -> None:
    load(tmp_path, recording())
    assert [scenario.name for scenario in load_scenarios(tmp_path).scenarios] == ["buy-a-pot"]
