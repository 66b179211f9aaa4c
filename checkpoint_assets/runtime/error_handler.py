"""Which kind an error is of, and what is done about each kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from checkpoint_assets.interfaces import IEventEmitter
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import ErrorInfo, SystemEvent
from checkpoint_assets.model.enums import ErrorPolicy, ErrorType, EventType
from checkpoint_assets.model.errors import (
    BrowserCrashed,
    BrowserUnavailable,
    CaptureTimeout,
    CheckpointError,
    InvalidConfiguration,
    InvalidInput,
    NavigationFailed,
    NotSupported,
    S3ConfigError,
    StorageError,
    StoreUnavailable,
)

logger = logging.getLogger(__name__)

# What is tried again may go better; what has to be changed by somebody first will not.
POLICIES: Mapping[ErrorType, ErrorPolicy] = MappingProxyType(
    {
        ErrorType.CONFIGURATION: ErrorPolicy.ABORT,
        ErrorType.CONNECTION: ErrorPolicy.RETRY,
        ErrorType.VALIDATION: ErrorPolicy.SKIP,
        ErrorType.PROCESSING: ErrorPolicy.SKIP,
        ErrorType.STORAGE: ErrorPolicy.ABORT,
    }
)
MAX_ATTEMPTS = 3

# The first that fits counts.
_KINDS: tuple[tuple[tuple[type[BaseException], ...], ErrorType], ...] = (
    (
        (InvalidConfiguration, S3ConfigError, NotSupported, BrowserUnavailable),
        ErrorType.CONFIGURATION,
    ),
    ((StoreUnavailable, BrowserCrashed, CaptureTimeout, NavigationFailed), ErrorType.CONNECTION),
    ((InvalidInput,), ErrorType.VALIDATION),
    ((StorageError,), ErrorType.STORAGE),
    ((ConnectionError, TimeoutError), ErrorType.CONNECTION),
)
_EVENTS = {
    "collection": EventType.COLLECTION_ERROR,
    "processing": EventType.PROCESSING_ERROR,
    "storage": EventType.STORAGE_ERROR,
}


def error_type(error: BaseException) -> ErrorType:
    """The kind of an exception; what nothing is known of happened in ``PROCESSING``."""
    return next((kind for classes, kind in _KINDS if isinstance(error, classes)), _UNKNOWN)


_UNKNOWN = ErrorType.PROCESSING


def describe_error(
    error: BaseException,
    layer_name: str,
    operation: str,
    *,
    attempt: int = 1,
    clock: Clock = system_clock,
    **details: Any,
) -> ErrorInfo:
    """The exception as an ``ErrorInfo``; ``attempt`` counts from 1."""
    kind = error_type(error)
    known: dict[str, Any] = {"exception": type(error).__name__, "attempt": attempt, **details}
    if isinstance(error, CheckpointError):
        places = {"hint": error.hint, "key": error.key, "session_id": error.session_id}
        known.update({name: value for name, value in places.items() if value is not None})
    return ErrorInfo(
        kind,
        clock.now(),
        layer_name,
        operation,
        str(error) or type(error).__name__,
        known,
        is_critical=kind in {ErrorType.CONFIGURATION, ErrorType.STORAGE},
    )


class ErrorHandler:
    """Decides by the kind of an error. Keeps the contract of ``IErrorHandler``.

    ``policies`` replaces some of ``POLICIES``. What would be tried again is given up after
    ``max_attempts`` (``details["attempt"]`` of the error says the how many-th it was).
    """

    def __init__(
        self,
        policies: Mapping[ErrorType, ErrorPolicy] | None = None,
        *,
        events: IEventEmitter | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        self._policies = {**POLICIES, **(policies or {})}
        self._events = events
        self._max_attempts = max_attempts

    def can_handle(self, error_type: ErrorType) -> bool:
        return error_type in self._policies

    async def handle_error(self, error: ErrorInfo) -> ErrorPolicy:
        policy = self._policies.get(error.error_type, ErrorPolicy.ABORT)
        if policy is ErrorPolicy.RETRY and error.details.get("attempt", 1) >= self._max_attempts:
            policy = ErrorPolicy.ABORT
        logger.warning(
            "%s: %s failed (%s, %s): %s",
            error.layer_name, error.operation, error.error_type, policy, error.message,
        )  # fmt: skip
        if self._events is not None and error.layer_name in _EVENTS:
            await self._events.emit(_event(error, policy))
        return policy


def _event(error: ErrorInfo, policy: ErrorPolicy) -> SystemEvent:
    data = {
        **error.details,
        "error_type": str(error.error_type),
        "operation": error.operation,
        "message": error.message,
        "policy": str(policy),
    }
    return SystemEvent(_EVENTS[error.layer_name], error.timestamp, error.layer_name, data)
