"""What a scenario file may say, and what it becomes."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle  # noqa: TID251 (proves that a scenario can go to another process)
from datetime import timedelta
from pathlib import Path

import pytest

from checkpoint_assets.collection import steps
from checkpoint_assets.collection.scenario import (
    Collect,
    Retention,
    Scenario,
    SecretRef,
    Viewport,
)
from checkpoint_assets.collection.scenario_file import load_scenario, parse_scenario
from checkpoint_assets.model.enums import Artifact

FIXTURES = Path(__file__).parent / "scenario_fixtures"
MINIMAL = "name: a\nsite: demo\nsteps:\n  - goto: /\n"


@pytest.fixture(scope="module")
def everything() -> Scenario:
    return load_scenario(FIXTURES / "everything.yaml")


def only(step: str) -> steps.Step:
    return parse_scenario(f"name: a\nsite: demo\nsteps:\n- {step}\n").steps[0]


def test_smallest_scenario_gets_the_documented_defaults() -> None:
    scenario = parse_scenario(MINIMAL)
    assert scenario.steps == (steps.Goto(url="/", line=4),)
    assert (scenario.source, scenario.engine) == ("local", "chromium")
    assert scenario.viewport == Viewport(1280, 800, 1)
    assert scenario.collect == Collect(tuple(Artifact), every=1, on=(), full_page=False)
    assert scenario.retention is None
    assert scenario.path is None


def test_every_key_is_read_into_its_type(everything: Scenario) -> None:
    assert everything.name == "everything"
    assert everything.description == "Two lines\nof text.\n"
    assert everything.start_url == "https://shop.example/de/?token=abc"
    assert everything.site is None
    assert everything.source == "cdp"
    assert everything.cdp_url == "wss://browser.example/devtools?apiKey=k"
    assert everything.viewport == Viewport(800, 600, 1.5)
    assert everything.own_viewport
    assert (everything.device, everything.locale) == ("Pixel 7", "de-DE")
    assert everything.timezone == "Europe/Berlin"
    assert everything.extra_headers == {
        "Accept-Language": "de",
        "Authorization": SecretRef("API_TOKEN"),
    }
    assert everything.storage_state == SecretRef("LOGIN_STATE")
    assert everything.tags == {"team": "shop", "on": "1"}
    assert everything.collect.every == 5
    assert everything.collect.on == ("click", "navigate")
    assert everything.collect.full_page
    assert everything.schedule == "*/15 6-18 * * mon-fri"
    assert everything.retention == Retention(timedelta(days=30), keep_last=50, pin=False)
    assert everything.allow_private == ("127.0.0.1:8123", "localhost:80", "[::1]:9000")
    assert everything.variables == {"user": "ann", "lang": "de"}
    assert everything.timeout == 12.5
    assert everything.path == FIXTURES / "everything.yaml"


def test_every_form_of_every_step_is_read(everything: Scenario) -> None:
    photo = (FIXTURES / "uploads" / "photo.txt").resolve()
    index = (FIXTURES / "shop" / "index.html").resolve()
    line = 0  # lines do not count when steps are compared
    assert everything.steps == (
        steps.Goto(line=line, url="/start"),
        steps.Goto(line=line, url="https://shop.example/x", timeout=30, label="open x"),
        steps.Fill(line=line, selectors=("#email",), text="ann@b.c"),
        steps.Fill(
            line=line, selectors=("#password", "input[type=password]"), secret="SHOP_PASSWORD"
        ),
        steps.Fill(line=line, selectors=("#note",), text=""),
        steps.Click(line=line, selectors=("text=Sign in",)),
        steps.Click(line=line, selectors=("role=button", "#go")),
        steps.Click(
            line=line,
            selectors=("canvas",),
            frames=("iframe#outer", "iframe"),
            button="right",
            modifiers=("Shift", "Alt"),
            click_count=2,
            position={"x": 10, "y": 2.5},
            timeout=0.5,
            label="the menu of the drawing",
        ),
        steps.Press(line=line, key="Enter"),
        steps.Press(line=line, key="Control+A", selectors=("#note",), frames=("iframe",)),
        steps.Select(line=line, selectors=("#size",), choices=("M",)),
        steps.Select(line=line, selectors=("#size",), choices=("Medium",), by="label"),
        steps.Select(line=line, selectors=("#sizes",), choices=("M", "12")),
        steps.Check(line=line, selectors=("#terms",)),
        steps.Check(line=line, selectors=("#terms",)),
        steps.Uncheck(line=line, selectors=("#news",)),
        steps.Hover(line=line, selectors=("#menu",)),
        steps.Scroll(line=line, selectors=("#end",)),
        steps.Scroll(line=line, x=0, y=400),
        steps.WaitFor(line=line, selectors=("#done",), state="hidden"),
        steps.WaitFor(line=line, selectors=("#done",)),
        steps.WaitFor(line=line, text="Thank you"),
        steps.WaitFor(line=line, url="/thanks"),
        steps.Upload(line=line, selectors=("#file",), names=("uploads/photo.txt",), files=(photo,)),
        steps.Upload(
            line=line,
            selectors=("#file",),
            names=("uploads/photo.txt", "shop/index.html"),
            files=(photo, index),
        ),
        steps.Expect(line=line, selectors=("h1",), text="Hello, ann"),
        steps.Expect(line=line, selectors=("h1",), matches="^Hello, .+$"),
        steps.Expect(line=line, selectors=("#email",), value=""),
        steps.Expect(line=line, selectors=("li",), count=0),
        steps.Expect(line=line, selectors=("h1",), visible=False),
        steps.Expect(line=line, url="/thanks"),
        steps.Expect(line=line, title="Thanks"),
        steps.Act(line=line, instruction="Buy the red one, ${user}"),
        steps.Act(line=line, instruction="Close the dialog", timeout=120),
    )


def test_step_knows_its_kind_and_its_line(everything: Scenario) -> None:
    lines = (FIXTURES / "everything.yaml").read_text().splitlines()
    assert {step.kind for step in everything.steps} == set(steps.STEP_KINDS)
    for step in everything.steps:
        assert lines[step.line - 1].startswith(f"  - {step.kind}:")


def test_upload_holds_the_files_themselves(everything: Scenario) -> None:
    uploads = [step for step in everything.steps if isinstance(step, steps.Upload)]
    assert uploads[0].files[0].read_text() == "a small file\n"
    assert all(file.is_absolute() for upload in uploads for file in upload.files)


def test_expectation_says_what_it_checks() -> None:
    step = only("expect: {selector: li, count: 0}")
    assert isinstance(step, steps.Expect)
    assert (step.check, step.expected) == ("count", "count 0")


def test_scenario_and_its_steps_cannot_be_changed(everything: Scenario) -> None:
    for thing, name in ((everything, "name"), (everything.steps[0], "url")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, "other")


def test_scenario_can_go_to_another_process(everything: Scenario) -> None:
    assert pickle.loads(pickle.dumps(everything)) == everything  # noqa: S301 (its own bytes)
    assert copy.deepcopy(everything) == everything


@pytest.mark.parametrize("text", ["no", "012", "1:30", "2024-01-01", "5", "", "~", ".inf"])
def test_quoted_text_stays_what_it_is(text: str) -> None:
    assert only(f"fill: {{selector: a, text: '{text}'}}") == steps.Fill(
        line=0, selectors=("a",), text=text
    )


@pytest.mark.parametrize(
    "text", ["${}", "${1 + 1}", "$HOME", "`id`", "$(id)", "a 'b' \"c\"", "{{x}}"]
)
def test_text_that_looks_like_code_is_inert(text: str) -> None:
    step = only("fill: " + json.dumps({"selector": f'text="{text}"', "text": text}))
    assert step == steps.Fill(line=0, selectors=(f'text="{text}"',), text=text)


def test_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    plain = parse_scenario(MINIMAL)
    assert parse_scenario("\ufeff" + MINIMAL.replace("\n", "\r\n")) == plain


def test_json_is_yaml_here_too() -> None:
    text = json.dumps({"name": "a", "site": "demo", "steps": [{"click": "text=\U0001f600"}]})
    assert "\\ud83d" in text
    assert parse_scenario(text).steps[0].selectors == ("text=\U0001f600",)


def test_secret_names_come_from_everywhere_a_secret_can_stand(everything: Scenario) -> None:
    assert everything.secret_names() == {"SHOP_PASSWORD", "API_TOKEN", "LOGIN_STATE"}
    remote = "name: a\nsite: demo\nsource: cdp\ncdp_url: {secret: CDP}\nsteps: [goto: /]\n"
    assert parse_scenario(remote).secret_names() == {"CDP"}


def test_headers_are_put_together_with_their_secrets(everything: Scenario) -> None:
    assert everything.headers({"API_TOKEN": "Bearer x"}) == {
        "Accept-Language": "de",
        "Authorization": "Bearer x",
    }


def test_record_for_the_manifest_is_plain_json_without_secrets(everything: Scenario) -> None:
    record = json.loads(json.dumps(everything.to_dict(), allow_nan=False))
    assert record == everything.to_dict()
    assert record["start_url"] == "https://shop.example/de/?token=********"
    assert record["cdp_url"] == "wss://browser.example/devtools?apiKey=********"
    assert record["extra_headers"]["Authorization"] == {"secret": "API_TOKEN"}
    assert record["storage_state"] == {"secret": "LOGIN_STATE"}
    assert record["retention"] == {"keep_for": "30d", "keep_last": 50, "pin": False}
    assert record["steps"][3] == {
        "fill": {"selector": ["#password", "input[type=password]"], "secret": "SHOP_PASSWORD"}
    }
    assert record["steps"][24]["upload"]["files"] == ["uploads/photo.txt", "shop/index.html"]
    assert str(FIXTURES.resolve()) not in json.dumps(record)


def test_record_says_the_same_as_the_file() -> None:
    """What was written down can be read back: same words, same steps."""
    text = (
        "name: a\nsite: demo\nviewport: {width: 9, height: 8}\ntimeout: 3\n"
        "collect: {on: [click]}\nsteps:\n"
        "- click: {selector: a, button: middle, position: {x: 1, y: 2}}\n"
        "- select: {selector: a, label: b}\n- scroll: {y: 5}\n- press: a\n"
        "- expect: {selector: a, visible: true}\n- wait_for: {selector: a, frame: b}\n"
    )
    first = parse_scenario(text)
    again = parse_scenario(json.dumps(first.to_dict()))
    assert again.steps == first.steps
    assert again.to_dict() == first.to_dict()


def test_password_in_the_file_is_warned_of_and_masked() -> None:
    text = "name: a\nsite: demo\nsteps:\n- fill: {selector: '#password', text: hunter2}\n"
    scenario = parse_scenario(text, path="s.yaml")
    assert scenario.warnings() == (
        "s.yaml:4: a password stands in the file (use 'secret: NAME' for 'text')",
    )
    assert scenario.literal_secrets() == {"hunter2"}
    assert "hunter2" not in json.dumps(scenario.to_dict())


def test_digest_is_that_of_the_content_not_of_its_layout() -> None:
    digest = parse_scenario(MINIMAL).digest
    assert len(digest) == 64
    assert (
        parse_scenario("# why\n" + MINIMAL.replace("a\n", "'a'   # because\n", 1)).digest == digest
    )
    assert parse_scenario("{site: demo, steps: [{goto: /}], name: a}").digest == digest
    assert parse_scenario(MINIMAL.replace("goto: /", "goto: /b")).digest != digest


def test_thinning_keeps_every_nth_step_and_the_kinds_that_are_named() -> None:
    def kept(collect: str) -> list[int]:
        text = f"name: a\nsite: demo\ncollect: {collect}\nsteps: [goto: /]\n"
        kinds = ["goto", "click", "fill", "click", "press"]
        keeps = parse_scenario(text).collect.keeps
        return [ordinal for ordinal, kind in enumerate(kinds, 1) if keeps(ordinal, kind)]

    assert kept("{}") == [1, 2, 3, 4, 5]
    assert kept("{every: 2}") == [1, 3, 5]
    assert kept("{on: click}") == [2, 4]
    assert kept("{on: [navigate, press]}") == [1, 5]
    assert kept("{every: 3, on: [press]}") == [1, 4, 5]


def test_action_and_metadata_are_collected_whatever_the_file_says() -> None:
    text = "name: a\nsite: demo\ncollect: {artifacts: [screenshot]}\nsteps: [goto: /]\n"
    assert parse_scenario(text).collect.artifacts == (
        Artifact.SCREENSHOT,
        Artifact.ACTION,
        Artifact.METADATA,
    )


def test_device_brings_its_own_viewport_unless_the_file_has_one() -> None:
    text = "name: a\nsite: demo\ndevice: Pixel 7\nsteps: [goto: /]\n"
    scenario = parse_scenario(text)
    assert not scenario.own_viewport
    assert "viewport" not in scenario.to_dict()
