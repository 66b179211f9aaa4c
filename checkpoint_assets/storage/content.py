"""From what a caller gives to the bytes that are stored, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, cast

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, InvalidInput
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.media import artifact_media_type

# Readers in other languages, and the parser of our own records, stop at a depth of 200.
DEEPEST = 100
LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one artifact. ``lossy``: characters that UTF-8 cannot say became U+FFFD."""

    artifact: Artifact
    data: bytes
    media_type: str
    lossy: bool = False


def step_contents(
    html: str | bytes | None, screenshot: bytes | None, action: Mapping[str, Any] | None
) -> list[Content]:
    """The artifacts that were given, as bytes. Raises ``InvalidInput``."""
    contents: list[Content] = []
    if html is not None:
        data, lossy = _text(html) if isinstance(html, str) else (_bytes(html, "html"), False)
        media_type = artifact_media_type(Artifact.HTML, data)
        contents.append(Content(Artifact.HTML, data, media_type, lossy))
    if screenshot is not None:
        data = _bytes(screenshot, "screenshot")
        media_type = artifact_media_type(Artifact.SCREENSHOT, data)
        contents.append(Content(Artifact.SCREENSHOT, data, media_type))
    if action is not None:
        data = encode_json(plain_object(action, "action data"))
        media_type = artifact_media_type(Artifact.ACTION, data)
        contents.append(Content(Artifact.ACTION, data, media_type))
    return contents


def _bytes(value: object, what: str) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(cast("bytes", value))
    raise InvalidInput(f"{what} must be bytes, not {type(value).__name__}")


def _text(text: str) -> tuple[bytes, bool]:
    try:
        return text.encode(), False
    except UnicodeEncodeError:
        # A DOM may hold halves of surrogate pairs. UTF-16 joins those that belong together.
        mended = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return mended.encode(), True


def plain_object(value: object, what: str) -> dict[str, Any]:
    """The value as a dict that JSON can say exactly. Raises ``InvalidInput``."""
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{what} must be an object, not {type(value).__name__}")
    plain = dict(cast("Mapping[str, Any]", value))
    _check(plain, what)
    return plain


def _check(value: object, what: str) -> None:
    # Level by level, not by recursion: the depth is what is being checked.
    level: list[object] = [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                members = cast("dict[object, object]", item)
                if not all(isinstance(name, str) for name in members):
                    raise InvalidInput(f"{what} has a key that is no text")
                below += members
                below += members.values()
            elif isinstance(item, (list, tuple)):
                below += cast("list[object]", item)
            else:
                _check_scalar(item, what)
        if not below:
            return
        level = below
    raise InvalidInput(f"{what} is nested more than {DEEPEST} levels deep")


def _check_scalar(item: object, what: str) -> None:
    if isinstance(item, str):
        _check_text(item, what)
    elif isinstance(item, float):
        if not isfinite(item):
            raise InvalidInput(f"{what} has {item}, which JSON cannot say")
    elif isinstance(item, int):
        if not -LARGEST_INTEGER - 1 <= item <= LARGEST_INTEGER:
            raise InvalidInput(f"{what} has an integer of more than 64 bits")
    elif item is not None:
        raise InvalidInput(
            f"{what} has a {type(item).__name__}, which JSON cannot say",
            hint="use text, numbers, booleans, None, lists and dicts",
        )


def _check_text(text: str, what: str) -> None:
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} has half of a surrogate pair") from error


def decode_object(data: bytes, key: str) -> dict[str, Any]:
    """The JSON object in stored bytes. Raises ``IntegrityError``."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{key} is not JSON: {error}", key=key) from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{key} holds no JSON object", key=key)
    return cast("dict[str, Any]", value)
