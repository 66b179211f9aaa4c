"""Reads the steps of a scenario file into their models."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from checkpoint_assets.collection import readers as read
from checkpoint_assets.collection import steps
from checkpoint_assets.collection.contained_path import contained_path
from checkpoint_assets.collection.fields import Fields
from checkpoint_assets.collection.strict_yaml import Entry, Mapping, Node, Sequence
from checkpoint_assets.collection.url_gate import check_characters, check_url_syntax, scheme_of
from checkpoint_assets.model.errors import InvalidInput, InvalidScenario, InvalidUrl

MAX_STEPS = 500
MAX_TIMEOUT = 120
MAX_SELECTORS = 20

seconds = read.number(0, MAX_TIMEOUT, above=True)
_selectors = read.list_of(read.text, most=MAX_SELECTORS, single=True)
_button: read.Reader[steps.Button] = read.choice(steps.BUTTONS)
_modifier: read.Reader[steps.Modifier] = read.choice(steps.MODIFIERS)
_modifiers: read.Reader[tuple[steps.Modifier, ...]] = read.list_of(
    _modifier, most=len(steps.MODIFIERS), single=True
)
_state: read.Reader[steps.WaitState] = read.choice(steps.WAIT_STATES)
_pixels = read.integer(-1_000_000, 1_000_000)
STEP_KEYS: dict[steps.StepKind, tuple[str, ...]] = {
    "goto": ("url",),
    "fill": ("selector", "text", "secret", "frame"),
    "click": ("selector", "button", "modifiers", "click_count", "position", "frame"),
    "press": ("key", "selector", "frame"),
    "select": ("selector", "value", "label", "values", "frame"),
    "check": ("selector", "frame"),
    "uncheck": ("selector", "frame"),
    "hover": ("selector", "frame"),
    "scroll": ("selector", "x", "y", "frame"),
    "wait_for": ("selector", "state", "text", "url", "frame"),
    "upload": ("selector", "file", "files", "frame"),
    "expect": ("selector", *steps.EXPECT_CHECKS, "frame"),
    "act": ("instruction",),
}
# The key that a step's value stands for when it is no mapping: ``click: "#buy"``.
_SHORT: dict[steps.StepKind, str] = {
    "goto": "url",
    "click": "selector",
    "press": "key",
    "check": "selector",
    "uncheck": "selector",
    "hover": "selector",
    "scroll": "selector",
    "wait_for": "selector",
    "act": "instruction",
}


class _Common(TypedDict):
    line: int
    selectors: tuple[str, ...]
    frames: tuple[str, ...]
    timeout: float | None
    label: str | None


def read_steps(node: Node, folder: Path | None) -> tuple[steps.Step, ...]:
    """The steps in order, 1 to 500. ``folder`` is where uploads may come from."""
    if not isinstance(node, Sequence) or not node.items:
        raise InvalidScenario("steps must be a list of at least one step", line=node.line)
    if len(node.items) > MAX_STEPS:
        line = node.items[MAX_STEPS].line
        hint = "split the scenario"
        raise InvalidScenario(f"more than {MAX_STEPS} steps", line=line, hint=hint)
    return tuple(_read_step(item, folder) for item in node.items)


def _read_step(node: Node, folder: Path | None) -> steps.Step:
    if not isinstance(node, Mapping) or not node.entries:
        message = f"a step must be a kind and its value, but is {read.kind_of(node)}"
        raise InvalidScenario(message, line=node.line, hint="- click: '#buy'")
    word, entry = next(iter(node.entries.items()))
    kind = _kind(word, entry.line)
    for extra, other in list(node.entries.items())[1:]:
        hint = f"put {extra!r} inside {kind}" if extra in _known(kind) else "one '-' for each step"
        message = f"a step has one key, but {extra!r} follows {kind!r}"
        raise InvalidScenario(message, line=other.line, hint=hint)
    value = entry.value
    if not isinstance(value, Mapping) and kind in _SHORT:
        value = Mapping({_SHORT[kind]: Entry(value, entry.line)}, entry.line)
    found = Fields(value, kind, _known(kind), line=entry.line)
    if kind == "upload":
        return _upload(found, folder)
    return _READERS[kind](found)


def _kind(word: str, line: int) -> steps.StepKind:
    for kind in steps.STEP_KINDS:
        if word == kind:
            return kind
    hint = read.suggest(word, steps.STEP_KINDS)
    raise InvalidScenario(f"unknown step {word[:100]!r}", line=line, hint=hint)


def _known(kind: steps.StepKind) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*STEP_KEYS[kind], "timeout", "label")))


def _common(found: Fields, *, target: bool = True) -> _Common:
    """What all steps share; ``target``: a selector must be there."""
    if target:
        found.need("selector", _selectors)
    elif "selector" not in found.entries and "text" not in found.entries:
        found.refuse("frame", "needs a selector beside it")
    return _Common(
        line=found.line,
        selectors=found.get("selector", _selectors, ()),
        frames=found.get("frame", _selectors, ()),
        timeout=found.read("timeout", seconds),
        label=None if found.where == "select" else found.read("label", read.line_of_text),
    )


def _goto_url(url: str) -> str:
    """A URL as it is checked everywhere, or a path on the scenario's own site."""
    if scheme_of(url) is not None:
        return check_url_syntax(url)
    check_characters(url)
    if url.startswith("//"):
        raise InvalidUrl("the URL has no scheme", hint="begin with https://, or with one '/'")
    return url


