"""The two ends of a proxied connection: the browser's, which speaks SOCKS 5, and the remote one.

Each passes on what it receives, and is not read while the other one cannot keep up. The numbers
are those of RFC 1928.
"""

from __future__ import annotations

import asyncio
import ipaddress
from enum import IntEnum
from typing import Protocol, cast

_VERSION = 5
_NO_AUTHENTICATION = 0
_NO_METHOD = 0xFF
_CONNECT = 1
_NAME = 3
_ADDRESS_SIZES = {1: 4, 4: 16}


class Reply(IntEnum):
    """What a browser is told of the connection that it asked for."""

    CONNECTED = 0
    NOT_ALLOWED = 2
    UNREACHABLE = 4
    UNKNOWN_COMMAND = 7


class Owner(Protocol):
    """What a :class:`BrowserEnd` asks and tells."""

    handshake_seconds: float
    idle_seconds: float

    def opened(self, end: BrowserEnd) -> bool:
        """A browser has connected. False: it is cut off at once."""
        ...

    def requested(self, end: BrowserEnd, host: str, port: int) -> None:
        """It asks for a connection. To be answered by a ``RemoteEnd``, or with ``refuse``."""
        ...

    def received(self, end: BrowserEnd, size: int) -> None:
        """The remote end has sent so many bytes."""
        ...

    def ended(self, end: BrowserEnd) -> None:
        """Both ends are closed."""
        ...


class BrowserEnd(asyncio.Protocol):
    """A browser's connection. It is cut if it asks for nothing, and if both ends fall silent.

    ``target`` is the host and port that it asked for.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._remote: RemoteEnd | None = None
        self._buffer = bytearray()
        self._greeted = self._asked = False
        self._heard = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.target = ("", 0)
        self.closed = asyncio.Event()

    @property
    def open(self) -> bool:
        """Whether the browser is still there."""
        return self._transport is not None and not self._transport.is_closing()

    def join(self, remote: RemoteEnd) -> None:
        """Tell the browser that it is connected; from now on the ends pass on what they get."""
        self._remote = remote
        self._reply(Reply.CONNECTED)
        remote.write(bytes(self._buffer))
        self._buffer.clear()
        self.resume()

    def refuse(self, reply: Reply) -> None:
        """Tell the browser that it will not be connected."""
        self._reply(reply)
        self.close()

    def abort(self) -> None:
        """Cut both ends, at once."""
        if self._transport is not None:
            self._transport.abort()
        if self._remote is not None:
            self._remote.abort()

    def heard(self, size: int) -> None:
        """The remote end has sent something."""
        self._heard = self._loop.time()
        self._owner.received(self, size)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up when everything was sent."""
        if self._transport is not None:
            self._transport.close()

    def remote_closed(self) -> None:
        """The remote end is gone."""
        self.close()
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._owner.opened(self):
            self._timer = self._loop.call_later(self._owner.handshake_seconds, self.abort)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._remote is not None:
            self._heard = self._loop.time()
            self._remote.write(data)
            return
        self._buffer += data
        try:
            self._shake_hands()
        except ValueError:  # whoever this is, it does not speak SOCKS 5
            self.abort()

    def pause_writing(self) -> None:
        if self._remote is not None:
            self._remote.pause()

    def resume_writing(self) -> None:
        if self._remote is not None:
            self._remote.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._remote is not None:
            self._remote.close()
        self._end()

    def _end(self) -> None:
        if self._transport is not None or (self._remote is not None and self._remote.open):
            return
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.is_set():
            self.closed.set()
            self._owner.ended(self)

    def _reply(self, reply: Reply) -> None:
        # The address that the proxy connects from is nobody's business: 0.0.0.0:0.
        self.write(bytes((_VERSION, reply, 0, 1)) + bytes(6))

    def _shake_hands(self) -> None:
        buffer = self._buffer
        if buffer and buffer[0] != _VERSION:
            raise ValueError("no SOCKS 5")
        if not self._greeted:
            if len(buffer) < 2 or len(buffer) < 2 + buffer[1]:
                return
            methods = buffer[2 : 2 + buffer[1]]
            del buffer[: 2 + buffer[1]]
            if _NO_AUTHENTICATION not in methods:
                self.write(bytes((_VERSION, _NO_METHOD)))
                self.close()
                return
            self._greeted = True
            self.write(bytes((_VERSION, _NO_AUTHENTICATION)))
        if not self._asked and (request := _parse_request(buffer)) is not None:
            command, host, port, size = request
            del buffer[:size]
            self._asked, self.target = True, (host, port)
            self.pause()  # what comes next is for the remote end
            self._watch()
            if command == _CONNECT:
                self._owner.requested(self, host, port)
            else:
                self.refuse(Reply.UNKNOWN_COMMAND)

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        left = self._heard + self._owner.idle_seconds - self._loop.time()
        if left <= 0:
            self.abort()
        else:
            self._timer = self._loop.call_later(left, self._watch)


class RemoteEnd(asyncio.Protocol):
    """The connection to a server. It joins the browser's as soon as it is made."""

    def __init__(self, browser: BrowserEnd) -> None:
        self._browser = browser
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether the server is still there."""
        return self._transport is not None

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up when everything was sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._browser.open:
            self._browser.join(self)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._browser.write(data)
        self._browser.heard(len(data))

    def pause_writing(self) -> None:
        self._browser.pause()

    def resume_writing(self) -> None:
        self._browser.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._browser.remote_closed()


def _parse_request(data: bytearray) -> tuple[int, str, int, int] | None:
    """Command, host, port and length of the request; ``None`` if it is not all there yet.

    Raises ``ValueError`` for what is no request.
    """
    if len(data) < 5:
        return None
    version, command, _, kind, first = data[:5]
    if version != _VERSION:
        raise ValueError("no SOCKS 5")
    if kind == _NAME and first:
        start, size = 5, first
    elif kind in _ADDRESS_SIZES:
        start, size = 4, _ADDRESS_SIZES[kind]
    else:
        raise ValueError("no kind of address")
    end = start + size
    if len(data) < end + 2:
        return None
    raw = bytes(data[start:end])
    host = raw.decode("ascii") if kind == _NAME else str(ipaddress.ip_address(raw))
    return command, host, int.from_bytes(data[end : end + 2], "big"), end + 2
