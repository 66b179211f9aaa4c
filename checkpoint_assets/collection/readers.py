"""Typed reading of YAML nodes: a value of the right kind, or ``InvalidScenario`` with its line.

A reader takes a node and the name to call it by in a message: ``text(node, "fill.selector")``.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from checkpoint_assets.collection.strict_yaml import Mapping, Node, Scalar, Sequence
from checkpoint_assets.model.errors import InvalidInput, InvalidScenario

T = TypeVar("T")
Reader = Callable[[Node, str], T]

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,99}", re.ASCII)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` most likely stands for."""
    found = difflib.get_close_matches(word[:100], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def suggest(word: str, known: Iterable[str]) -> str:
    """A hint: the nearest known word, or all of them."""
    known = list(known)
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else f"one of {', '.join(known)}"


def kind_of(node: Node) -> str:
    """What the node is, for a message."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return node.reads_as or "text"


def scalar(node: Node, what: str, wanted: str) -> Scalar:
    """The node as a single value."""
    if isinstance(node, Scalar) and (node.text or node.reads_as is None):
        return node
    found = "empty" if isinstance(node, Scalar) else kind_of(node)
    raise InvalidScenario(f"{what} must be {wanted}, but is {found}", line=node.line)


def anything(node: Node, what: str) -> str:
    """Text, possibly empty."""
    value = scalar(node, what, "text")
    if value.reads_as is not None:
        shown = value.text if len(value.text) <= 40 else value.text[:40] + "..."
        raise InvalidScenario(
            f"{what} must be text, but YAML reads the unquoted {shown} as {value.reads_as}",
            line=node.line,
            hint=f'quote it: "{shown}"',
        )
    return value.text


def text(node: Node, what: str) -> str:
    """Text with at least one character that shows."""
    value = anything(node, what)
    if not value.strip():
        raise InvalidScenario(f"{what} is empty", line=node.line)
    return value


def line_of_text(node: Node, what: str) -> str:
    """One short line of text."""
    value = text(node, what)
    if len(value) > 200 or len(value.splitlines()) > 1:
        raise InvalidScenario(f"{what} must be one line of at most 200 characters", line=node.line)
    return value


def number(low: float, high: float, *, above: bool = False) -> Reader[float]:
    """A finite number from ``low`` (``above``: more than it) to ``high``."""
    bounds = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"

    def read(node: Node, what: str) -> float:
        value = scalar(node, what, "a number")
        if value.reads_as is None or not _NUMBER.fullmatch(value.text):
            raise _not_a_number(value, what, "a number")
        result = float(value.text)
        if not (math.isfinite(result) and low <= result <= high) or (above and result == low):
            raise InvalidScenario(f"{what} must be {bounds}", line=node.line)
        return result

    return read


def integer(low: int, high: int) -> Reader[int]:
    """A whole number from ``low`` to ``high``."""

    def read(node: Node, what: str) -> int:
        value = scalar(node, what, "a whole number")
        if value.reads_as is None or not _INTEGER.fullmatch(value.text):
            raise _not_a_number(value, what, f"a whole number from {low} to {high}")
        result = int(value.text)
        if not low <= result <= high:
            raise InvalidScenario(f"{what} must be from {low} to {high}", line=node.line)
        return result

    return read


def _not_a_number(value: Scalar, what: str, wanted: str) -> InvalidScenario:
    hint = None
    if value.reads_as is None and _NUMBER.fullmatch(value.text):
        hint = "remove the quotes"
    elif re.fullmatch(r"[-+]?0[0-9_]+", value.text):
        hint = "YAML reads a leading 0 as octal: write it without"
    elif ":" in value.text and value.reads_as:
        hint = "YAML reads this as base 60: write it out in plain digits"
    return InvalidScenario(f"{what} must be {wanted}", line=value.line, hint=hint)


def flag(node: Node, what: str) -> bool:
    """``true`` or ``false``, in these words."""
    value = scalar(node, what, "true or false")
    if value.reads_as is None or value.text not in ("true", "false"):
        raise InvalidScenario(f"{what} must be true or false", line=node.line)
    return value.text == "true"


def choice(options: tuple[T, ...]) -> Reader[T]:
    """One of a few words."""
    words = {str(option): option for option in options}

    def read(node: Node, what: str) -> T:
        value = scalar(node, what, f"one of {', '.join(words)}").text
        if value not in words:
            raise InvalidScenario(
                f"unknown {what} {value[:100]!r}", line=node.line, hint=suggest(value, words)
            )
        return words[value]

    return read


def list_of(item: Reader[T], *, most: int, single: bool = False) -> Reader[tuple[T, ...]]:
    """1 to ``most`` items; with ``single``, one item needs no list around it."""

    def read(node: Node, what: str) -> tuple[T, ...]:
        if not isinstance(node, Sequence):
            if single:
                return (item(node, what),)
            raise InvalidScenario(f"{what} must be a list, but is {kind_of(node)}", line=node.line)
        if not 1 <= len(node.items) <= most:
            raise InvalidScenario(f"{what} must have 1 to {most} items", line=node.line)
        return tuple(item(entry, what) for entry in node.items)

    return read


def mapping_of(value: Reader[T], *, most: int = 100) -> Reader[dict[str, T]]:
    """Any words as keys, at most ``most``."""

    def read(node: Node, what: str) -> dict[str, T]:
        entries = mapping(node, what).entries
        if len(entries) > most:
            raise InvalidScenario(f"{what} must have at most {most} entries", line=node.line)
        return {key: value(entry.value, f"{what}.{key}") for key, entry in entries.items()}

    return read


def mapping(node: Node, what: str) -> Mapping:
    """The node as a mapping."""
    if not isinstance(node, Mapping):
        raise InvalidScenario(f"{what} must be a mapping, but is {kind_of(node)}", line=node.line)
    return node


def checked(check: Callable[[str], T]) -> Reader[T]:
    """Text that ``check`` accepts; its ``InvalidInput`` gets the line."""

    def read(node: Node, what: str) -> T:
        value = text(node, what)
        try:
            return check(value)
        except InvalidInput as err:
            message = f"{what}: {err.message}"
            raise InvalidScenario(message, line=node.line, hint=err.hint) from err

    return read


def secret_name(node: Node, what: str) -> str:
    """The name of a secret: where its value is found is not the file's business."""
    value = text(node, what)
    if not SECRET_NAME.fullmatch(value):
        raise InvalidScenario(
            f"{what} must be the NAME of a secret: A-Z, 0-9 and _, beginning with a letter",
            line=node.line,
            hint="its value is read from CHECKPOINT_SECRET_<NAME>",
        )
    return value
