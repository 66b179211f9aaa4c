"""Whatever an agent's framework returns becomes an action record, and no secret with it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from checkpoint_assets.collection.agent_actions import MAX_TEXT, plain, read_action, read_replay
from checkpoint_assets.collection.redaction import MASK
from checkpoint_assets.model.ids import step_id
from checkpoint_assets.model.records import encode_json

CLICK = {
    "selector": "xpath=/html/body/button",
    "description": "the button",
    "method": "click",
    "arguments": [],
}
PASSWORD = {**CLICK, "selector": "xpath=//input", "description": "the password field"}
TYPED = {**PASSWORD, "method": "fill", "arguments": ["correct horse"]}


class Acted(BaseModel):
    success: bool = True
    message: str = "done"
    action_description: str = "clicked"
    actions: list[dict[str, Any]] = [CLICK]


class Metadata(BaseModel):
    action_id: str = "a-1"
    cache: dict[str, str] = {"status": "MISS"}
    usage: dict[str, int] = {"input_tokens": 11, "output_tokens": 3}


class Version4(BaseModel):
    data: Any = Acted()
    metadata: Metadata = Metadata()


def test_stagehand_4_act_says_what_was_done_and_what_it_cost():
    action = read_action(Version4())
    assert (action.kind, action.framework, action.success) == ("act", "stagehand", True)
    assert action.details == {
        "version": 4,
        "message": "done",
        "description": "clicked",
        "actions": [CLICK],
        "action_id": "a-1",
        "cache": {"status": "MISS"},
        "usage": {"input_tokens": 11, "output_tokens": 3},
    }


def test_stagehand_4_observe_and_extract():
    observed = read_action(Version4(data=[CLICK, CLICK]))
    assert (observed.kind, len(observed.details["actions"])) == ("observe", 2)
    extracted = read_action(Version4(data={"price": 12}))
    assert (extracted.kind, extracted.details["data"]) == ("extract", {"price": 12})
    assert extracted.details["usage"]["input_tokens"] == 11


def test_an_act_that_failed_says_so():
    assert read_action(Version4(data=Acted(success=False))).success is False


def test_stagehand_3_results_and_replay():
    result = {"success": True, "message": "m", "actionDescription": "d", "actions": [CLICK]}
    acted = read_action({"success": True, "data": {"result": result, "actionId": "b-2"}})
    assert (acted.kind, acted.details["version"], acted.details["action_id"]) == ("act", 3, "b-2")
    assert acted.details["description"] == "d"
    observed = read_action({"success": True, "data": {"result": [CLICK]}})
    assert observed.kind == "observe"
    extracted = read_action({"success": True, "data": {"result": {"a": 1}}})
    assert (extracted.kind, extracted.success) == ("extract", True)
    replay = read_replay(
        {
            "data": {
                "pages": [
                    {
                        "url": "https://a.example/",
                        "actions": [
                            {"method": "act", "parameters": {"input": "x"}, "tokenUsage": {"n": 1}}
                        ],
                    }
                ]
            }
        }
    )
    assert [(each.kind, each.details["page_url"]) for each in replay] == [
        ("act", "https://a.example/")
    ]
    assert replay[0].details["usage"] == {"n": 1}


def test_stagehand_0_5_dicts():
    acted = read_action({"success": True, "message": "m", "action": "clicked the button"})
    assert (acted.kind, acted.details["description"]) == ("act", "clicked the button")
    assert read_action([CLICK]).kind == "observe"
    assert read_action(CLICK).details["actions"] == [CLICK]


def test_calls_of_playwright():
    action = read_action({"method": "page.click", "args": ["#buy"]})
    assert (action.kind, action.framework) == ("click", "playwright")
    assert action.details["parameters"] == ["#buy"]
    typed = read_action({"method": "fill", "args": ["#password", "horse", {"timeout": 5}]})
    assert typed.details["parameters"] == ["#password", MASK, {"timeout": 5}]


def test_plain_dicts_are_kept_as_they_are():
    action = read_action({"type": "scroll", "by": 200})
    assert (action.kind, action.framework) == ("scroll", "plain")
    assert action.details == {"data": {"type": "scroll", "by": 200}}
    assert read_action(None).kind == "action"
    assert read_action({"a": 1}, kind="goto").kind == "goto"


@pytest.mark.parametrize(
    "given",
    [
        Version4(data=Acted(actions=[TYPED])),
        {"success": True, "data": {"result": [TYPED]}},
        [TYPED],
        TYPED,
        {"type": "fill", "selector": "#password", "text": "correct horse"},
        {"method": "page.fill", "args": ["#password", "correct horse"]},
        {"method": "fill", "selector": "#password", "args": ["correct horse"]},
        {"method": "fill", "selector": "#password", "params": "correct horse"},
        {"method": "fill", "selector": "#password", "value": "correct horse"},
        {"method": "fill", "params": {"selector": "#password", "value": "correct horse"}},
        {"calls": [{"method": "fill", "args": ["#password", "correct horse"]}]},
        {"type": "login", "password": "correct horse"},
        {"steps": [{"name": "password", "value": "correct horse"}]},
    ],
)
def test_what_was_typed_into_a_private_field_is_masked(given: Any):
    assert "horse" not in str(read_action(given))


def test_what_json_cannot_hold_is_left_out():
    @dataclasses.dataclass
    class Odd:
        number: float = float("nan")
        content: bytes = b"x"
        text: str = "x" * (2 * MAX_TEXT)

    words = plain(Odd())
    assert words == {"number": None, "content": "<bytes>", "text": "x" * MAX_TEXT}
    endless: dict[str, Any] = {}
    endless["again"] = endless
    encode_json(plain(endless))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "metadata", "usage", "result", "success", "action", "actions", "kind",
                 "selector", "description", "method", "args", "params", "type", "arguments"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_like)
def test_nothing_that_is_returned_breaks_a_record(given: Any):
    action = read_action(given)
    encode_json(plain(action.to_dict()).__repr__().encode("utf-8", "replace").decode())
    assert step_id(1, action.kind)
