"""A site whose pages are held back until the test lets them go: runs end when it says so."""

from __future__ import annotations

import threading
from pathlib import Path

from checkpoint_assets.testing.web_server import LocalSite, Request, Response

_PAGE = b"<!doctype html><title>A page</title><p>Kettle on.</p>"
# Seconds: less than what a capture gives a page of this site to load.
_PATIENCE = 110
NAVIGATION = 120


class Gate(LocalSite):
    """``/`` is answered at once, ``/held/{name}`` when ``open`` was called for the name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="gate")
        self._changed = threading.Condition()
        self._opened: set[str] = set()
        self._waiting: list[str] = []

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    def scenario(self, name: str) -> str:
        """A scenario file: one step that is stored, one that waits for the gate."""
        return (
            f"name: {name}\nstart_url: {self.url}/\nallow_private: [{self.address!r}]\n"
            f"steps:\n  - goto: /\n  - goto: /held/{name}\n"
        )

    @property
    def waiting(self) -> list[str]:
        """Who waits now."""
        with self._changed:
            return list(self._waiting)

    def open(self, *names: str) -> None:
        """Let these in, now and from now on."""
        with self._changed:
            self._opened.update(names)
            self._changed.notify_all()

    def respond(self, request: Request) -> Response | None:
        if request.path == "/":
            return Response(body=_PAGE)
        if not request.path.startswith("/held/"):
            return None
        name = request.path.removeprefix("/held/")
        with self._changed:
            self._waiting.append(name)
            self._changed.wait_for(lambda: name in self._opened, _PATIENCE)
            self._waiting.remove(name)
        return Response(body=_PAGE)
