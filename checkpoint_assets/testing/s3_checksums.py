"""The checksums that S3 knows, of bytes: what a client claims is compared with what arrived.

CRC32C and CRC64NVME are computed in plain Python, a few MiB a second: enough for tests.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache

PREFIX = "x-amz-checksum-"


@cache
def _crc_table(polynomial: int) -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _reflected_crc(data: bytes, polynomial: int, bits: int) -> bytes:
    table = _crc_table(polynomial)
    ones = (1 << bits) - 1
    value = ones
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return (value ^ ones).to_bytes(bits // 8, "big")


def md5(data: bytes) -> bytes:
    """MD5: an ETag and a Content-MD5 are made of it, no security is."""
    return hashlib.md5(data, usedforsecurity=False).digest()


# The polynomials are the reflected ones of RFC 3720 (CRC32C) and NVM Express (CRC64NVME).
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "crc32c": lambda data: _reflected_crc(data, 0x82F63B78, 32),
    "crc64nvme": lambda data: _reflected_crc(data, 0x9A6C9329AC4BC9B5, 64),
    "sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
}


def claimed(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that headers or trailers name: ``{"crc32": base64}``."""
    return {
        name: headers[PREFIX + name]
        for name in ALGORITHMS
        if headers.get(PREFIX + name) is not None
    }


def wrong(data: bytes, headers: Mapping[str, str]) -> str | None:
    """The name of a checksum that does not fit the data; ``None`` if all that are claimed do."""
    content_md5 = headers.get("content-md5")
    if content_md5 is not None and content_md5 != base64.b64encode(md5(data)).decode():
        return "Content-MD5"
    for name, value in claimed(headers).items():
        if value != base64.b64encode(ALGORITHMS[name](data)).decode():
            return PREFIX + name
    return None
