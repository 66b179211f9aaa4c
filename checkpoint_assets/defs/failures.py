"""How Dagster sees an error: as a retry where that may help, else as a failure for good."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from checkpoint_assets.model.enums import ErrorPolicy
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.runtime.error_handler import MAX_ATTEMPTS, POLICIES, error_type

SECONDS_BETWEEN_ATTEMPTS = 1


@contextmanager
def failures_by_kind() -> Generator[None, None, None]:
    """Our errors become ``RetryRequested`` or ``Failure``, as the policy of their kind says."""
    try:
        yield
    except CheckpointError as err:
        kind = error_type(err)
        if POLICIES[kind] is ErrorPolicy.RETRY:
            raise dg.RetryRequested(MAX_ATTEMPTS - 1, SECONDS_BETWEEN_ATTEMPTS) from err
        raise dg.Failure(
            str(err), metadata={"error_type": dg.MetadataValue.text(str(kind))}, allow_retries=False
        ) from err
