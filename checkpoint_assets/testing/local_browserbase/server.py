"""The server: a thread with an event loop, a folder, and everything that ends with them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from browserbase import AsyncBrowserbase, Browserbase

from checkpoint_assets.collection.browser.chromium import (
    QUIET_ARGUMENTS,
    find_chromium,
)
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.testing.http_server import HOST, ServerThread
from checkpoint_assets.testing.local_browserbase.account import Account
from checkpoint_assets.testing.local_browserbase.api import Api
from checkpoint_assets.testing.local_browserbase.connection import Connection, LoggedRequest
from checkpoint_assets.testing.local_browserbase.faults import BrowserbaseFaultPlan, Fault
from checkpoint_assets.testing.local_browserbase.limits import Limits
from checkpoint_assets.testing.local_browserbase.session import RemoteSession
from checkpoint_assets.testing.local_browserbase.sessions import Sessions

API_KEY = "bb_local_0123456789"
PROJECT_ID = "11111111-2222-4333-8444-555555555555"
LOGGED = 10_000


class LocalBrowserbase:
    """Browserbase on 127.0.0.1, with a real Chromium for each session. A context manager.

    ``concurrent`` and ``creations`` (in 60 seconds) are the limits of the plan.
    ``shortest_timeout`` lets sessions expire sooner than the real API, whose least is 60 seconds;
    ``longest_timeout`` is where they end although they asked for more.
    With ``reuse`` a browser that a session leaves behind is wiped and lent to the next one, which
    saves starting it. ``arguments`` are more ones for Chromium. All methods may be called from any
    thread; when the server stops, or its process ends, everything it started ends, too.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str = API_KEY,
        concurrent: int = 25,
        creations: int = 1000,
        shortest_timeout: int = 60,
        longest_timeout: int | None = None,
        reuse: bool = False,
        chromium: Path | None = None,
        arguments: Sequence[str] = (),
        clock: Clock = system_clock,
    ) -> None:
        self.api_key = api_key
        self.project_id = PROJECT_ID
        self._server = ServerThread("local-browserbase", port, self._serve, self._running)
        self._limits = Limits(clock, concurrent, creations)
        self._shortest = shortest_timeout
        self._longest = longest_timeout
        self._reuse = reuse
        self._chromium = chromium
        self._arguments = arguments
        self._clock = clock
        self._account = Account(api_key, PROJECT_ID, clock)
        self._faults = BrowserbaseFaultPlan()
        self._requests: deque[LoggedRequest] = deque(maxlen=LOGGED)
        self._sessions: Sessions | None = None
        self._api: Api | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises ``OSError`` if the port is taken, ``BrowserUnavailable`` without one."""
        find_chromium(self._chromium)
        self._server.start()

    def stop(self) -> None:
        """Stop listening, end all sessions and their browsers, and remove their files."""
        self._server.stop()

    @property
    def url(self) -> str:
        """What ``BROWSERBASE_BASE_URL`` has to be."""
        return f"http://{self._host()}"

    def client(self, **options: object) -> Browserbase:
        """The real SDK's client for this server."""
        return Browserbase(api_key=self.api_key, base_url=self.url, **options)  # pyright: ignore[reportArgumentType] (the caller's own)

    def async_client(self, **options: object) -> AsyncBrowserbase:
        """The same for coroutines."""
        return AsyncBrowserbase(api_key=self.api_key, base_url=self.url, **options)  # pyright: ignore[reportArgumentType] (the caller's own)

    def inject(self, *faults: Fault) -> None:
        """From now on these go wrong; the first that matches counts."""
        self._faults.inject(faults)

    def clear_faults(self) -> None:
        """From now on everything goes well."""
        self._faults.clear()

    def pending_faults(self) -> list[Fault]:
        """The faults that have not hit as often as they may."""
        return self._faults.pending()

    @property
    def requests(self) -> list[LoggedRequest]:
        """The last ten thousand requests, the oldest first."""
        return list(self._requests)

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for."""
        return Counter(each.operation for each in self.requests)

    @property
    def sessions(self) -> list[RemoteSession]:
        """All sessions, the oldest first."""
        return list(self._sessions.all.values()) if self._sessions else []

    @property
    def live(self) -> list[RemoteSession]:
        """The sessions that bill."""
        return [each for each in self.sessions if each.live]

    @property
    def most_live(self) -> int:
        """How many sessions there were at the most at the same time."""
        return self._sessions.most_live if self._sessions else 0

    def _host(self) -> str:
        return f"{HOST}:{self._server.port}"

    @asynccontextmanager
    async def _running(self) -> AsyncGenerator[None, None]:
        """What there is while somebody may connect."""
        folder = Path(tempfile.mkdtemp(prefix="local-browserbase-"))
        found = shutil.which("chromium")
        # As root Chromium's sandbox cannot start.
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        sessions = self._sessions = Sessions(
            folder,
            self._clock,
            self._limits,
            executable=find_chromium(self._chromium),
            extension_executable=Path(found) if found else None,
            arguments=[*QUIET_ARGUMENTS, *sandbox, *self._arguments],
            reuse=self._reuse,
        )
        self._api = Api(
            self._account,
            sessions,
            self._limits,
            shortest_timeout=self._shortest,
            longest_timeout=self._longest,
            host=self._host,
        )
        try:
            yield
            await sessions.close()
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._sessions is None or self._api is None:
            return
        await Connection(
            reader,
            writer,
            account=self._account,
            api=self._api,
            sessions=self._sessions,
            faults=self._faults,
            log=self._requests.append,
        ).serve()
