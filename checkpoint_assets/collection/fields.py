"""The keys of one mapping in a scenario file: which there may be, and which there must be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from checkpoint_assets.collection import readers
from checkpoint_assets.collection.readers import Reader
from checkpoint_assets.collection.strict_yaml import Entry, Node
from checkpoint_assets.model.errors import InvalidScenario

T = TypeVar("T")


class Fields:
    """The entries of one mapping, of which all keys are known."""

    def __init__(
        self,
        node: Node,
        where: str,
        known: Iterable[str],
        *,
        line: int | None = None,
        elsewhere: dict[str, str] | None = None,
    ) -> None:
        """``elsewhere`` tells where words belong that are right in another place."""
        self.entries = dict(readers.mapping(node, where).entries)
        self.line = node.line if line is None else line
        self.where = where
        known = tuple(known)
        for key, entry in self.entries.items():
            if key not in known:
                hint = _unknown_key(key, known, elsewhere or {})
                shown = key if len(key) <= 100 else key[:100] + "..."
                message = f"unknown key {shown!r} in {where}"
                raise InvalidScenario(message, line=entry.line, hint=hint)

    def replace(self, key: str, value: Node) -> None:
        """Puts another value in the place of the key's."""
        self.entries[key] = Entry(value, self.entries[key].line)

    def read(self, key: str, reader: Reader[T]) -> T | None:
        """The key's value, or ``None`` where the key is not there."""
        entry = self.entries.get(key)
        return None if entry is None else reader(entry.value, self.name(key))

    def get(self, key: str, reader: Reader[T], default: T) -> T:
        """The key's value, or ``default`` where the key is not there."""
        return reader(self.entries[key].value, self.name(key)) if key in self.entries else default

    def need(self, key: str, reader: Reader[T]) -> T:
        """The key's value; the key must be there."""
        if key not in self.entries:
            raise InvalidScenario(f"{self.where} needs {key!r}", line=self.line)
        return reader(self.entries[key].value, self.name(key))

    def one_of(self, *keys: str) -> str:
        """The one key of these that is there; exactly one must be."""
        given = self.at_most_one_of(*keys)
        if given is None:
            wanted = " or ".join(repr(key) for key in keys)
            raise InvalidScenario(f"{self.where} needs {wanted}", line=self.line)
        return given

    def at_most_one_of(self, *keys: str) -> str | None:
        """The one key of these that is there, or ``None``."""
        given = [key for key in self.entries if key in keys]
        if len(given) > 1:
            raise InvalidScenario(
                f"{self.where} takes {given[0]!r} or {given[1]!r}, not both",
                line=self.entries[given[1]].line,
            )
        return given[0] if given else None

    def refuse(self, key: str, why: str) -> None:
        """Refuses the key, where it is there."""
        if key in self.entries:
            raise InvalidScenario(f"{self.name(key)} {why}", line=self.entries[key].line)

    def name(self, key: str) -> str:
        """What to call the key's value in a message."""
        return key if self.where == "the scenario" else f"{self.where}.{key}"


def _unknown_key(key: str, known: tuple[str, ...], elsewhere: dict[str, str]) -> str | None:
    near = readers.nearest(key, known)
    if near is None and key in elsewhere:
        return f"it belongs in {elsewhere[key]}"
    near = near or readers.nearest(key, elsewhere)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known: {', '.join(known)}"
