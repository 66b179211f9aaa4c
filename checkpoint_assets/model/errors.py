"""Every error of the package, drawn as one tree.

::

    CheckpointError
    ├── InvalidInput (ValueError)
    │   ├── InvalidId
    │   ├── InvalidUrl
    │   ├── InvalidScenario
    │   ├── InvalidConfiguration
    │   └── NotRegistered (LookupError)
    ├── DataCollectionError
    │   ├── BrowserUnavailable
    │   ├── BrowserCrashed
    │   ├── CaptureTimeout (TimeoutError)
    │   ├── NavigationFailed
    │   ├── ElementNotFound (LookupError)
    │   ├── ExpectationFailed (AssertionError)
    │   └── InvalidScreenshot
    ├── ProcessingError
    └── StorageError
        └── StorageManagerError
            ├── S3ConfigError
            ├── S3OperationError
            │   └── StoreUnavailable (ConnectionError)
            ├── LocalStorageError (OSError)
            │   └── StorageFull
            ├── IntegrityError
            ├── Conflict (FileExistsError)
            ├── NotFound (FileNotFoundError)
            ├── NotSupported
            ├── DeleteRefused
            └── PartialFailure

Each error says what failed (``key``, ``session_id``) and carries a ``hint``: what to do about it.
"""

from __future__ import annotations


class CheckpointError(Exception):
    """Root of all errors this package raises on purpose."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        key: str | None = None,
        session_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.key = key
        self.session_id = session_id

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidInput(CheckpointError, ValueError):
    """The caller gave something that cannot be accepted; nothing was done."""


class InvalidId(InvalidInput):
    """A session id, step id or scenario name that does not match the pattern."""


class InvalidUrl(InvalidInput):
    """A URL that is malformed, or that the URL gate refuses."""


class InvalidScenario(InvalidInput):
    """A scenario file that cannot be used; ``path`` and ``line`` say where."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.path, self.line) if part is not None)
        text = super().__str__()
        return f"{where}: {text}" if where else text


class InvalidConfiguration(InvalidInput):
    """A setting that is unknown or has no usable value."""


class NotRegistered(InvalidInput, LookupError):
    """A manager was asked for a source, processor, backend or task that it does not know."""


class DataCollectionError(CheckpointError):
    """A capture could not be done."""


class BrowserUnavailable(DataCollectionError):
    """No browser could be found or started."""


class BrowserCrashed(DataCollectionError):
    """The browser or the page's renderer died; the session ends, the next one gets a new one."""


class CaptureTimeout(DataCollectionError, TimeoutError):
    """A call into the browser did not answer before its deadline."""


class NavigationFailed(DataCollectionError):
    """A page could not be opened: no answer, refused, or an error status where a page was due."""


class ElementNotFound(DataCollectionError, LookupError):
    """No selector of a step matched a usable element before the deadline."""


class ExpectationFailed(DataCollectionError, AssertionError):
    """An ``expect`` step of a scenario did not hold."""


class InvalidScreenshot(DataCollectionError):
    """A screenshot is empty, does not decode, or is not what was asked for."""


class ProcessingError(CheckpointError):
    """Nothing could be made of an input: it is broken, or beyond a limit."""


class StorageError(CheckpointError):
    """Anything that went wrong while storing or reading."""


class StorageManagerError(StorageError):
    """Base of what the ``StorageManager`` raises."""


class S3ConfigError(StorageManagerError):
    """Access denied, no such bucket, bad credentials: a configuration to be mended, no outage."""


class S3OperationError(StorageManagerError):
    """An S3 operation failed."""


class StoreUnavailable(S3OperationError, ConnectionError):
    """The store cannot be reached, or said 5xx or SlowDown beyond the retry budget."""


class LocalStorageError(StorageManagerError, OSError):
    """An operation on the local file system failed."""


class StorageFull(LocalStorageError):
    """No space left, or less than the floor that is kept free."""


class IntegrityError(StorageManagerError):
    """Stored bytes are not the bytes that were committed."""


class Conflict(StorageManagerError, FileExistsError):
    """The key exists with other bytes; a key is written once."""


class NotFound(StorageManagerError, FileNotFoundError):
    """The session, step or artifact does not exist."""


class NotSupported(StorageManagerError):
    """The store lacks a capability that this promise depends on."""


class DeleteRefused(StorageManagerError):
    """Nothing was removed: the session is pinned, or a clock cannot be trusted."""


class PartialFailure(StorageManagerError):
    """Some items of a batch failed; ``failures`` maps each key to its error."""

    def __init__(self, message: str, failures: dict[str, Exception], *, hint: str | None = None):
        super().__init__(message, hint=hint)
        self.failures = failures
