"""Session ids, step ids and scenario names: one pattern, validated once, at the edge."""

from __future__ import annotations

import re
import secrets
import threading
from typing import NewType

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import InvalidId

SessionId = NewType("SessionId", str)
StepId = NewType("StepId", str)
ScenarioName = NewType("ScenarioName", str)

ID_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,94}[A-Za-z0-9])?", re.ASCII)
# Names that Windows gives to devices: a copy of the store must be possible on any disk.
DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul"] + [f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)]
)


def _parse(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidId(f"{what} must be text, not {type(value).__name__}")
    if not ID_PATTERN.fullmatch(value):
        shown = value if len(value) <= 100 else value[:100] + "..."
        raise InvalidId(
            f"invalid {what} {shown!r}",
            hint="1 to 96 ASCII letters, digits, '_' or '-', first and last a letter or digit",
        )
    if value.lower() in DEVICE_NAMES:
        raise InvalidId(f"invalid {what} {value!r}", hint="Windows keeps this name for a device")
    return value


def parse_session_id(value: object) -> SessionId:
    """The value as a session id, unchanged. Raises ``InvalidId``."""
    return SessionId(_parse(value, "session id"))


def parse_step_id(value: object) -> StepId:
    """The value as a step id, unchanged. Raises ``InvalidId``."""
    return StepId(_parse(value, "step id"))


def parse_scenario_name(value: object) -> ScenarioName:
    """The value as a scenario name, unchanged. Raises ``InvalidId``."""
    return ScenarioName(_parse(value, "scenario name"))


class SessionIds:
    """Makes session ids: UUIDv7 text (RFC 9562), sortable by time and never twice the same.

    Ids made by one object in the same millisecond still sort in the order they were made.
    """

    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = 0

    def new(self) -> SessionId:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            # 48 bits of time and 12 of sequence are kept as one number that only grows.
            self._last = max(self._last + 1, milliseconds << 12 | secrets.randbits(11))
            stamp = self._last
        number = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
        number |= 0b10 << 62 | secrets.randbits(62)
        text = f"{number:032x}"
        return SessionId("-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:])))


def step_id(ordinal: int, action: str) -> StepId:
    """The id of the ``ordinal``-th step (from 1): ``0001-goto``. Sorts within its session."""
    if not 1 <= ordinal <= 9999:
        raise InvalidId(f"step number {ordinal} is outside 1 to 9999", hint="split the scenario")
    return parse_step_id(f"{ordinal:04d}-{action.replace('_', '-')}")
