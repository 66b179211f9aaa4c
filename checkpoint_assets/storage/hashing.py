"""The digest that everything stored is known by."""

from __future__ import annotations

import asyncio
import hashlib

# Hashing this much takes longer than handing it to a thread.
LARGE = 1 << 20


def sha256_hex(data: bytes) -> str:
    """SHA-256 of the bytes, as lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


async def digest(data: bytes) -> str:
    """The same; the event loop goes on while large bytes are hashed."""
    return await asyncio.to_thread(sha256_hex, data) if len(data) > LARGE else sha256_hex(data)
