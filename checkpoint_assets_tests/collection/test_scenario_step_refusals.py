"""What a step may not say: each refusal with its line and its whole message."""

from __future__ import annotations

import pytest

from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.errors import InvalidScenario

# The first step is on line 4.
HEAD = "name: a\nsite: demo\nsteps:\n"

STEPS = {
    "a word": ("- goto\n", "4: a step must be a kind and its value, but is text (- click: '#buy')"),
    "nothing": ("-\n", "4: a step must be a kind and its value, but is nothing (- click: '#buy')"),
    "unknown kind": ("- goto: /\n- clikc: a\n", "5: unknown step 'clikc' (did you mean 'click'?)"),
    "kind far from all": (
        "- xyzzy: a\n",
        "4: unknown step 'xyzzy' (one of goto, fill, click, press, select, check, uncheck, hover, "
        "scroll, wait_for, upload, expect, act)",
    ),
    "two kinds": (
        "- click: a\n  press: Enter\n",
        "5: a step has one key, but 'press' follows 'click' (one '-' for each step)",
    ),
    "indented too little": (
        "- fill:\n  selector: a\n",
        "5: a step has one key, but 'selector' follows 'fill' (put 'selector' inside fill)",
    ),
    "unknown key": (
        "- fill:\n    selector: a\n    txt: b\n",
        "6: unknown key 'txt' in fill (did you mean 'text'?)",
    ),
    "key of another step": (
        "- hover: {selector: a, state: hidden}\n",
        "4: unknown key 'state' in hover (known: selector, frame, timeout, label)",
    ),
    "fill without selector": ("- fill: {text: b}\n", "4: fill needs 'selector'"),
    "fill that is text": ("- fill: a\n", "4: fill must be a mapping, but is text"),
    "fill with nothing": ("- fill: {selector: a}\n", "4: fill needs 'text' or 'secret'"),
    "fill with both": (
        "- fill:\n    selector: a\n    secret: S\n    text: b\n",
        "7: fill takes 'secret' or 'text', not both",
    ),
    "fill with a number": (
        "- fill: {selector: a, text: 012}\n",
        '4: fill.text must be text, but YAML reads the unquoted 012 as a number (quote it: "012")',
    ),
    "fill with a boolean": (
        "- fill: {selector: a, text: off}\n",
        '4: fill.text must be text, but YAML reads the unquoted off as a boolean (quote it: "off")',
    ),
    "secret with a value": (
        "- fill: {selector: a, secret: hunter2}\n",
        "4: fill.secret must be the NAME of a secret: A-Z, 0-9 and _, beginning with a letter "
        "(its value is read from CHECKPOINT_SECRET_<NAME>)",
    ),
    "secret from the environment": (
        "- fill: {selector: a, secret: '${HOME}'}\n",
        "4: unknown variable ${HOME} (the scenario has no variables)",
    ),
    "empty selector": ("- click: ''\n", "4: click.selector is empty"),
    "no selector": ("- click:\n", "4: click.selector must be text, but is empty"),
    "blank selector in a list": (
        "- click:\n    selector:\n    - a\n    - ' '\n",
        "7: click.selector is empty",
    ),
    "no selector in a list": (
        "- click: {selector: []}\n",
        "4: click.selector must have 1 to 20 items",
    ),
    "selector that is a number": (
        "- click: 5\n",
        '4: click.selector must be text, but YAML reads the unquoted 5 as a number (quote it: "5")',
    ),
    "unknown button": (
        "- click: {selector: a, button: lft}\n",
        "4: unknown click.button 'lft' (did you mean 'left'?)",
    ),
    "unknown modifier": (
        "- click: {selector: a, modifiers: [shift]}\n",
        "4: unknown click.modifiers 'shift' (did you mean 'Shift'?)",
    ),
    "click never": (
        "- click: {selector: a, click_count: 0}\n",
        "4: click.click_count must be from 1 to 10",
    ),
    "half a click": (
        "- click: {selector: a, click_count: 1.5}\n",
        "4: click.click_count must be a whole number from 1 to 10",
    ),
    "half a position": (
        "- click: {selector: a, position: {x: 1}}\n",
        "4: click.position needs 'y'",
    ),
    "position outside": (
        "- click: {selector: a, position: {x: 1, y: -1}}\n",
        "4: click.position.y must be from 0 to 100000",
    ),
    "position unknown": (
        "- click: {selector: a, position: {x: 1, y: 1, z: 1}}\n",
        "4: unknown key 'z' in click.position (known: x, y)",
    ),
    "timeout 0": (
        "- click: {selector: a, timeout: 0}\n",
        "4: click.timeout must be above 0 and at most 120",
    ),
    "negative timeout": (
        "- click: {selector: a, timeout: -1}\n",
        "4: click.timeout must be above 0 and at most 120",
    ),
    "huge timeout": (
        "- click: {selector: a, timeout: 120.5}\n",
        "4: click.timeout must be above 0 and at most 120",
    ),
    "timeout that is not a number": (
        "- click: {selector: a, timeout: .NaN}\n",
        "4: click.timeout must be a number",
    ),
    "timeout in base 60": (
        "- click: {selector: a, timeout: 1:30}\n",
        "4: click.timeout must be a number "
        "(YAML reads this as base 60: write it out in plain digits)",
    ),
    "timeout in octal": (
        "- click: {selector: a, timeout: 012}\n",
        "4: click.timeout must be a number (YAML reads a leading 0 as octal: write it without)",
    ),
    "timeout with a unit": (
        "- click: {selector: a, timeout: 5s}\n",
        "4: click.timeout must be a number",
    ),
    "timeout that is true": (
        "- click: {selector: a, timeout: true}\n",
        "4: click.timeout must be a number",
    ),
    "timeout in a list": (
        "- click: {selector: a, timeout: [5]}\n",
        "4: click.timeout must be a number, but is a list",
    ),
    "timeout of 5000 digits": (
        "- click: {selector: a, timeout: " + "9" * 5000 + "}\n",
        "4: click.timeout must be above 0 and at most 120",
    ),
    "label of two lines": (
        '- click: {selector: a, label: "b\\nc"}\n',
        "4: click.label must be one line of at most 200 characters",
    ),
    "press nothing": ("- press:\n", "4: press.key must be text, but is empty"),
    "press without key": ("- press: {selector: a}\n", "4: press needs 'key'"),
    "press in a frame": (
        "- press: {key: a, frame: iframe}\n",
        "4: press.frame needs a selector beside it",
    ),
    "select nothing": (
        "- select: {selector: a}\n",
        "4: select needs 'value' or 'label' or 'values'",
    ),
    "select twice": (
        "- select: {selector: a, value: b, values: [c]}\n",
        "4: select takes 'value' or 'values', not both",
    ),
    "select a number": (
        "- select: {selector: a, values: ['1',\n  2]}\n",
        '5: select.values must be text, but YAML reads the unquoted 2 as a number (quote it: "2")',
    ),
    "scroll nowhere": ("- scroll: {timeout: 1}\n", "4: scroll needs 'selector', or 'x' and 'y'"),
    "scroll a fraction": (
        "- scroll: {y: 0.5}\n",
        "4: scroll.y must be a whole number from -1000000 to 1000000",
    ),
    "wait for nothing": (
        "- wait_for: {timeout: 5}\n",
        "4: wait_for needs 'selector' or 'text' or 'url'",
    ),
    "wait for two things": (
        "- wait_for: {text: a, url: b}\n",
        "4: wait_for takes 'text' or 'url', not both",
    ),
    "wait for the state of a text": (
        "- wait_for: {text: a, state: hidden}\n",
        "4: wait_for.state needs a selector beside it",
    ),
    "wait for an unknown state": (
        "- wait_for: {selector: a, state: gone}\n",
        "4: unknown wait_for.state 'gone' (one of visible, hidden, attached, detached)",
    ),
    "upload without a file": (
        "- upload: {selector: a, file: b.txt}\n",
        "4: upload.file: 'b.txt' cannot be found: No such file or directory",
    ),
    "expect nothing of a target": (
        "- expect: {selector: a}\n",
        "4: expect needs 'text' or 'matches' or 'value' or 'count' or 'visible'",
    ),
    "expect nothing": ("- expect: {timeout: 5}\n", "4: expect needs 'url' or 'title'"),
    "expect text of nothing": (
        "- expect: {text: a}\n",
        "4: expect.text needs a selector beside it",
    ),
    "expect the title of a target": (
        "- expect: {selector: a, title: b}\n",
        "4: expect.title is of the page: leave the selector out",
    ),
    "expect two things": (
        "- expect: {selector: a, text: b, count: 3}\n",
        "4: expect takes 'text' or 'count', not both",
    ),
    "expect a text that is a number": (
        "- expect: {selector: a, text: 3}\n",
        '4: expect.text must be text, but YAML reads the unquoted 3 as a number (quote it: "3")',
    ),
    "expect a negative count": (
        "- expect: {selector: a, count: -1}\n",
        "4: expect.count must be from 0 to 1000000",
    ),
    "expect a broken pattern": (
        "- expect: {selector: a, matches: '(b'}\n",
        "4: expect.matches: no regular expression: "
        "missing ), unterminated subpattern at position 0",
    ),
    "expect visible perhaps": (
        "- expect: {selector: a, visible: 'true'}\n",
        "4: expect.visible must be true or false",
    ),
    "act on nothing": ("- act: {label: a}\n", "4: act needs 'instruction'"),
    "frame in goto": (
        "- goto: {url: /, frame: a}\n",
        "4: unknown key 'frame' in goto (known: url, timeout, label)",
    ),
    "unknown variable": (
        "- fill: {selector: a, text: 'x ${user}'}\n",
        "4: unknown variable ${user} (the scenario has no variables)",
    ),
}

