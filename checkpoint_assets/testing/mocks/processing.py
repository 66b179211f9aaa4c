"""Stand-ins of the processing layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from checkpoint_assets.interfaces import IPipeline, IProcessor
from checkpoint_assets.model.contract_records import ProcessingResult, ProcessorTiming
from checkpoint_assets.model.errors import InvalidInput, NotRegistered
from checkpoint_assets.runtime.plugins import keeping


class MockProcessor:
    """Answers ``{"processed": True, "data": ...}``, or what ``function`` makes of the input.

    With ``error`` each result is a failure. ``accepts`` is what ``validate_input`` asks.
    """

    def __init__(
        self,
        name: str = "mock-processor",
        function: Callable[[Any], Any] | None = None,
        *,
        error: str | None = None,
        accepts: Callable[[Any], bool] = lambda data: data is not None,
    ) -> None:
        self.name = name
        self.function = function or _processed
        self.error = error
        self.accepts = accepts
        self.inputs: list[Any] = []

    async def process(self, data: Any) -> ProcessingResult:
        self.inputs.append(data)
        if self.error is not None:
            return ProcessingResult(False, None, self.error)
        if not self.validate_input(data):
            return ProcessingResult(False, None, f"{self.name} takes no {type(data).__name__}")
        return ProcessingResult(True, self.function(data))

    def validate_input(self, data: Any) -> bool:
        return self.accepts(data)

    def get_processor_name(self) -> str:
        return self.name


class MockPipeline:
    """Hands each processor what the one before made; ends at the first failure."""

    def __init__(self, name: str = "mock-pipeline", processors: Iterable[IProcessor] = ()) -> None:
        self.name = name
        self._processors: list[IProcessor] = []
        for processor in processors:
            self.add_processor(processor)

    def add_processor(self, processor: IProcessor) -> None:
        keeping(IProcessor, processor, "processor")
        if processor.get_processor_name() in {p.get_processor_name() for p in self._processors}:
            raise InvalidInput(f"there is a {processor.get_processor_name()!r} already")
        self._processors.append(processor)

    async def execute(self, data: Any) -> ProcessingResult:
        timings: list[ProcessorTiming] = []
        for processor in self._processors:
            result = await processor.process(data)
            outcome = "done" if result.success else "failed"
            name = processor.get_processor_name()
            timings.append(ProcessorTiming(name, outcome, result.processing_time, result.error))
            if not result.success:
                return ProcessingResult(False, data, result.error, steps=tuple(timings))
            data = result.processed_data
        return ProcessingResult(True, data, steps=tuple(timings))

    def get_processors(self) -> Sequence[IProcessor]:
        return tuple(self._processors)

    def get_pipeline_name(self) -> str:
        return self.name


class MockProcessingManager:
    """Runs what is registered, by name."""

    def __init__(self) -> None:
        self.processors: dict[str, IProcessor] = {}
        self.pipelines: dict[str, IPipeline] = {}

    def register_processor(self, processor: IProcessor) -> None:
        keeping(IProcessor, processor, "processor")
        self._check_free(processor.get_processor_name())
        self.processors[processor.get_processor_name()] = processor

    def register_pipeline(self, pipeline: IPipeline) -> None:
        keeping(IPipeline, pipeline, "pipeline")
        self._check_free(pipeline.get_pipeline_name())
        self.pipelines[pipeline.get_pipeline_name()] = pipeline

    def _check_free(self, name: str) -> None:
        if name in self.processors or name in self.pipelines:
            raise InvalidInput(f"there is a {name!r} already")

    async def process(self, name: str, data: Any) -> ProcessingResult:
        if name in self.pipelines:
            return await self.pipelines[name].execute(data)
        if name in self.processors:
            return await self.processors[name].process(data)
        raise NotRegistered(f"there is no processor or pipeline {name!r}")

    def list_processors(self) -> Sequence[str]:
        return list(self.processors)

    def list_pipelines(self) -> Sequence[str]:
        return list(self.pipelines)


def _processed(data: Any) -> dict[str, Any]:
    return {"processed": True, "data": data}
