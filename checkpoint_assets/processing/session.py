"""A stored session, step by step: files derived from each, and a row of columns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from checkpoint_assets.interfaces import IEventEmitter, IProcessingManager
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import ProcessorTiming, Scalar, SystemEvent
from checkpoint_assets.model.enums import Artifact, EventType
from checkpoint_assets.model.errors import CheckpointError, NotFound, ProcessingError
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.readable_text import TEXT_FILE
from checkpoint_assets.processing.standard import STEP_FEATURES, STEP_TEXT
from checkpoint_assets.storage.batches import Retrieved
from checkpoint_assets.storage.storage_manager import StepContents, StorageManager
from checkpoint_assets.storage.workers import run_all

_FILES_AT_ONCE = 8
_Retrieved = AsyncGenerator[Retrieved[StepContents], None]


@dataclass(frozen=True, slots=True)
class ProcessedStep:
    """The columns of a step, and what each processor did."""

    session_id: str
    step_id: str
    columns: Mapping[str, Scalar]
    steps: Sequence[ProcessorTiming]

    @property
    def problems(self) -> list[str]:
        """What failed, as ``processor: reason``; what had nothing to work on is none."""
        return [
            f"{step.processor}: {step.error}" for step in self.steps if step.outcome == "failed"
        ]

    @property
    def row(self) -> dict[str, Scalar]:
        """Session, step, columns, and the problems in one text."""
        ids = {"session_id": self.session_id, "step_id": self.step_id}
        return {**ids, **self.columns, "processing_problems": "; ".join(self.problems) or None}


async def captured_steps(
    storage: StorageManager, session_id: str, artifacts: Sequence[Artifact] = tuple(Artifact)
) -> AsyncGenerator[CapturedStep, None]:
    """The steps that are stored of the session, in order, each with the one before it.

    A few are in memory at a time. One that was deleted meanwhile is left out; raises
    ``StorageError`` for one that cannot be read.
    """

    async def names() -> AsyncGenerator[tuple[str, str], None]:
        async for step_id in storage.iter_steps(session_id):
            yield session_id, step_id

    previous: CapturedStep | None = None
    found = cast("_Retrieved", storage.retrieve_steps(names(), artifacts))
    async with aclosing(found):
        async for item in found:
            try:
                html, screenshot, action, metadata = item.get()
            except NotFound:
                continue
            previous = CapturedStep(
                item.session_id, item.step_id, html, screenshot, action, metadata, previous
            )
            yield previous


async def process_session(
    storage: StorageManager,
    processing: IProcessingManager,
    session_id: str,
    pipeline: str = STEP_FEATURES,
    *,
    events: IEventEmitter | None = None,
    clock: Clock = system_clock,
) -> AsyncGenerator[ProcessedStep, None]:
    """Run the pipeline over each stored step, in order; its files are stored when it is yielded.

    Again is the same again: derived files are replaced, and the same step makes the same of them.
    Raises ``StorageError`` for what cannot be read or stored, ``ProcessingError`` if the pipeline
    does not go on after a failure. ``events`` hears of the begin, of each problem and of the end.
    """

    async def tell(kind: EventType, **data: Any) -> None:
        if events is not None:
            about = {"session_id": session_id, "pipeline": pipeline, **data}
            await events.emit(SystemEvent(kind, clock.now(), "processing", about))

    begun, count, problems = clock.monotonic(), 0, 0
    await tell(EventType.PROCESSING_START)
    try:
        async with aclosing(captured_steps(storage, session_id)) as steps:
            async for step in steps:
                done = await _process_step(storage, processing, step, pipeline)
                for problem in done.problems:
                    await tell(EventType.PROCESSING_ERROR, step_id=step.step_id, error=problem)
                count, problems = count + 1, problems + len(done.problems)
                yield done
    except CheckpointError as err:
        await tell(EventType.PROCESSING_ERROR, error=str(err))
        raise
    seconds = round(clock.monotonic() - begun, 3)
    await tell(EventType.PROCESSING_COMPLETE, steps=count, problems=problems, seconds=seconds)


async def _process_step(
    storage: StorageManager, processing: IProcessingManager, step: CapturedStep, pipeline: str
) -> ProcessedStep:
    result = await processing.process(pipeline, step)
    made = result.processed_data
    if not result.success or not isinstance(made, Derived):
        reason = result.error or f"it makes a {type(made).__name__} of a step"
        raise ProcessingError(f"{pipeline} of {step.step_id}: {reason}", session_id=step.session_id)
    await _store(storage, step, made)
    return ProcessedStep(step.session_id, step.step_id, made.columns, result.steps)


async def session_texts(
    storage: StorageManager, processing: IProcessingManager, session_id: str
) -> tuple[dict[str, str], dict[str, str]]:
    """``step_id -> readable text`` of the steps with a page, and ``step_id -> what failed``."""
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    async with aclosing(captured_steps(storage, session_id, [Artifact.HTML])) as steps:
        async for step in steps:
            if step.html is None:
                continue
            result = await processing.process(STEP_TEXT, step)
            made = result.processed_data
            if result.success and isinstance(made, Derived):
                texts[step.step_id] = made.files[TEXT_FILE][0].decode()
            else:
                problems[step.step_id] = result.error or "unknown"
    return texts, problems


async def _store(storage: StorageManager, step: CapturedStep, made: Derived) -> None:
    async def store(name: str) -> None:
        data, media_type = made.files[name]
        await storage.store_derived(step.session_id, name, data, media_type, step.step_id)

    await run_all(store, sorted(made.files), _FILES_AT_ONCE)