# The URL is refused alike in goto and in start_url.
URLS = {
    "file:///etc/passwd": "the scheme 'file' is not allowed (only http and https are)",
    "FILE:/etc/hosts": "the scheme 'file' is not allowed (only http and https are)",
    "view-source:file:///": "the scheme 'view-source' is not allowed (only http and https are)",
    "javascript:alert(1)": "the scheme 'javascript' is not allowed (only http and https are)",
    "data:text/html,x": "the scheme 'data' is not allowed (only http and https are)",
    "blob:https://a.example/1": "the scheme 'blob' is not allowed (only http and https are)",
    "chrome://version": "the scheme 'chrome' is not allowed (only http and https are)",
    "about:blank": "the scheme 'about' is not allowed (only http and https are)",
    "ftp://a.example/": "the scheme 'ftp' is not allowed (only http and https are)",
    "ws://a.example/": "the scheme 'ws' is not allowed (only http and https are)",
    "https://a:b@c.example/": ("the URL has a user name or password in it (use a secret instead)"),
}


@pytest.mark.parametrize(("steps", "message"), STEPS.values(), ids=STEPS)
def test_step_that_cannot_be_done_is_refused_with_its_line(steps: str, message: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(HEAD + steps, path="checkpoint_assets_tests/s.yaml")
    assert str(caught.value) == f"checkpoint_assets_tests/s.yaml:{message}"


@pytest.mark.parametrize(("url", "message"), URLS.items(), ids=URLS)
def test_url_that_may_not_be_opened_is_refused_wherever_it_stands(url: str, message: str) -> None:
    with pytest.raises(InvalidScenario) as in_step:
        parse_scenario(f"{HEAD}- goto: /\n- goto: {url}\n", path="s.yaml")
    assert str(in_step.value) == f"s.yaml:5: goto.url: {message}"
    with pytest.raises(InvalidScenario) as at_start:
        parse_scenario(f"name: a\nstart_url: {url}\nsteps: [goto: /]\n", path="s.yaml")
    assert str(at_start.value) == f"s.yaml:2: start_url: {message}"


def test_url_of_another_host_must_name_its_scheme() -> None:
    with pytest.raises(InvalidScenario, match=r"4: goto.url: the URL has no scheme"):
        parse_scenario(HEAD + "- goto: //a.example/\n")
