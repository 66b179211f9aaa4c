"""Reads YAML strictly: a value is what the file says, and it knows its line.

Nothing is guessed and nothing is executed. A word that YAML 1.1 would silently turn into something
else (``no``, ``012``, ``1:30``, a date) stays text, with a note of what YAML would have made of
it; whoever reads the field decides. Refused: anchors, aliases, tags, duplicate keys, a second
document, and sizes and depths that no honest file has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml import events
from yaml.resolver import Resolver

from checkpoint_assets.model.errors import InvalidScenario

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000

_RESOLVER = Resolver()
_READS_AS = {
    "tag:yaml.org,2002:null": "nothing",
    "tag:yaml.org,2002:bool": "a boolean",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:timestamp": "a date",
    "tag:yaml.org,2002:merge": "a merge key",
    "tag:yaml.org,2002:value": "a default value",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word or text. ``reads_as`` is what YAML makes of it unquoted; ``None``: text."""

    text: str
    line: int
    reads_as: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list, in order."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of one key; ``line`` is the key's."""

    value: Node
    line: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in order. Keys are always text, also ``on`` and ``2024``."""

    entries: dict[str, Entry]
    line: int


Node = Scalar | Sequence | Mapping


def read_yaml(text: str) -> Node:
    """The one document of ``text``. Raises ``InvalidScenario`` with the line, without a path."""
    check_size(len(text.encode("utf-8", "surrogatepass")))
    text = text.removeprefix("\ufeff")
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as err:
        raise InvalidScenario(*_syntax(err), line=_line_of(err)) from err
    except yaml.reader.ReaderError as err:
        # The position counts characters of the whole text.
        line = text.count("\n", 0, err.position) + 1
        raise InvalidScenario("a character that YAML does not allow", line=line) from err


def check_size(size: int) -> None:
    """Refuses what is larger than a scenario file may be, in bytes."""
    if size > MAX_BYTES:
        raise InvalidScenario(f"the file is larger than {MAX_BYTES // 1024} KB")


def plain(node: Node) -> Any:
    """The same as dicts, lists and text: equal for files that differ in layout only."""
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.text


class _Reader:
    """Turns parser events into nodes; limits are checked before anything deep is built."""

    def __init__(self, text: str) -> None:
        self._loader = yaml.SafeLoader(text)
        self._values = 0

    def document(self) -> Node:
        try:
            self._next()  # start of the stream
            if isinstance(self._next(), events.StreamEndEvent):
                _refuse("the file is empty", 1)
            node = self._node(self._next(), 1)
            self._next()  # end of the document
            after = self._next()
            if not isinstance(after, events.StreamEndEvent):
                _refuse(
                    "a second YAML document begins here", _line(after), "one file, one scenario"
                )
            return node
        finally:
            self._loader.dispose()

    def _next(self) -> events.Event:
        try:
            return self._loader.get_event()
        except (ValueError, OverflowError) as err:
            # PyYAML lets these through for "\UFFFFFFFF" and for absurd version numbers.
            raise InvalidScenario("invalid escape or number", line=self._loader.line + 1) from err

    def _node(self, event: events.Event, depth: int) -> Node:
        line = _line(event)
        self._values += 1
        if self._values > MAX_VALUES:
            _refuse(f"more than {MAX_VALUES} values", line)
        if isinstance(event, events.AliasEvent):
            _refuse(f"an alias (*{event.anchor}) is not allowed", line, "write the value out")
        if not isinstance(
            event, events.ScalarEvent | events.SequenceStartEvent | events.MappingStartEvent
        ):
            raise TypeError(f"no node begins with {event!r}")
        if event.anchor is not None:
            _refuse(f"an anchor (&{event.anchor}) is not allowed", line, "write the value out")
        if event.tag is not None:
            _refuse(f"a tag ({event.tag}) is not allowed", line, "quote text that begins with '!'")
        if isinstance(event, events.ScalarEvent):
            return _scalar(event, line)
        if depth > MAX_DEPTH:
            _refuse(f"nested more than {MAX_DEPTH} levels deep", line)
        if isinstance(event, events.SequenceStartEvent):
            return self._sequence(line, depth)
        return self._mapping(line, depth)

    def _sequence(self, line: int, depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(tuple(items), line)

    def _mapping(self, line: int, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while not isinstance(event := self._next(), events.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar) or not key.text:
                _refuse("a key must be a word", key.line)
            if key.text in entries:
                first = entries[key.text].line
                _refuse(f"duplicate key {key.text!r}", key.line, f"first on line {first}")
            entries[key.text] = Entry(self._node(self._next(), depth + 1), key.line)
        return Mapping(entries, line)


def _scalar(event: events.ScalarEvent, line: int) -> Scalar:
    text = event.value
    if _SURROGATE.search(text):
        try:
            # JSON writes one character as a pair of escapes; a lone half is no character.
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            _refuse("half of a surrogate pair is no character", line)
    if found := _CONTROL.search(text):
        _refuse(f"a control character (U+{ord(found.group()):04X}) is not allowed", line)
    if not event.implicit[0]:
        return Scalar(text, line)
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
    return Scalar(text, line, _READS_AS.get(tag))


def _syntax(err: yaml.MarkedYAMLError) -> tuple[str, ...]:
    problem = err.problem or err.context or "cannot be parsed"
    if "'\\t'" in problem:
        return ("a tab where YAML wants spaces",)
    return (f"not valid YAML: {problem}",)


def _line_of(err: yaml.MarkedYAMLError) -> int | None:
    mark = err.problem_mark or err.context_mark
    return mark.line + 1 if mark else None


def _line(event: events.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1


def _refuse(message: str, line: int, hint: str | None = None) -> NoReturn:
    raise InvalidScenario(message, line=line, hint=hint)
