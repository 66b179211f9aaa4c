"""What our processors are given, and what they make of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from PIL import Image

from checkpoint_assets.model.clock import to_utc
from checkpoint_assets.model.contract_records import Scalar
from checkpoint_assets.model.errors import InvalidInput, ProcessingError
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.processing.dom import Node, parse_html
from checkpoint_assets.processing.pixels import decode_picture
from checkpoint_assets.storage.keys import derived_key

T = TypeVar("T")
D = TypeVar("D", str, bytes)

_SOME_SESSION = SessionId("session")
# What reads the columns of a table takes integers of 64 bits.
_INTEGERS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class CapturedStep:
    """One stored step, and the one before it; what was not stored of it is ``None``.

    ``document`` and ``picture`` are read when they are first asked for, and kept. The previous
    step has none before itself: a session is never held in memory by its last step.
    """

    session_id: str
    step_id: str
    html: str | None = None
    screenshot: bytes | None = None
    action: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    previous: CapturedStep | None = None

    def __post_init__(self) -> None:
        if self.previous is not None and self.previous.previous is not None:
            object.__setattr__(self, "previous", self.previous.alone())

    @property
    def document(self) -> Node:
        """The page's tree. Raises ``ProcessingError`` if there is none, or it is beyond limits."""
        return self._document.get()

    @property
    def picture(self) -> Image.Image:
        """The screenshot's pixels. Raises ``ProcessingError`` if there are none to be had."""
        return self._picture.get()

    @cached_property
    def _document(self) -> _Outcome[Node]:
        return _outcome(parse_html, self.html, f"{self.step_id} has no HTML")

    @cached_property
    def _picture(self) -> _Outcome[Image.Image]:
        return _outcome(decode_picture, self.screenshot, f"{self.step_id} has no screenshot")

    def alone(self) -> CapturedStep:
        """The step without the one before it, with what was read of it already."""
        copy = replace(self, previous=None)
        copy.__dict__.update(self.__dict__ | {"previous": None})
        return copy


@dataclass(frozen=True)
class _Outcome(Generic[T]):
    """What was read, or why it could not be: a bad page is not read again for each processor."""

    value: T | None = None
    error: str = ""

    def get(self) -> T:
        if self.value is None:
            raise ProcessingError(self.error)
        return self.value


def _outcome(read: Callable[[D], T], data: D | None, missing: str) -> _Outcome[T]:
    if data is None:
        return _Outcome(error=missing)
    try:
        return _Outcome(read(data))
    except ProcessingError as err:
        return _Outcome(error=err.message)


@dataclass(frozen=True)
class Derived:
    """What is made of a step: cells of its row in the table, and files to be stored beside it.

    ``files`` maps a name with its extension (``text.txt``) to bytes and media type. Raises
    ``InvalidInput`` for a value that no table takes, or a name that no derived file can have.
    """

    columns: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    files: Mapping[str, tuple[bytes, str]] = field(default_factory=dict[str, tuple[bytes, str]])

    def __post_init__(self) -> None:
        for name, value in self.columns.items():
            _check_cell(name, value)
        for name, content in self.files.items():
            derived_key(_SOME_SESSION, name)
            if not _is_file(content):
                raise InvalidInput(f"{name} is no pair of bytes and a media type")


def _check_cell(name: object, value: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"{name!r} is no name of a column")
    match value:
        case bool() | None:
            fits = True
        case str():
            fits = _encodes(value)
        case int():
            fits = value in _INTEGERS
        case float():
            fits = not math.isinf(value)
        case datetime():
            fits = _is_in_range(value)
        case _:
            raise InvalidInput(f"a {type(value).__name__} fits in no cell of {name!r}")
    if not fits:
        raise InvalidInput(f"a {type(value).__name__} is beyond what {name!r} can hold")


def _encodes(text: str) -> bool:
    """Whether there is no half of a character in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_in_range(moment: datetime) -> bool:
    try:
        to_utc(moment)
    except OverflowError:
        return False
    return True


def _is_file(content: object) -> bool:
    match content:
        case (bytes(), str()):
            return True
        case _:
            return False
