"""What a scenario file may not say: each refusal with its line and its whole message."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkpoint_assets.collection.scenario_file import load_scenario, parse_scenario
from checkpoint_assets.model.errors import InvalidScenario

HEAD = "name: a\nsite: demo\n"
STEPS = "steps:\n  - goto: /\n"


def refusal(text: str) -> str:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(text, path="s.yaml")
    return str(caught.value)


YAML = {
    "empty file": ("", "1: the file is empty"),
    "comment only": ("# nothing\n", "1: the file is empty"),
    "list": ("- a\n", "1: the scenario must be a mapping, but is a list"),
    "text": ("hello\n", "1: the scenario must be a mapping, but is text"),
    "number": ("5\n", "1: the scenario must be a mapping, but is a number"),
    "two documents": (
        HEAD + STEPS + "---\nname: b\n",
        "5: a second YAML document begins here (one file, one scenario)",
    ),
    "duplicate key": (
        "name: a\nsite: demo\nname: b\n",
        "3: duplicate key 'name' (first on line 1)",
    ),
    "duplicate key deep inside": (
        HEAD + "steps:\n- click:\n    selector: a\n    button: left\n    selector: b\n",
        "7: duplicate key 'selector' (first on line 5)",
    ),
    "anchor": (
        HEAD + "tags: &t {a: b}\n",
        "3: an anchor (&t) is not allowed (write the value out)",
    ),
    "alias": ("name: *n\n", "1: an alias (*n) is not allowed (write the value out)"),
    "alias bomb": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "1: an anchor (&a) is not allowed (write the value out)",
    ),
    "merge key": (
        HEAD + "collect:\n  <<: {full_page: true}\n" + STEPS,
        "4: unknown key '<<' in collect (known: artifacts, every, on, full_page)",
    ),
    "python tag": (
        "name: a\nsteps: !!python/object/apply:os.system ['true']\n",
        "2: a tag (tag:yaml.org,2002:python/object/apply:os.system) is not allowed "
        "(quote text that begins with '!')",
    ),
    "harmless tag": (
        "name: !!str 5\n",
        "1: a tag (tag:yaml.org,2002:str) is not allowed (quote text that begins with '!')",
    ),
    "tab": (HEAD + "steps:\n\t- goto: /\n", "4: a tab where YAML wants spaces"),
    "depth": (
        HEAD + "steps: " + "[" * 20 + "\n",
        "3: nested more than 20 levels deep",
    ),
    "absurd depth": ("[" * 200_000, "1: nested more than 20 levels deep"),
    "absurd depth in blocks": ("- " * 100_000, "1: nested more than 20 levels deep"),
    "many values": ("[" + "1," * 30_000 + "]", "1: more than 20000 values"),
    "unclosed": (
        HEAD + "tags: {a: b\n",
        "4: not valid YAML: expected ',' or '}', but got '<stream end>'",
    ),
    "key that is a list": ("? [a]\n: b\n", "1: a key must be a word"),
    "missing key": ("? \n: b\n", "1: a key must be a word"),
    "NUL": ("name: a\nsite: d\x00\n", "2: a character that YAML does not allow"),
    "escaped NUL": (
        'name: a\ndescription: "\\0"\n',
        "2: a control character (U+0000) is not allowed",
    ),
    "escape sequence": (
        'name: a\ndescription: "\\e[31m"\n',
        "2: a control character (U+001B) is not allowed",
    ),
    "lone surrogate": (
        'name: a\ndescription: "\\ud83d"\n',
        "2: half of a surrogate pair is no character",
    ),
    "escape beyond Unicode": ('name: a\nsite: "\\UFFFFFFFF"\n', "2: invalid escape or number"),
    "too large": ("# " + "x" * 256 * 1024, " the file is larger than 256 KB"),
}

KEYS = {
    "unknown key": (
        HEAD + "scheduel: x\n" + STEPS,
        "3: unknown key 'scheduel' in the scenario (did you mean 'schedule'?)",
    ),
    "unknown key in collect": (
        HEAD + "collect:\n  full_page: true\n  sceenshoot: true\n" + STEPS,
        "5: unknown key 'sceenshoot' in collect (did you mean 'screenshot'?)",
    ),
    "key in the wrong place": (
        HEAD + "full_page: true\n" + STEPS,
        "3: unknown key 'full_page' in the scenario (it belongs in collect)",
    ),
    "artifact as a key": (
        HEAD + "collect: {screenshot: true}\n" + STEPS,
        "3: unknown key 'screenshot' in collect (it belongs in collect.artifacts)",
    ),
    "retries": (
        HEAD + "retries: -1\n" + STEPS,
        "3: unknown key 'retries' in the scenario (known: name, description, site, start_url, "
        "source, cdp_url, engine, viewport, device, locale, timezone, extra_headers, "
        "storage_state, tags, collect, schedule, retention, allow_private, variables, timeout, "
        "steps)",
    ),
    "unknown key in viewport": (
        HEAD + "viewport: {width: 5, heihgt: 5}\n" + STEPS,
        "3: unknown key 'heihgt' in viewport (did you mean 'height'?)",
    ),
    "unknown key in retention": (
        HEAD + "retention:\n  keepfor: 3d\n" + STEPS,
        "4: unknown key 'keepfor' in retention (did you mean 'keep_for'?)",
    ),
    "no name": ("site: demo\n" + STEPS, "1: the scenario needs 'name'"),
    "name with a slash": (
        "name: a/b\n" + STEPS,
        "1: name: invalid scenario name 'a/b' (1 to 96 ASCII letters, digits, '_' or '-', "
        "first and last a letter or digit)",
    ),
    "name of a device": (
        "name: con\n" + STEPS,
        "1: name: invalid scenario name 'con' (Windows keeps this name for a device)",
    ),
    "name that YAML reads as a boolean": (
        "name: no\n" + STEPS,
        '1: name must be text, but YAML reads the unquoted no as a boolean (quote it: "no")',
    ),
    "name that YAML reads as octal": (
        "name: 012\n" + STEPS,
        '1: name must be text, but YAML reads the unquoted 012 as a number (quote it: "012")',
    ),
    "name that YAML reads in base 60": (
        "name: 1:30\n" + STEPS,
        '1: name must be text, but YAML reads the unquoted 1:30 as a number (quote it: "1:30")',
    ),
    "name that YAML reads as a date": (
        "name: 2024-01-01\n" + STEPS,
        "1: name must be text, but YAML reads the unquoted 2024-01-01 as a date "
        '(quote it: "2024-01-01")',
    ),
    "empty name": ("name:\n" + STEPS, "1: name must be text, but is empty"),
    "null name": (
        "name: null\n" + STEPS,
        '1: name must be text, but YAML reads the unquoted null as nothing (quote it: "null")',
    ),
    "name in a list": ("name: [a]\n" + STEPS, "1: name must be text, but is a list"),
    "no site": ("name: a\n" + STEPS, "1: the scenario needs 'site' or 'start_url'"),
    "site and start_url": (
        HEAD + "start_url: https://a.example/\n" + STEPS,
        "3: the scenario takes 'site' or 'start_url', not both",
    ),
    "mistyped site": (
        "name: a\nsite: dmeo\n" + STEPS,
        "2: site: 'dmeo' cannot be found: No such file or directory (did you mean 'demo'?)",
    ),
    "unknown source": (
        HEAD + "source: remote\n" + STEPS,
        "3: unknown source 'remote' (one of local, cdp, browserbase, stagehand)",
    ),
    "mistyped engine": (
        HEAD + "engine: chrome\n" + STEPS,
        "3: unknown engine 'chrome' (did you mean 'chromium'?)",
    ),
    "cdp without an address": (HEAD + "source: cdp\n" + STEPS, "1: the scenario needs 'cdp_url'"),
    "an address without cdp": (
        HEAD + "cdp_url: http://127.0.0.1:9222\n" + STEPS,
        "3: cdp_url needs 'source: cdp' beside it",
    ),
    "password in cdp_url": (
        HEAD + "source: cdp\ncdp_url: wss://u:p@h.example\n" + STEPS,
        "4: cdp_url: the URL has a user name or password in it (use a secret instead)",
    ),
    "engine that is not local": (
        HEAD + "source: browserbase\nengine: firefox\n" + STEPS,
        "4: engine firefox needs 'source: local'",
    ),
    "viewport of nothing": (
        HEAD + "viewport: {width: 0, height: 600}\n" + STEPS,
        "3: viewport.width must be from 1 to 16383",
    ),
    "huge viewport": (
        HEAD + "viewport:\n  width: 800\n  height: 1000000\n" + STEPS,
        "5: viewport.height must be from 1 to 16383",
    ),
    "viewport beyond 64 bits": (
        HEAD + "viewport: {width: 9223372036854775808, height: 600}\n" + STEPS,
        "3: viewport.width must be a whole number from 1 to 16383",
    ),
    "half a viewport": (HEAD + "viewport: {width: 800}\n" + STEPS, "3: viewport needs 'height'"),
    "octal width": (
        HEAD + "viewport: {width: 0800, height: 012}\n" + STEPS,
        "3: viewport.width must be a whole number from 1 to 16383 "
        "(YAML reads a leading 0 as octal: write it without)",
    ),
    "quoted width": (
        HEAD + 'viewport: {width: "800", height: 600}\n' + STEPS,
        "3: viewport.width must be a whole number from 1 to 16383 (remove the quotes)",
    ),
    "scale that is no number": (
        HEAD + "viewport: {width: 8, height: 6, device_scale_factor: .nan}\n" + STEPS,
        "3: viewport.device_scale_factor must be a number",
    ),
    "locale": (
        HEAD + "locale: english\n" + STEPS,
        "3: locale: 'english' is no locale (de, en-US, zh-Hant-TW)",
    ),
    "locale that YAML reads as a boolean": (
        HEAD + "locale: no\n" + STEPS,
        '3: locale must be text, but YAML reads the unquoted no as a boolean (quote it: "no")',
    ),
    "time zone": (
        HEAD + "timezone: Europe/Berln\n" + STEPS,
        "3: timezone: 'Europe/Berln' is no time zone (did you mean 'Europe/Berlin'?)",
    ),
    "time zone outside": (
        HEAD + "timezone: ../../etc/passwd\n" + STEPS,
        "3: timezone: '../../etc/passwd' is no time zone (Europe/Berlin, America/New_York, UTC)",
    ),
    "header name": (
        HEAD + "extra_headers:\n  A b: c\n" + STEPS,
        "4: 'A b' is no name for a header",
    ),
    "header value": (
        HEAD + 'extra_headers:\n  A: "b\\r\\nC: d"\n' + STEPS,
        "4: extra_headers.A must be one line of printable ASCII",
    ),
    "header twice": (
        HEAD + "extra_headers: {Accept: a,\n  accept: b}\n" + STEPS,
        "4: 'accept' is the same header as 'Accept'",
    ),
    "storage state in the file": (
        HEAD + "storage_state: state.json\n" + STEPS,
        "3: storage_state must be a reference to a secret ({secret: NAME})",
    ),
    "secret in lower case": (
        HEAD + "storage_state: {secret: login}\n" + STEPS,
        "3: storage_state.secret must be the NAME of a secret: A-Z, 0-9 and _, beginning with a "
        "letter (its value is read from CHECKPOINT_SECRET_<NAME>)",
    ),
    "tag that is a number": (
        HEAD + "tags:\n  release: 1.2\n" + STEPS,
        "4: tags.release must be text, but YAML reads the unquoted 1.2 as a number "
        '(quote it: "1.2")',
    ),
    "tags in a list": (HEAD + "tags: [a]\n" + STEPS, "3: tags must be a mapping, but is a list"),
    "unknown artifact": (
        HEAD + "collect:\n  artifacts:\n  - html\n  - sceenshoot\n" + STEPS,
        "6: unknown collect.artifacts 'sceenshoot' (did you mean 'screenshot'?)",
    ),
    "no artifacts": (
        HEAD + "collect: {artifacts: []}\n" + STEPS,
        "3: collect.artifacts must have 1 to 4 items",
    ),
    "artifacts that are no list": (
        HEAD + "collect: {artifacts: html}\n" + STEPS,
        "3: collect.artifacts must be a list, but is text",
    ),
    "every nothing": (
        HEAD + "collect: {every: 0}\n" + STEPS,
        "3: collect.every must be from 1 to 1000000",
    ),
    "on an unknown step": (
        HEAD + "collect: {on: [clikc]}\n" + STEPS,
        "3: unknown collect.on 'clikc' (did you mean 'click'?)",
    ),
    "yes for true": (
        HEAD + "collect: {full_page: yes}\n" + STEPS,
        "3: collect.full_page must be true or false",
    ),
    "cron of four fields": (
        HEAD + 'schedule: "0 * * *"\n' + STEPS,
        "3: schedule: a cron schedule has 5 fields, not 4 "
        "(minute, hour, day of month, month, day of week: '0 * * * *')",
    ),
    "cron beyond its range": (
        HEAD + 'schedule: "60 * * * *"\n' + STEPS,
        "3: schedule: '60' is no cron minute (0 to 59)",
    ),
    "keep_for without a unit": (
        HEAD + 'retention: {keep_for: "30"}\n' + STEPS,
        "3: retention.keep_for: '30' is no duration (a whole number and s, min, h, d or w: 30d)",
    ),
    "keep_for a number": (
        HEAD + "retention: {keep_for: 30}\n" + STEPS,
        "3: retention.keep_for must be text, but YAML reads the unquoted 30 as a number "
        '(quote it: "30")',
    ),
    "keep_for nothing": (
        HEAD + "retention: {keep_for: 0d}\n" + STEPS,
        "3: retention.keep_for: '0d' is no duration (a whole number and s, min, h, d or w: 30d)",
    ),
    "keep_for ages": (
        HEAD + "retention: {keep_for: 99999w}\n" + STEPS,
        "3: retention.keep_for: '99999w' is more than 100 years",
    ),
    "keep_last nothing": (
        HEAD + "retention: {keep_last: 0}\n" + STEPS,
        "3: retention.keep_last must be from 1 to 1000000",
    ),
    "allow_private without a port": (
        HEAD + "allow_private: [127.0.0.1]\n" + STEPS,
        "3: allow_private: '127.0.0.1' has no port (host:port, as in 127.0.0.1:8123)",
    ),
    "allow_private with a path": (
        HEAD + 'allow_private:\n- "127.0.0.1:80/x"\n' + STEPS,
        "4: allow_private: invalid port '80/x' (1 to 65535)",
    ),
    "no timeout": (
        HEAD + "timeout: 0\n" + STEPS,
        "3: timeout must be above 0 and at most 120",
    ),
    "infinite timeout": (HEAD + "timeout: .inf\n" + STEPS, "3: timeout must be a number"),
    "timeout that overflows": (
        HEAD + "timeout: 1.0e+400\n" + STEPS,
        "3: timeout must be above 0 and at most 120",
    ),
    "variable with a bad name": (
        HEAD + "variables:\n  ok: a\n  1st: b\n" + STEPS,
        "5: '1st' is no name for a variable "
        "(letters, digits, '_', '.' and '-', beginning with a letter or '_')",
    ),
    "variable that is a number": (
        HEAD + "variables: {n: 5}\n" + STEPS,
        '3: variables.n must be text, but YAML reads the unquoted 5 as a number (quote it: "5")',
    ),
    "no steps": (HEAD, "1: the scenario needs 'steps'"),
    "0 steps": (HEAD + "steps: []\n", "3: steps must be a list of at least one step"),
    "empty steps": (HEAD + "steps:\n", "3: steps must be a list of at least one step"),
    "501 steps": (
        HEAD + "steps:\n" + "- press: Enter\n" * 501,
        "504: more than 500 steps (split the scenario)",
    ),
}


@pytest.mark.parametrize(("text", "message"), YAML.values(), ids=YAML)
def test_yaml_that_is_not_plain_is_refused_with_its_line(text: str, message: str) -> None:
    assert refusal(text) == f"s.yaml:{message}"


@pytest.mark.parametrize(("text", "message"), KEYS.values(), ids=KEYS)
def test_key_that_cannot_be_used_is_refused_with_its_line(text: str, message: str) -> None:
    assert refusal(text) == f"s.yaml:{message}"


FILES = {
    "not there": (None, " the file cannot be read: No such file or directory"),
    "not UTF-8": (b"name: a\nsite: \xff\n", "2: the file is not UTF-8 (save it as UTF-8)"),
    "UTF-16": ("name: a".encode("utf-16"), " the file is UTF-16 (save it as UTF-8)"),
    "too large": (b"#" * (256 * 1024 + 1), " the file is larger than 256 KB"),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES)
def test_file_that_cannot_be_read_is_refused_with_its_path(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidScenario) as caught:
        load_scenario(path)
    assert str(caught.value) == f"{path}:{message}"


def test_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidScenario, match="this is not a file"):
        load_scenario(tmp_path)


def test_error_carries_path_and_line_by_themselves() -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(HEAD + "stps: []\n", path="scenarios/a.yaml")
    assert (caught.value.path, caught.value.line) == ("scenarios/a.yaml", 3)
    assert caught.value.hint == "did you mean 'steps'?"
