"""Chrome DevTools Recorder exports (JSON), put into the words of a scenario file.

The format is that of ``@puppeteer/replay``: ``{"title": ..., "steps": [{"type": "click", ...}]}``.
The result is read like any scenario: same checks, same messages, with the lines of the export.
The scenario's name is the file's; the title becomes its description. Recorded waits for
navigations (``assertedEvents``) are left out, since every step settles by itself. Step types that
cannot be done faithfully are refused by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from checkpoint_assets.collection import readers as read
from checkpoint_assets.collection.fields import Fields
from checkpoint_assets.collection.strict_yaml import Entry, Mapping, Node, Scalar, Sequence
from checkpoint_assets.model.errors import InvalidScenario

# What a step may say beside its own words; none of it changes what is done.
_IGNORED = ("type", "timeout", "assertedEvents", "target", "frame", "duration", "deviceType")
_TARGET = ("selectors", "offsetX", "offsetY", "button")
RECORDED_STEPS = {
    "navigate": ("url",),
    "setViewport": (
        *("width", "height", "deviceScaleFactor", "isMobile", "hasTouch", "isLandscape"),
    ),
    "click": _TARGET,
    "doubleClick": _TARGET,
    "hover": _TARGET,
    "change": ("selectors", "value"),
    "keyDown": ("key",),
    "keyUp": ("key",),
    "scroll": ("selectors", "x", "y"),
    "waitForElement": ("selectors", "operator", "count", "visible", "attributes", "properties"),
    "close": (),
}
_MODIFIERS = ("Control", "Shift", "Alt", "Meta")
_BUTTONS = {"primary": "left", "auxiliary": "middle", "secondary": "right"}
_ROLE = re.compile(r'(?P<name>.*?)\[role="(?P<role>[a-z]+)"\]', re.DOTALL)


def is_recording(document: Node) -> bool:
    """Whether the document is a Recorder export: its steps have a ``type``."""
    if not isinstance(document, Mapping) or "name" in document.entries:
        return False
    steps = document.entries.get("steps")
    if steps is None or not isinstance(steps.value, Sequence):
        return False
    return any(isinstance(each, Mapping) and "type" in each.entries for each in steps.value.items)


def from_recording(document: Node, name: str) -> Node:
    """The recording as a scenario document. Raises ``InvalidScenario`` with the line."""
    found = Fields(document, "the recording", ("title", "steps", "timeout", "selectorAttribute"))
    steps = found.entries["steps"].value
    items = steps.items if isinstance(steps, Sequence) else ()
    scenario: dict[str, Node] = {"name": _text(name, found.line)}
    if "title" in found.entries:
        scenario["description"] = found.entries["title"].value
    if "timeout" in found.entries:
        scenario["timeout"] = _seconds(found.entries["timeout"].value)
    converted = _Steps()
    for item in items:
        converted.add(item)
    if converted.viewport is not None:
        scenario["viewport"] = converted.viewport
    if converted.start is None:
        raise InvalidScenario("the recording opens no page", line=found.line)
    scenario["start_url"] = converted.start
    scenario["steps"] = Sequence(tuple(converted.done), found.line)
    return _mapping(scenario, found.line)


class _Steps:
    """Converts one recorded step after another; keys that are held down change the next ones."""

    def __init__(self) -> None:
        self.done: list[Node] = []
        self.viewport: Node | None = None
        self.start: Node | None = None
        self._held: list[str] = []

    def add(self, node: Node) -> None:
        kind_node = read.mapping(node, "a step").entries.get("type")
        if kind_node is None:
            raise InvalidScenario("a recorded step needs 'type'", line=node.line)
        kind = read.text(kind_node.value, "type")
        if kind not in RECORDED_STEPS:
            hint = f"known: {', '.join(RECORDED_STEPS)}"
            raise InvalidScenario(f"unsupported recorded step {kind!r}", line=node.line, hint=hint)
        found = Fields(node, kind, (*RECORDED_STEPS[kind], *_IGNORED))
        getattr(self, f"_{_snake(kind)}")(found)

    def _navigate(self, found: Fields) -> None:
        url = _entry(found, "url")
        self.start = self.start or url
        self._put(found, "goto", {"url": url})

    def _set_viewport(self, found: Fields) -> None:
        if self.start is not None:
            message = "setViewport after the first page cannot be replayed"
            raise InvalidScenario(message, line=found.line, hint="record it before navigating")
        words: dict[str, Node] = {
            "width": _entry(found, "width"),
            "height": _entry(found, "height"),
        }
        if "deviceScaleFactor" in found.entries:
            words["device_scale_factor"] = _entry(found, "deviceScaleFactor")
        self.viewport = _mapping(words, found.line)

    def _click(self, found: Fields, count: int = 1) -> None:
        words = _target(found)
        if "offsetX" in found.entries and "offsetY" in found.entries:
            point: dict[str, Node] = {"x": _entry(found, "offsetX"), "y": _entry(found, "offsetY")}
            words["position"] = _mapping(point, found.line)
        if "button" in found.entries:
            button = found.need("button", read.text)
            words["button"] = _text(_BUTTONS.get(button, button), found.line)
        if self._held:
            words["modifiers"] = _texts(self._held, found.line)
        if count > 1:
            words["click_count"] = _number(count, found.line)
        self._put(found, "click", words)

    def _double_click(self, found: Fields) -> None:
        self._click(found, 2)

    def _hover(self, found: Fields) -> None:
        self._put(found, "hover", _target(found))

    def _change(self, found: Fields) -> None:
        self._put(found, "fill", {**_target(found), "text": _entry(found, "value")})

    def _key_down(self, found: Fields) -> None:
        key = found.need("key", read.text)
        if key in _MODIFIERS:
            self._held.append(key)
        else:
            self._put(found, "press", {"key": _text("+".join([*self._held, key]), found.line)})

    def _key_up(self, found: Fields) -> None:
        key = found.need("key", read.text)
        self._held = [held for held in self._held if held != key]

    def _scroll(self, found: Fields) -> None:
        where = read.number(-1_000_000, 1_000_000)
        words: dict[str, Node] = {
            axis: _number(round(found.get(axis, where, 0.0)), found.line) for axis in ("x", "y")
        }
        target = _target(found) if "selectors" in found.entries else {}
        self._put(found, "scroll", {**target, **words})

    def _wait_for_element(self, found: Fields) -> None:
        for word in ("attributes", "properties"):
            found.refuse(word, "cannot be waited for")
        hidden = "visible" in found.entries and not found.need("visible", read.flag)
        operator = found.get("operator", read.choice((">=", "==", "<=")), ">=")
        count = found.get("count", read.integer(0, 100_000), 1)
        words = _target(found)
        if hidden:
            if "count" in found.entries or "operator" in found.entries:
                found.refuse("visible", "cannot be false beside a count")
            self._put(found, "wait_for", {**words, "state": _text("hidden", found.line)})
        elif operator == "==" or count == 0:
            # No fewer than none is always so; no more than none is none.
            if operator != ">=":
                self._put(found, "expect", {**words, "count": _number(count, found.line)})
        elif operator == ">=":
            self._wait_for_one(found, words, count - 1, "visible")
        else:
            self._wait_for_one(found, words, count, "detached")

    def _wait_for_one(self, found: Fields, words: dict[str, Node], index: int, state: str) -> None:
        """Wait for the element with that index among those that match, or until there is none."""
        listed = words["selector"]
        if index and isinstance(listed, Sequence):
            texts = [each.text for each in listed.items if isinstance(each, Scalar)]
            words["selector"] = _texts([f"{text} >> nth={index}" for text in texts], found.line)
        self._put(found, "wait_for", {**words, "state": _text(state, found.line)})

    def _close(self, found: Fields) -> None:
        """The page is closed at the end anyway."""

    def _put(self, found: Fields, kind: str, words: dict[str, Node]) -> None:
        if "timeout" in found.entries:
            words["timeout"] = _seconds(found.entries["timeout"].value)
        self.done.append(_mapping({kind: _mapping(words, found.line)}, found.line))


def _target(found: Fields) -> dict[str, Node]:
    """``selector`` and ``frame`` of a step that acts on an element."""
    if "target" in found.entries and found.need("target", read.text) != "main":
        found.refuse("target", "is another page than the one that is captured")
    listed = _entry(found, "selectors")
    if not isinstance(listed, Sequence):
        raise InvalidScenario(f"{found.where}.selectors must be a list", line=found.line)
    selectors = [selector for each in listed.items if (selector := _selector(each))]
    words: dict[str, Node] = {"selector": _texts(selectors, found.line)}
    frames = found.entries.get("frame")
    if frames is not None and isinstance(frames.value, Sequence) and frames.value.items:
        numbers = [read.integer(0, 100)(each, "frame") for each in frames.value.items]
        steps = [f"iframe >> nth={number}" for number in numbers]
        words["frame"] = _texts(steps, found.line)
    return words


def _selector(node: Node) -> str | None:
    """One recorded selector as Playwright's; a list of them goes through shadow roots."""
    parts = node.items if isinstance(node, Sequence) else (node,)
    return " >> ".join(_part(read.text(part, "selectors")) for part in parts) or None


