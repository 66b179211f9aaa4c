"""Faults that are injected into a server while it runs, each for so many of what it matches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class CountedFault(Protocol):
    """``times`` are hit, after ``after`` were let pass; ``None`` is for ever."""

    @property
    def times(self) -> int | None: ...

    @property
    def after(self) -> int: ...


F = TypeVar("F", bound=CountedFault)


class Injected(Generic[F]):
    """A fault, and how often it may still hit."""

    def __init__(self, fault: F) -> None:
        self.fault = fault
        self._passes = fault.after
        self.left = fault.times

    def hits(self, matches: Callable[[F], bool]) -> bool:
        """Whether it hits what it is asked about; that counts."""
        if self.left == 0 or not matches(self.fault):
            return False
        if self._passes:
            self._passes -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True


class FaultPlan(Generic[F]):
    """The faults that are injected now. Safe to change while requests are served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._injected: list[Injected[F]] = []

    def inject(self, faults: Iterable[F]) -> None:
        """Add faults. Of those that decide a request's fate, the first that matches counts."""
        with self._lock:
            self._injected.extend(Injected(fault) for fault in faults)

    def clear(self) -> None:
        """From now on everything goes well."""
        with self._lock:
            self._injected.clear()

    def pending(self) -> list[F]:
        """The faults that may still hit."""
        with self._lock:
            return [each.fault for each in self._injected if each.left != 0]

    @contextmanager
    def asked(self) -> Generator[list[Injected[F]]]:
        """The injected faults, in order, while nobody else may ask or change them."""
        with self._lock:
            yield self._injected
