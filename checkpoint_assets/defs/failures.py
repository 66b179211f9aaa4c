"""How Dagster sees an error: as a retry where that may help, else as a failure for good."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from checkpoint_assets.model.enums import ErrorPolicy
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.runtime.error_handler import MAX_ATTEMPTS, ErrorHandler, describe_error
from checkpoint_assets.runtime.portal import Portal

SECONDS_BETWEEN_ATTEMPTS = 1


@contextmanager
def failures_by_kind() -> Generator[None, None, None]:
    """Our errors become ``RetryRequested`` or ``Failure``, as the error handler decides."""
    try:
        yield
    except CheckpointError as err:
        raise as_dagster(err) from err


def as_dagster(err: CheckpointError) -> dg.RetryRequested | dg.Failure:
    """What the error handler makes of the error, as Dagster wants it."""
    # Dagster counts the attempts.
    error = describe_error(err, "run", "an op")
    with Portal() as portal:
        policy = portal.call(ErrorHandler().handle_error, error)
    if policy is ErrorPolicy.RETRY:
        return dg.RetryRequested(MAX_ATTEMPTS - 1, SECONDS_BETWEEN_ATTEMPTS)
    kind = dg.MetadataValue.text(str(error.error_type))
    return dg.Failure(str(err), metadata={"error_type": kind}, allow_retries=False)
