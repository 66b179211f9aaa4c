"""What ``sessions.logs.list`` tells: the CDP commands of a session and their answers."""

from __future__ import annotations

import json
import time
from typing import Any

from checkpoint_assets.testing.local_browserbase.session import RemoteSession

# Longer ones are pictures and pages: they are counted, not kept.
_LARGEST = 16 * 1024


class CdpLog:
    """Writes one web socket's traffic into its session."""

    def __init__(self, session: RemoteSession) -> None:
        self._session = session
        self._waiting: dict[tuple[int, str], dict[str, Any]] = {}

    def sent(self, message: dict[str, Any], raw: bytes) -> None:
        """The client sent a command."""
        if not self._session.wish.log:
            return
        short = len(raw) <= _LARGEST
        entry: dict[str, Any] = {
            "method": message.get("method", ""),
            "pageId": 0,
            "sessionId": self._session.id,
            "timestamp": _now(),
            "request": {
                "timestamp": _now(),
                "params": message.get("params", {}) if short else {},
                "rawBody": raw.decode(errors="replace") if short else "",
            },
        }
        self._session.logs.append(entry)
        self._waiting[message.get("id", 0), message.get("sessionId", "")] = entry

    def received(self, raw: bytes) -> None:
        """The browser sent something: an answer completes its entry, an event is left out."""
        if not self._session.wish.log or not raw.startswith(b'{"id":'):
            return
        short = len(raw) <= _LARGEST
        message: dict[str, Any] = json.loads(raw) if short else {}
        if short:
            key = (message["id"], message.get("sessionId", ""))
        else:
            number = _number(raw)
            key = next((each for each in self._waiting if each[0] == number), (0, ""))
        entry = self._waiting.pop(key, None)
        if entry is not None:
            entry["response"] = {
                "timestamp": _now(),
                "result": message.get("result", {}),
                "rawBody": raw.decode(errors="replace") if short else "",
            }


def _number(raw: bytes) -> int:
    digits = raw[6:26].partition(b",")[0].strip()
    return int(digits) if digits.isdigit() else 0


def _now() -> int:
    return round(time.time() * 1000)
