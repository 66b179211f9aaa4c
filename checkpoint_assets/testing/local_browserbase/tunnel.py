"""A web socket from a client to a session's browser, passed on frame by frame."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any

from checkpoint_assets.testing.http_server import reset
from checkpoint_assets.testing.local_browserbase.cdp_log import CdpLog
from checkpoint_assets.testing.local_browserbase.faults import BrowserbaseFaultPlan, Fault
from checkpoint_assets.testing.local_browserbase.frames import (
    CLOSE,
    Frame,
    Messages,
    close_frame,
    read_frame,
)
from checkpoint_assets.testing.local_browserbase.session import RemoteSession
from checkpoint_assets.testing.local_browserbase.sessions import Sessions

# Of the client's handshake; without extensions frames are not compressed, and can be read.
_HANDSHAKE = ("upgrade", "connection", "sec-websocket-key", "sec-websocket-version")
_GOING_AWAY = 1001


class Tunnel:
    """Joins one client with the session's browser until one of them leaves."""

    def __init__(
        self,
        session: RemoteSession,
        sessions: Sessions,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        faults: BrowserbaseFaultPlan,
    ) -> None:
        self._session = session
        self._sessions = sessions
        self._reader = reader
        self._writer = writer
        self._faults = faults
        self._log = CdpLog(session)
        self._silent = False
        # Answers to these commands are cut off.
        self._cut: set[int] = set()

    async def run(self, headers: Mapping[str, str]) -> None:
        """Shake hands and pass on. Raises ``OSError`` if the browser cannot be reached."""
        browser = self._session.browser
        if browser is None:
            raise OSError("the session has no browser")
        upstream, to_browser = await asyncio.open_connection(
            "127.0.0.1", browser.port, limit=64 * 1024 * 1024
        )
        self._session.clients.add(self._hang_up)
        try:
            lines = [f"GET {browser.socket_path} HTTP/1.1", f"Host: 127.0.0.1:{browser.port}"]
            lines += [f"{name}: {headers[name]}" for name in _HANDSHAKE if name in headers]
            to_browser.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            self._writer.write(await upstream.readuntil(b"\r\n\r\n"))
            pumps = [
                asyncio.ensure_future(self._from_client(to_browser)),
                asyncio.ensure_future(self._from_browser(upstream)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                if pumps[1].done():
                    # The browser hung up: if that is its end, the session's watch says so.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            await browser.ended()
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the browser ended in the handshake: the client sees its socket close
        finally:
            to_browser.transport.abort()
            self._session.clients.discard(self._hang_up)
            self._sessions.client_left(self._session)

    def _hang_up(self, reason: str) -> None:
        with contextlib.suppress(OSError):
            self._writer.write(close_frame(_GOING_AWAY, reason))
            self._writer.close()

    async def _from_client(self, to_browser: asyncio.StreamWriter) -> None:
        messages = Messages()
        held: list[bytes] = []
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                frame = await read_frame(self._reader)
                held.append(frame.raw)
                whole = messages.add(frame)
                if whole is not None:
                    await self._command(whole)
                elif frame.opcode < CLOSE:
                    continue  # a part of a message: it goes with the rest
                if not self._silent:
                    to_browser.write(b"".join(held))
                    await to_browser.drain()
                held.clear()

    async def _command(self, raw: bytes) -> None:
        message: dict[str, Any] = json.loads(raw)
        method = message.get("method", "")
        fault = self._faults.take("cdp", method)
        self._log.sent(message, raw)
        if fault is not None:
            await self._fail(fault, message)

    async def _fail(self, fault: Fault, message: dict[str, Any]) -> None:
        match fault.kind:
            case "hang":
                self._silent = True
            case "reset":
                reset(self._writer)
                raise ConnectionResetError
            case "truncate":
                self._cut.add(message.get("id", 0))
            case "latency":
                await asyncio.sleep(fault.seconds)
            case "crash":
                if self._session.browser is not None:
                    await self._session.browser.kill()
            case _:
                self._sessions.end_soon(self._session, "COMPLETED", "released")

    async def _from_browser(self, upstream: asyncio.StreamReader) -> None:
        messages = Messages()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                frame = await read_frame(upstream)
                if self._silent:
                    continue
                if self._cut and self._is_cut(frame):
                    self._writer.write(frame.raw[: len(frame.raw) // 2 + 1])
                    await self._writer.drain()
                    self._writer.close()
                    return
                self._writer.write(frame.raw)
                await self._writer.drain()
                whole = messages.add(frame)
                if whole is not None:
                    self._log.received(whole)

    def _is_cut(self, frame: Frame) -> bool:
        return any(frame.payload.startswith(b'{"id":%d,' % number) for number in self._cut)
