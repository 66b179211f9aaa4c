"""The ground under servers that misbehave: a thread with an event loop, and HTTP/1.1 by hand.

Whoever drops, cuts or withholds answers must own every byte that is sent: this reads requests,
and ends connections; what is answered is the server's own affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
LARGEST_HEAD = 64 * 1024

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
Around = Callable[[], AbstractAsyncContextManager[object]]


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. ``target`` is as it was sent, header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]


async def read_head(reader: asyncio.StreamReader) -> Head:
    """The next request's head. Raises ``asyncio.IncompleteReadError`` when there is none."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return Head(method, target, headers)


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """The request's body: in chunks, or as long as its head says."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    chunks: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(chunks)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a TCP reset: what was not yet read is lost to the client."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    writer.transport.abort()


class ServerThread:
    """Serves connections on 127.0.0.1, from ``start`` to ``stop``; may be started again.

    ``port`` 0 takes a free one, which is kept. ``around`` is entered in the thread's loop before
    anybody is let in, and left when the last connection has ended.
    """

    def __init__(
        self, name: str, port: int, serve: Serve, around: Around = contextlib.nullcontext
    ) -> None:
        self.port = port
        self._name = name
        self._serve = serve
        self._around = around
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Listen. Raises ``OSError`` if that cannot be."""
        if self._thread:
            return
        started = threading.Event()
        failure: list[OSError] = []

        def run() -> None:
            try:
                asyncio.run(self._run(started))
            except OSError as err:
                failure.append(err)
                started.set()

        self._thread = threading.Thread(target=run, name=self._name, daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            self._thread = None
            raise failure[0]

    def stop(self) -> None:
        """Stop listening and reset all connections. Safe to call twice."""
        if self._thread and self._loop:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
        self._thread = None

    async def _run(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        # Not a coroutine: asyncio would complain of each one that is cancelled at the end.
        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            connections[task] = writer
            task.add_done_callback(connections.pop)

        async with self._around():
            server = await asyncio.start_server(connected, HOST, self.port, limit=LARGEST_HEAD)
            self.port = server.sockets[0].getsockname()[1]
            started.set()
            await self._stopping.wait()
            server.close()
            for writer in list(connections.values()):
                reset(writer)
            tasks = list(connections)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