def _pattern(text: str) -> str:
    if len(text) > 1000:
        raise InvalidInput("a pattern longer than 1000 characters")
    try:
        with warnings.catch_warnings():
            # Python warns of patterns that it may read otherwise one day; they are good today.
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as err:
        raise InvalidInput(f"no regular expression: {err}") from err
    return text


def _goto(found: Fields) -> steps.Step:
    common = _common(found, target=False)
    return steps.Goto(**common, url=found.need("url", read.checked(_goto_url)))


def _fill(found: Fields) -> steps.Step:
    common = _common(found)
    found.one_of("text", "secret")
    return steps.Fill(
        **common,
        text=found.read("text", read.anything),
        secret=found.read("secret", read.secret_name),
    )


def _position(node: Node, what: str) -> steps.Position:
    offset = read.number(0, 100_000)
    found = Fields(node, what, ("x", "y"))
    return {"x": found.need("x", offset), "y": found.need("y", offset)}


def _click(found: Fields) -> steps.Step:
    return steps.Click(
        **_common(found),
        button=found.get("button", _button, "left"),
        modifiers=found.get("modifiers", _modifiers, ()),
        click_count=found.get("click_count", read.integer(1, 10), 1),
        position=found.read("position", _position),
    )


def _press(found: Fields) -> steps.Step:
    return steps.Press(**_common(found, target=False), key=found.need("key", read.line_of_text))


def _select(found: Fields) -> steps.Step:
    common = _common(found)
    key = found.one_of("value", "label", "values")
    one_or_more = read.list_of(read.anything, most=100, single=key != "values")
    return steps.Select(
        **common, choices=found.need(key, one_or_more), by="label" if key == "label" else "value"
    )


def _check(found: Fields) -> steps.Step:
    return steps.Check(**_common(found))


def _uncheck(found: Fields) -> steps.Step:
    return steps.Uncheck(**_common(found))


def _hover(found: Fields) -> steps.Step:
    return steps.Hover(**_common(found))


def _scroll(found: Fields) -> steps.Step:
    common = _common(found, target=False)
    if not common["selectors"] and not {"x", "y"} & found.entries.keys():
        raise InvalidScenario("scroll needs 'selector', or 'x' and 'y'", line=found.line)
    return steps.Scroll(**common, x=found.read("x", _pixels), y=found.read("y", _pixels))


def _wait_for(found: Fields) -> steps.Step:
    common = _common(found, target=False)
    if found.one_of("selector", "text", "url") != "selector":
        found.refuse("state", "needs a selector beside it")
    return steps.WaitFor(
        **common,
        state=found.get("state", _state, "visible"),
        text=found.read("text", read.text),
        url=found.read("url", read.text),
    )


def _expect(found: Fields) -> steps.Step:
    common = _common(found, target=False)
    of_target = tuple(check for check in steps.EXPECT_CHECKS if check not in ("url", "title"))
    if common["selectors"]:
        for key in ("url", "title"):
            found.refuse(key, "is of the page: leave the selector out")
        found.one_of(*of_target)
    else:
        for key in of_target:
            found.refuse(key, "needs a selector beside it")
        found.one_of("url", "title")
    return steps.Expect(
        **common,
        text=found.read("text", read.anything),
        matches=found.read("matches", read.checked(_pattern)),
        value=found.read("value", read.anything),
        count=found.read("count", read.integer(0, 1_000_000)),
        visible=found.read("visible", read.flag),
        url=found.read("url", read.text),
        title=found.read("title", read.anything),
    )


def _act(found: Fields) -> steps.Step:
    common = _common(found, target=False)
    return steps.Act(**common, instruction=found.need("instruction", read.text))


def _upload(found: Fields, folder: Path | None) -> steps.Step:
    common = _common(found)

    def below(name: str) -> Path:
        if folder is None:
            raise InvalidInput("a scenario that is no file can upload none")
        path = contained_path(folder, name)
        if not path.is_file():
            raise InvalidInput(f"{name[:200]!r} is not a file")
        return path

    key = found.one_of("file", "files")
    names = found.need(key, read.list_of(read.text, most=20, single=True))
    files = found.need(key, read.list_of(read.checked(below), most=20, single=True))
    return steps.Upload(**common, names=names, files=files)


_READERS: dict[steps.StepKind, Callable[[Fields], steps.Step]] = {
    "goto": _goto,
    "fill": _fill,
    "click": _click,
    "press": _press,
    "select": _select,
    "check": _check,
    "uncheck": _uncheck,
    "hover": _hover,
    "scroll": _scroll,
    "wait_for": _wait_for,
    "expect": _expect,
    "act": _act,
}
