"""A local site whose pages the tests write, and the ways into a Chromium that stays on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checkpoint_assets.config import Settings, Timeouts
from checkpoint_assets.testing.web_server import LocalSite, Request, Response

# No name but those of this machine leads anywhere: a test never leaves it.
HERMETIC = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"

Answer = str | bytes | Response | Callable[[Request], Response]


def hermetic_settings(**timeouts: float) -> Settings:
    """Settings for a browser that reaches this machine alone."""
    values: dict[str, Any] = {"chromium_arguments": (HERMETIC,)}
    return Settings(**values, timeouts=Timeouts(**timeouts))


class Pages(LocalSite):
    """Serves what it is given, each at a path of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="pages")
        self._answers: dict[str, Answer] = {}
        self._numbers = itertools.count(1)

    def add(self, answer: Answer, path: str | None = None) -> str:
        """Serve it from now on. The result is its URL; text and bytes are HTML."""
        path = path or f"/{next(self._numbers)}"
        self._answers[path] = answer
        return self.url + path

    def respond(self, request: Request) -> Response | None:
        answer = self._answers.get(request.path)
        if answer is None or isinstance(answer, Response):
            return answer
        if isinstance(answer, str):
            return Response(body=answer.encode())
        return Response(body=answer) if isinstance(answer, bytes) else answer(request)
