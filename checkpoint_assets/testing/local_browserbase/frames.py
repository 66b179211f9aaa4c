"""Web-socket frames (RFC 6455), read from one side of a tunnel and passed on as they came."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE = 0, 1, 2, 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: ``raw`` is every byte of it, ``payload`` is unmasked."""

    raw: bytes
    opcode: int
    last: bool
    payload: bytes


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises ``asyncio.IncompleteReadError`` at the end of the stream."""
    head = await reader.readexactly(2)
    length = head[1] & 0x7F
    more = b""
    if length == 126:
        more = await reader.readexactly(2)
    elif length == 127:
        more = await reader.readexactly(8)
    if more:
        length = int.from_bytes(more)
    mask = await reader.readexactly(4) if head[1] & 0x80 else b""
    body = await reader.readexactly(length)
    return Frame(
        head + more + mask + body,
        head[0] & 0x0F,
        bool(head[0] & 0x80),
        _unmask(body, mask) if mask else body,
    )


def _unmask(body: bytes, mask: bytes) -> bytes:
    if not body:
        return body
    key = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body) ^ int.from_bytes(key)).to_bytes(len(body))


class Messages:
    """Puts frames together into text messages."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, frame: Frame) -> bytes | None:
        """The whole message that this frame ends, if it does."""
        if frame.opcode not in (CONTINUATION, TEXT, BINARY):
            return None
        self._parts.append(frame.payload)
        if not frame.last:
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        return message


def close_frame(code: int, reason: str) -> bytes:
    """A server's close frame."""
    payload = code.to_bytes(2) + reason.encode()
    return bytes([0x80 | CLOSE, len(payload)]) + payload


def text_frame(text: bytes) -> bytes:
    """A server's frame with a short text (less than 64 KB)."""
    if len(text) < 126:
        return bytes([0x80 | TEXT, len(text)]) + text
    return bytes([0x80 | TEXT, 126]) + len(text).to_bytes(2) + text
