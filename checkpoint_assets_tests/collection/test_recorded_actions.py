"""What ``action.json`` says of every kind of action, and what it keeps to itself."""

from __future__ import annotations

from typing import Any

import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets_tests.collection.captures import DEAD, Captures, check_incomplete

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PAGE = """<!doctype html><title>A form</title><body style="height: 3000px">
<input id=text autofocus><select id=list><option value=s>S<option value=m>M</select>
<input id=box type=checkbox><button id=b>Press me</button><input id=file type=file>
<p id=p data-private>ann's own</p>"""
ON_TARGET: list[dict[str, Any]] = [
    {"fill": {"selector": ["#nope", "#text"], "text": "new"}},
    {"click": {"selector": ["#nope", "#text"], "modifiers": ["Shift"], "click_count": 2}},
    {"press": {"selector": ["#nope", "#text"], "key": "End"}},
    {"select": {"selector": ["#nope", "#list"], "value": "m"}},
    {"check": {"selector": ["#nope", "#box"]}},
    {"uncheck": {"selector": ["#nope", "#box"]}},
    {"hover": {"selector": ["#nope", "#b"]}},
    {"scroll": {"selector": ["#nope", "#b"]}},
    {"wait_for": {"selector": ["#nope", "#b"]}},
    {"expect": {"selector": ["#nope", "#b"], "text": "Press"}},
]


@pytest.fixture
def page(captures: Captures) -> str:
    return captures.pages.add(PAGE)


async def test_every_action_on_a_target_says_which_how_and_when(captures: Captures, page: str):
    manifest = await captures.run({"goto": page}, *ON_TARGET)
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    for number, step in enumerate(ON_TARGET, start=1):
        action = captures.action(manifest, number)
        ((kind, words),) = step.items()
        assert action["kind"] == kind
        assert action["selectors"] == words["selector"]
        assert action["selector"] == words["selector"][1]
        assert action["matches"] == 1
        assert set(action["target"]) == {"tag", "attributes", "text", "private", "box"}
        assert action["target"]["attributes"]["id"] == words["selector"][1][1:]
        assert set(action["target"]["box"]) == {"x", "y", "width", "height"}
        assert {"css", "xpath", "role"} <= set(action["alternatives"])
        assert action["url_before"] == action["url_after"] == page
        assert set(action["milliseconds"]) >= {"act", "settle", "capture"}
        assert action["outcome"] == "ok"
    assert captures.action(manifest, 2)["options"] == {"modifiers": ["Shift"], "click_count": 2}


async def test_an_action_on_the_page_says_where_it_led(captures: Captures, page: str):
    manifest = await captures.run({"goto": page}, {"scroll": {"y": 50}}, {"goto": "/gone-by"})
    assert captures.action(manifest, 0)["url_before"] == "about:blank"
    assert captures.action(manifest, 0)["status"] == 200
    assert "status" not in captures.action(manifest, 1)
    assert captures.action(manifest, 2)["status"] == 404
    assert captures.action(manifest, 2)["outcome"] == "failed"


async def test_errors_and_failed_requests_go_with_the_action_that_they_came_after(
    captures: Captures,
):
    url = captures.pages.add(
        "<button>b</button><script>console.error('at first');"
        "document.querySelector('button').onclick = () => { console.error('then');"
        f" fetch('http://{DEAD}/x').catch(() => {{ }}); throw new Error('at last') }}</script>"
    )
    manifest = await captures.run({"goto": url}, {"click": "button"}, {"press": "a"})
    before, clicked, after = (captures.action(manifest, number) for number in range(3))
    assert before["console_errors"] == [{"text": "at first"}]
    assert {"text": "then"} in clicked["console_errors"]
    assert clicked["page_errors"][0]["text"].startswith("at last")
    assert clicked["failed_requests"] == [
        {"url": f"http://{DEAD}/x", "error": "net::ERR_CONNECTION_REFUSED"}
    ]
    assert not {"console_errors", "page_errors", "failed_requests"} & set(after)


async def test_a_failed_action_says_how_far_it_came(captures: Captures, page: str):
    covered = captures.pages.add(PAGE + "<div style='position: fixed; inset: 0'>cover</div>")
    manifest = await captures.run({"goto": covered}, {"click": {"selector": "#b", "timeout": 0.3}})
    action = captures.action(manifest)
    assert action["outcome"] == "failed"
    assert action["error"]["type"] == "CaptureTimeout"
    assert action["target"]["text"] == "Press me"
    assert action["alternatives"]["role"] == 'role=button[name="Press me"s]'


async def test_keys_that_go_into_a_private_field_are_not_told(captures: Captures):
    url = captures.pages.add("<input type=password autofocus><script>"
                             "document.querySelector('input').focus()</script>")  # fmt: skip
    manifest = await captures.run({"goto": url}, {"press": "q"})
    assert captures.action(manifest)["value"] == "********"
    assert manifest.metadata["scenario"]["steps"][1] == {"press": {"key": "********"}}


@pytest.mark.parametrize(
    "words", [{"text": "ann's own"}, {"matches": "ann's .*"}, {"text": "bob's own", "timeout": 0.2}]
)
async def test_what_is_expected_of_something_private_is_not_told(
    captures: Captures, page: str, words: dict[str, Any]
):
    manifest = await captures.run({"goto": page}, {"expect": {"selector": "#p", **words}})
    assert captures.action(manifest)["value"] == "********"
    if "timeout" in words:
        check_incomplete(manifest, "expected text", "********")
    everything = b"".join(captures.tree(manifest.session_id).values())
    assert b"s own" not in everything
    assert b"s .*" not in everything
