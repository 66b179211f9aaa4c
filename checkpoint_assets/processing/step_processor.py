"""What our processors share: one works on a captured step, in a thread, and never raises."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar

from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.model.errors import ProcessingError
from checkpoint_assets.processing.captured_step import CapturedStep, Derived

P = ParamSpec("P")
T = TypeVar("T")


class StepProcessor(ABC):
    """Makes a ``Derived`` of a ``CapturedStep``. Keeps the contract of ``IProcessor``.

    ``columns`` are those of its row that it fills, with their pandas types.
    """

    name: ClassVar[str]
    columns: ClassVar[Mapping[str, str]]

    @abstractmethod
    def can_use(self, step: CapturedStep) -> bool:
        """Whether the step has what this needs."""

    @abstractmethod
    def derive(self, step: CapturedStep) -> Derived:
        """What is made of the step; runs in a thread. Raises ``ProcessingError``."""

    def get_processor_name(self) -> str:
        return self.name

    def validate_input(self, data: Any) -> bool:
        return isinstance(data, CapturedStep) and self.can_use(data)

    async def process(self, data: Any) -> ProcessingResult:
        begun = time.monotonic()
        try:
            if not self.validate_input(data):
                return ProcessingResult(False, None, f"{self.name} has nothing to work on")
            made = await in_thread(self.derive, data)
        except ProcessingError as err:
            reason = str(err)
        except Exception as err:  # noqa: BLE001 (pages and pictures are anybody's: they only fail)
            reason = f"{type(err).__name__}: {err}"
        else:
            return ProcessingResult(True, made, None, time.monotonic() - begun)
        return ProcessingResult(False, None, reason, time.monotonic() - begun)


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The function's result, from a worker thread.

    A thread cannot be stopped: who is cancelled waits until it has ended, so that nothing runs on
    behind it.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
