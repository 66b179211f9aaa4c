"""Stand-ins of what is beside the layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkpoint_assets.model.contract_records import ErrorInfo
from checkpoint_assets.model.enums import ErrorPolicy, ErrorType
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.runtime.tasks import TaskTracker


class MockErrorHandler:
    """Answers ``policy`` for the kinds it can handle, and keeps what it was told in ``errors``."""

    def __init__(
        self,
        policy: ErrorPolicy = ErrorPolicy.SKIP,
        kinds: Iterable[ErrorType] = tuple(ErrorType),
    ) -> None:
        self.policy = policy
        self.kinds = frozenset(kinds)
        self.errors: list[ErrorInfo] = []

    def can_handle(self, error_type: ErrorType) -> bool:
        return error_type in self.kinds

    async def handle_error(self, error: ErrorInfo) -> ErrorPolicy:
        self.errors.append(error)
        return self.policy if self.can_handle(error.error_type) else ErrorPolicy.ABORT


class MockEventEmitter(EventEmitter):
    """The real one, which keeps everything that was emitted in ``events``."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    async def emit(self, event: Any) -> None:
        self.events.append(event)
        await super().emit(event)


class MockTaskTracker(TaskTracker):
    """The real one, which keeps the ids of cancelled tasks in ``cancelled``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cancelled: list[str] = []

    async def cancel_task(self, task_id: str) -> None:
        self.cancelled.append(task_id)
        await super().cancel_task(task_id)
