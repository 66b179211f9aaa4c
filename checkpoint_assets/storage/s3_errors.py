"""The one place that says what an S3 error means: mend the configuration, try again, or give up.

obstore tells most failures apart by text alone, boto3 by a code; both come down to the error code
of the S3 API (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and the HTTP status.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own base of what went wrong on the wire
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from checkpoint_assets.model.errors import (
    Conflict,
    NotFound,
    NotSupported,
    S3ConfigError,
    S3OperationError,
    StorageManagerError,
    StoreUnavailable,
)

_HINTS = {
    "NoSuchBucket": "create the bucket, or mend its name",
    "InvalidBucketName": "mend the bucket's name",
    "AccessDenied": "allow these credentials to read, write, list and delete in the bucket",
    "AllAccessDisabled": "the account's access is disabled",
    "InvalidAccessKeyId": "the access key is unknown to this server",
    "SignatureDoesNotMatch": "the secret key does not belong to the access key",
    "ExpiredToken": "the session token has expired; log in again",
    "InvalidToken": "the session token is not valid; log in again",
    "PermanentRedirect": "the bucket is in another region: set SM_S3_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set SM_S3_REGION",
    "IllegalLocationConstraintException": "the bucket is in another region: set SM_S3_REGION",
    "RequestTimeTooSkewed": "set this machine's clock",
}
_UNAVAILABLE = frozenset(
    ["SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "RequestLimitExceeded"]
)
_BUSY = frozenset(
    ["Throttling", "ThrottlingException", "OperationAborted", "ConditionalRequestConflict"]
)
# The bytes were damaged or cut on their way to the server.
_DAMAGED = frozenset(["XAmzContentSHA256Mismatch", "BadDigest", "IncompleteBody"])
_ABSENT = frozenset(["NoSuchKey", "NoSuchVersion", "NoSuchUpload"])
_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    NoRegionError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")


def read_error(error: BaseException, what: str, key: str) -> StorageManagerError:
    """``s3_error`` for a request that nothing can conflict with: a 409 is a server in trouble."""
    typed = s3_error(error, what, key)
    return StoreUnavailable(typed.message, key=key) if isinstance(typed, Conflict) else typed


def s3_error(error: BaseException, what: str, key: str | None = None) -> StorageManagerError:
    """The typed error for what obstore or boto3 raised while doing ``what``."""
    if isinstance(error, StorageManagerError):
        return error
    if isinstance(error, ClientError):
        response: dict[str, Any] = dict(error.response)
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return from_code(code, status, str(error), what, key)
    if isinstance(error, _CREDENTIALS):
        return S3ConfigError(f"{what}: {error}", key=key, hint="check the AWS credentials")
    if isinstance(error, BotoCoreError):
        wire = isinstance(error, (ConnectionError, HTTPClientError))
        return (StoreUnavailable if wire else S3OperationError)(f"{what}: {error}", key=key)
    return _from_obstore(error, what, key)


def _from_obstore(error: BaseException, what: str, key: str | None) -> StorageManagerError:
    text = str(error)
    code_found, status_found = _CODE.search(text), _STATUS.search(text)
    code = code_found[1] if code_found else ""
    status = int(status_found[1]) if status_found else 0
    if code or status >= 500:
        return from_code(code, status, _first_line(text), what, key)
    message = f"{what}: {_first_line(text)}"
    if isinstance(error, FileNotFoundError):
        return NotFound(message, key=key)
    if isinstance(error, (AlreadyExistsError, PreconditionError)):
        return Conflict(message, key=key)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return S3ConfigError(message, key=key, hint=_HINTS["AccessDenied"])
    if isinstance(error, (NotSupportedError, NotImplementedError)):
        return NotSupported(message, key=key)
    if status:
        return from_code(code, status, _first_line(text), what, key)
    # What is left of a generic error has no HTTP answer: the wire failed, or the answer's body.
    if isinstance(error, BaseError):
        return StoreUnavailable(message, key=key)
    return S3OperationError(message, key=key)


def from_code(code: str, status: int, text: str, what: str, key: str | None) -> StorageManagerError:
    """The typed error for an answer of the S3 API."""
    message = f"{what}: {text}"
    if code in _UNAVAILABLE or code in _BUSY or status >= 500 or status == 429:
        return StoreUnavailable(message, key=key, hint="the store asks to come back later")
    if code in _DAMAGED:
        return StoreUnavailable(message, key=key, hint="the bytes did not arrive as they were")
    if code in _HINTS:
        return S3ConfigError(message, key=key, hint=_HINTS[code])
    if code in _ABSENT or status == 404:
        return NotFound(message, key=key)
    if code == "PreconditionFailed" or status in (409, 412):
        return Conflict(message, key=key)
    if status in (301, 307, 401, 403):
        return S3ConfigError(message, key=key, hint=_HINTS["AccessDenied"])
    return S3OperationError(message, key=key)


def _first_line(text: str) -> str:
    # obstore appends a dump of its error, many lines of it; the answer's XML says what counts.
    message, _, _ = text.partition("\n\nDebug source")
    code, said = _CODE.search(message), re.search(r"<Message>([^<]*)</Message>", message)
    head = message.split(": <?xml")[0].split("\n")[0]
    return f"{head} {code[1]}: {said[1] if said else ''}" if code else head