def _part(selector: str) -> str:
    kind, slash, rest = selector.partition("/")
    if not slash or kind not in {"aria", "xpath", "text", "pierce", "css"}:
        return selector
    if kind == "xpath":
        return f"xpath={rest}"
    if kind == "text":
        return f"text={rest}"
    if kind in {"pierce", "css"}:
        return rest  # Playwright's CSS goes through open shadow roots by itself
    quoted = json.dumps(rest, ensure_ascii=False)
    if (named := _ROLE.fullmatch(rest)) is not None:
        name = json.dumps(named["name"], ensure_ascii=False)
        return f"role={named['role']}[name={name}s]" if named["name"] else f"role={named['role']}"
    # An accessible name comes from a label, from the text, or from what a button is called.
    label = f"[aria-label={quoted}]"
    return f"css=:is({label}, [placeholder={quoted}], [alt={quoted}], :text-is({quoted}))"


def _entry(found: Fields, key: str) -> Node:
    if key not in found.entries:
        raise InvalidScenario(f"{found.where} needs {key!r}", line=found.line)
    return found.entries[key].value


def _seconds(node: Node) -> Node:
    """Recorded times are in milliseconds."""
    milliseconds = read.number(0, 120_000, above=True)(node, "timeout")
    return _number(milliseconds / 1000, node.line)


def _snake(word: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", word)


def _mapping(words: dict[str, Node], line: int) -> Mapping:
    return Mapping({key: Entry(node, node.line or line) for key, node in words.items()}, line)


def _text(text: str, line: int) -> Scalar:
    return Scalar(text, line)


def _texts(texts: Iterable[str], line: int) -> Sequence:
    return Sequence(tuple(_text(text, line) for text in texts), line)


def _number(number: float, line: int) -> Scalar:
    return Scalar(f"{number:g}", line, "a number")
