"""The one way from a browser context to the network: a proxy that checks every connection.

It speaks SOCKS 5 (RFC 1928), because Chromium then sends all of its TCP through it the same way
(documents, redirects, frames, scripts, web sockets; plain or TLS), names each host instead of
resolving it, and takes a refusal for a network error, never for a page. Bytes are passed on as
they come; nothing in them is parsed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from checkpoint_assets.collection.address_gate import Resolve, checked_addresses, resolve
from checkpoint_assets.collection.browser.socks import BrowserEnd, RemoteEnd, Reply
from checkpoint_assets.model.errors import InvalidUrl

# Connects the protocol that it makes to an address (never a name) and a port. Raises `OSError`.
Dial = Callable[[Callable[[], asyncio.Protocol], str, int], Awaitable[object]]

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# Of so many hosts and ports the proxy remembers what came of them.
_REMEMBERED = 2000


async def dial(protocol: Callable[[], asyncio.Protocol], address: str, port: int) -> object:
    """A plain TCP connection."""
    loop = asyncio.get_running_loop()
    return await loop.create_connection(protocol, address, port, flags=socket.AI_NUMERICHOST)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one proxy: connections at a time, seconds, and bytes received in all."""

    connections: int = 256
    connect_seconds: float = 15
    idle_seconds: float = 300
    received_bytes: int = 1024**3


@dataclass(frozen=True, slots=True)
class Unreached:
    """A connection that was not made: refused by us, or impossible.

    ``reason`` says why it was ``refused``, or is Chromium's word for the failure.
    """

    host: str
    port: int
    reason: str
    refused: bool
    hint: str | None = None


class ForwardProxy:
    """Passes on connections to public addresses and to ``allowed`` private ``host:port`` pairs.

    Serves one browser context, on 127.0.0.1, from ``start`` to ``close``; after that no task and
    no connection of it is left. A host keeps the addresses it had when it was first asked for, and
    it is those that are connected to.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        resolver: Resolve = resolve,
        dial: Dial = dial,
        limits: Limits | None = None,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._resolver = resolver
        self._dial = dial
        self._limits = limits or Limits()
        self.handshake_seconds = self._limits.connect_seconds
        self.idle_seconds = self._limits.idle_seconds
        self._server: asyncio.Server | None = None
        self._connecting: dict[BrowserEnd, asyncio.Task[None]] = {}
        self._ends: set[BrowserEnd] = set()
        self._addresses: dict[str, Collection[str]] = {}
        self._unreached: dict[tuple[str, int], Unreached] = {}
        self._refusals: dict[Unreached, int] = {}
        self._received = 0

    @property
    def url(self) -> str:
        """Where the proxy listens, for the browser. Raises ``RuntimeError`` unless started."""
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return f"socks5://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        """Listen on a free port. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: BrowserEnd(self), "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop listening and cut every connection. Safe to call twice."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        tasks, ends = list(self._connecting.values()), list(self._ends)
        for task in tasks:
            task.cancel()
        for end in ends:
            end.abort()
        await asyncio.gather(*tasks, *(end.closed.wait() for end in ends), return_exceptions=True)

    def unreached(self, url: str) -> Unreached | None:
        """Why the last connection to the URL's host and port was not made; ``None`` if it was."""
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            return None
        return self._unreached.get((parts.hostname or "", port))

    def take_refusals(self) -> dict[Unreached, int]:
        """What was refused since the last call, and how many times."""
        refusals, self._refusals = self._refusals, {}
        return refusals

    def opened(self, end: BrowserEnd) -> bool:
        # Twice the limit: up to it, connections beyond are told why they are refused.
        if self._server is None or len(self._ends) >= 2 * self._limits.connections:
            return False
        self._ends.add(end)
        return True

    def requested(self, end: BrowserEnd, host: str, port: int) -> None:
        self._connecting[end] = asyncio.ensure_future(self._connect(end, host, port))

    def received(self, end: BrowserEnd, size: int) -> None:
        self._received += size
        if self._received > self._limits.received_bytes:
            self._note(Unreached(*end.target, self._too_much(), refused=True))
            end.abort()

    def ended(self, end: BrowserEnd) -> None:
        self._ends.discard(end)
        if task := self._connecting.pop(end, None):
            task.cancel()

    async def _connect(self, end: BrowserEnd, host: str, port: int) -> None:
        """Connect the browser with the host, or tell it that this cannot be."""
        try:
            self._check_limits()
            async with asyncio.timeout(self._limits.connect_seconds):
                await self._reach(end, host, port)
        except InvalidUrl as err:
            self._note(Unreached(host, port, err.message, refused=True, hint=err.hint))
            end.refuse(Reply.NOT_ALLOWED)
        except OSError as err:  # a TimeoutError is one, too
            self._note(Unreached(host, port, _chromium_word(err), refused=False))
            end.refuse(Reply.UNREACHABLE)
        except BaseException:  # whatever it is, the browser is not kept waiting
            end.abort()
            raise
        else:
            self._unreached.pop((host, port), None)

    def _check_limits(self) -> None:
        limits = self._limits
        if len(self._ends) > limits.connections:
            raise InvalidUrl(f"more than {limits.connections} connections at a time")
        if self._received > limits.received_bytes:
            raise InvalidUrl(self._too_much())

    def _too_much(self) -> str:
        return f"more than {self._limits.received_bytes} bytes in one session"

    async def _reach(self, end: BrowserEnd, host: str, port: int) -> None:
        addresses = await checked_addresses(host, port, self._allowed, resolver=self._resolve)
        failed: OSError = socket.gaierror(socket.EAI_NONAME, "the name does not resolve")
        for address in addresses:
            try:
                await self._dial(lambda: RemoteEnd(end), address, port)
            except OSError as err:
                failed = err
            else:
                return
        self._addresses.pop(host, None)
        raise failed

    async def _resolve(self, host: str) -> Collection[str]:
        """The host's addresses, the same ones for as long as they can be reached."""
        if host not in self._addresses:
            found = await self._resolver(host)
            if not found:
                return ()
            if len(self._addresses) >= _REMEMBERED:
                self._addresses.clear()
            self._addresses.setdefault(host, found)
        return self._addresses[host]

    def _note(self, unreached: Unreached) -> None:
        if len(self._unreached) >= _REMEMBERED:
            self._unreached.clear()
        self._unreached[unreached.host, unreached.port] = unreached
        if unreached.refused and (unreached in self._refusals or len(self._refusals) < _REMEMBERED):
            self._refusals[unreached] = self._refusals.get(unreached, 0) + 1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _chromium_word(err: OSError) -> str:
    match err:
        case TimeoutError():
            return "ERR_CONNECTION_TIMED_OUT"
        case ConnectionRefusedError():
            return "ERR_CONNECTION_REFUSED"
        case socket.gaierror():
            return "ERR_NAME_NOT_RESOLVED"
        case _:
            return "ERR_ADDRESS_UNREACHABLE"
