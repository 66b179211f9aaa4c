from __future__ import annotations

import pytest

from checkpoint_assets.model import errors
from checkpoint_assets.model.enums import ErrorPolicy, ErrorType, EventType
from checkpoint_assets.runtime.error_handler import ErrorHandler, describe_error, error_type
from checkpoint_assets.testing.mocks import MockEventEmitter

KINDS = {
    ErrorType.CONFIGURATION: [
        errors.InvalidConfiguration("x"),
        errors.S3ConfigError("x"),
        errors.BrowserUnavailable("x"),
        errors.NotSupported("x"),
    ],
    ErrorType.CONNECTION: [
        errors.StoreUnavailable("x"),
        errors.BrowserCrashed("x"),
        errors.CaptureTimeout("x"),
        errors.NavigationFailed("x"),
        ConnectionResetError("x"),
        TimeoutError("x"),
    ],
    ErrorType.VALIDATION: [
        errors.InvalidScenario("x"),
        errors.InvalidId("x"),
        errors.NotRegistered("x"),
    ],
    ErrorType.STORAGE: [
        errors.StorageFull("x"),
        errors.IntegrityError("x"),
        errors.Conflict("x"),
        errors.S3OperationError("x"),
    ],
    ErrorType.PROCESSING: [errors.ElementNotFound("x"), ValueError("x"), ZeroDivisionError()],
}


@pytest.mark.parametrize(
    ("kind", "error"), [(kind, error) for kind, many in KINDS.items() for error in many], ids=repr
)
def test_an_error_is_of_the_kind_that_says_what_can_be_done(
    kind: ErrorType, error: Exception
) -> None:
    assert error_type(error) is kind


def test_the_description_carries_what_the_error_knows() -> None:
    error = errors.NotFound("no such step", key="s1/0001", session_id="s1", hint="list the steps")
    info = describe_error(error, "storage", "read", attempt=2)
    assert info.message == "no such step (list the steps)"
    assert info.details == {
        "exception": "NotFound",
        "attempt": 2,
        "hint": "list the steps",
        "key": "s1/0001",
        "session_id": "s1",
    }
    assert info.is_critical


async def test_what_may_go_better_is_tried_again_until_it_is_enough() -> None:
    handler = ErrorHandler(max_attempts=3)
    policies = [
        await handler.handle_error(
            describe_error(errors.StoreUnavailable("away"), "storage", "put", attempt=attempt)
        )
        for attempt in (1, 2, 3, 4)
    ]
    assert policies == [ErrorPolicy.RETRY, ErrorPolicy.RETRY, ErrorPolicy.ABORT, ErrorPolicy.ABORT]


async def test_policies_can_be_changed_by_kind() -> None:
    handler = ErrorHandler({ErrorType.PROCESSING: ErrorPolicy.ABORT})
    info = describe_error(ValueError("x"), "processing", "hash")
    assert await handler.handle_error(info) is ErrorPolicy.ABORT


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        ("collection", EventType.COLLECTION_ERROR),
        ("processing", EventType.PROCESSING_ERROR),
        ("storage", EventType.STORAGE_ERROR),
    ],
)
async def test_an_error_is_an_event_of_its_layer(layer: str, kind: EventType) -> None:
    events = MockEventEmitter()
    await ErrorHandler(events=events).handle_error(describe_error(ValueError("x"), layer, "work"))
    (event,) = events.events
    assert (event.event_type, event.data["policy"]) == (kind, "skip")
