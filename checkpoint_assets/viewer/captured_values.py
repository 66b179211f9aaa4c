"""Values that a page or a foreign writer chose, as what they should be, or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

SHORT = 300
LONG = 2000
_LONGEST_JSON = 200_000
_MOST_ITEMS = 200


def text(value: object, longest: int = SHORT) -> str:
    """The text, cut to a length that can be shown; empty for anything else."""
    if not isinstance(value, str):
        return ""
    # Only what is one half of a character cannot be written.
    shown = value[: longest + 1].encode("utf-8", "replace").decode()
    return shown if len(shown) <= longest else shown[:longest] + "…"


def number(value: object) -> float | None:
    """The number, if it is one that can be calculated with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and abs(found) < 1e9 else None


def mapping(value: object) -> Mapping[str, Any]:
    """The mapping, or an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """The first items of a list, or none."""
    return cast("list[Any]", value)[:_MOST_ITEMS] if isinstance(value, list) else []


def pretty_json(value: object) -> str:
    """The value as indented JSON, cut where it becomes too long to be read."""
    try:
        shown = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    except RecursionError:
        return "nested too deep to be shown"
    return text(shown, _LONGEST_JSON)
