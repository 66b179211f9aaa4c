"""The digest that everything stored is known by."""

from __future__ import annotations

import hashlib


def sha256_hex(data: bytes) -> str:
    """SHA-256 of the bytes, as lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()
