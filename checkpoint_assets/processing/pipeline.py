"""Processors, one after the other, each guarded and timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.contract_records import ProcessingResult, ProcessorTiming, Scalar
from checkpoint_assets.model.enums import ErrorPolicy
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.processing.captured_step import Derived
from checkpoint_assets.processing.contract_names import processor_name

SECONDS = 60.0


class Pipeline:
    """Runs processors in order. Keeps the contract of ``IPipeline``.

    ``mode`` says what each is given. ``chain``: what the one before it made, and the result is
    what the last one made. ``merge``: the same input, and the result is one ``Derived`` with what
    all of them made; each makes a ``Derived`` or a mapping of columns.

    A processor fails if its result says so, if it raises, if it takes longer than ``timeout``
    seconds, or if in ``merge`` it makes something that does not fit. ``on_error`` says what then:
    ``ABORT`` ends the run, which has failed; ``SKIP`` goes on as if the processor were not there.
    One whose ``validate_input`` refuses the input is ``skipped`` under ``SKIP``, and fails under
    ``ABORT``. A cancellation goes through, and nothing is raised otherwise.
    """

    def __init__(
        self,
        name: str,
        processors: Iterable[IProcessor] = (),
        *,
        mode: Literal["chain", "merge"] = "chain",
        on_error: ErrorPolicy = ErrorPolicy.ABORT,
        timeout: float = SECONDS,
    ) -> None:
        if on_error is ErrorPolicy.RETRY:
            raise InvalidInput("a processor gets the same result of the same input: no RETRY here")
        self._name = name
        self._merges = mode == "merge"
        self._goes_on = on_error is ErrorPolicy.SKIP
        self._timeout = timeout
        self._processors: dict[str, IProcessor] = {}
        for processor in processors:
            self.add_processor(processor)

    def add_processor(self, processor: IProcessor) -> None:
        name = processor_name(processor)
        if name in self._processors:
            raise InvalidInput(f"the pipeline {self._name!r} has a processor {name!r} already")
        self._processors[name] = processor

    async def execute(self, data: Any) -> ProcessingResult:
        begun = time.monotonic()
        made: Any = Derived() if self._merges else data
        steps: list[ProcessorTiming] = []
        for name, processor in self._processors.items():
            outcome, result = await run_processor(
                processor, data if self._merges else made, self._timeout
            )
            error = result.error
            if outcome == "done":
                new = result.processed_data
                try:
                    made = merged(made, new) if self._merges else new
                except InvalidInput as err:
                    outcome, error = "failed", str(err)
            if outcome == "skipped" and not self._goes_on:
                outcome = "failed"
            steps.append(ProcessorTiming(name, outcome, result.processing_time, error))
            if outcome == "failed" and not self._goes_on:
                seconds = time.monotonic() - begun
                return ProcessingResult(False, made, f"{name}: {error}", seconds, tuple(steps))
        return ProcessingResult(True, made, None, time.monotonic() - begun, tuple(steps))

    def get_processors(self) -> Sequence[IProcessor]:
        return tuple(self._processors.values())

    def get_pipeline_name(self) -> str:
        return self._name


async def run_processor(
    processor: IProcessor, data: Any, timeout: float = SECONDS
) -> tuple[Literal["done", "skipped", "failed"], ProcessingResult]:
    """What the processor makes of the input. Nothing is raised but a cancellation."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            if not processor.validate_input(data):
                return "skipped", ProcessingResult(False, None, "it does not take this input")
            result = await processor.process(data)
        if not isinstance(result, ProcessingResult):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"it made a {type(result).__name__}, not a ProcessingResult")
    except TimeoutError as err:
        error = str(err) or f"it took longer than {timeout:g} s"
    except Exception as err:  # noqa: BLE001 (processors are plugged in by anybody)
        error = f"{type(err).__name__}: {err}"
    else:
        if result.success:
            return "done", _timed(result, result.error, begun)
        return "failed", _timed(result, result.error or "it failed and did not say why", begun)
    return "failed", ProcessingResult(False, None, error, time.monotonic() - begun)


def _timed(result: ProcessingResult, error: str | None, begun: float) -> ProcessingResult:
    # Our own clock: what a processor says about itself may be anything.
    seconds = time.monotonic() - begun
    return ProcessingResult(result.success, result.processed_data, error, seconds, result.steps)


def merged(before: Derived, made: Any) -> Derived:
    """Both together. Raises ``InvalidInput`` for what is no ``Derived``, or is there already."""
    more = _as_derived(made)
    for kind, old, new in (
        ("column", before.columns, more.columns),
        ("file", before.files, more.files),
    ):
        if both := sorted(old.keys() & new.keys()):
            raise InvalidInput(f"another processor made the {kind} {both[0]!r} already")
    return Derived({**before.columns, **more.columns}, {**before.files, **more.files})


def _as_derived(made: Any) -> Derived:
    if isinstance(made, Derived):
        return made
    if isinstance(made, Mapping):
        columns: dict[str, Scalar] = {**made}
        return Derived(columns)
    raise InvalidInput(f"it made a {type(made).__name__}; make a Derived or a mapping of columns")
