"""Puts the values of a scenario's variables into its texts.

``${user}`` becomes the value of ``user``; ``$${user}`` is the literal text ``${user}``. Only the
scenario's own variables count: the environment is never read. ``${}`` and ``${1 + 1}`` name no
variable and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from checkpoint_assets.collection import strict_yaml as nodes
from checkpoint_assets.collection.readers import suggest
from checkpoint_assets.model.errors import InvalidScenario

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_REFERENCE = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_.-]*)\}", re.ASCII)
MAX_EXPANSION = 1_000_000


class Variables:
    """The values to put in. All texts of one scenario together may grow only so far."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._left = MAX_EXPANSION

    def fill_in(self, node: nodes.Node) -> nodes.Node:
        """The same node with every text filled in. Raises ``InvalidScenario`` with the line."""
        if isinstance(node, nodes.Mapping):
            entries = {
                key: nodes.Entry(self.fill_in(entry.value), entry.line)
                for key, entry in node.entries.items()
            }
            return nodes.Mapping(entries, node.line)
        if isinstance(node, nodes.Sequence):
            return nodes.Sequence(tuple(self.fill_in(item) for item in node.items), node.line)
        if "${" not in node.text:
            return node
        text = _REFERENCE.sub(lambda found: self._value(found, node.line), node.text)
        return nodes.Scalar(text, node.line, node.reads_as)

    def _value(self, found: re.Match[str], line: int) -> str:
        escaped, name = found.groups()
        if escaped:
            return found.group()[1:]
        if name not in self._values:
            hint = suggest(name, self._values) if self._values else "the scenario has no variables"
            raise InvalidScenario(f"unknown variable ${{{name[:100]}}}", line=line, hint=hint)
        value = self._values[name]
        self._left -= len(value)
        if self._left < 0:
            raise InvalidScenario(f"variables add more than {MAX_EXPANSION} characters", line=line)
        return value
