"""What a check says of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# A verdict is a look, not the data.
MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is well, and what was found: plain JSON values, and never what a page says.

    ``serious``: something is broken, where otherwise somebody should have a look. ``picture`` is a
    small JPEG that we encoded.
    """

    passed: bool
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    serious: bool = False
    picture: bytes | None = None


def named(names: Sequence[str]) -> list[str]:
    """The first of them."""
    return list(names[:MOST_NAMED])


def share(part: int, whole: int) -> float:
    """``part`` of ``whole``, rounded; 0 of nothing."""
    return round(part / whole, 4) if whole else 0.0
