"""Knows processors and pipelines by name, and runs one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkpoint_assets.interfaces import IPipeline, IProcessor
from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.model.errors import InvalidInput, NotRegistered
from checkpoint_assets.processing.contract_names import pipeline_name, processor_name
from checkpoint_assets.processing.pipeline import run_processor


class ProcessingManager:
    """Chooses by name and runs. Keeps the contract of ``IProcessingManager``.

    A name belongs to one processor or pipeline. A processor alone is guarded as one in a pipeline
    is: that it takes the input is asked first, and whatever it raises is a failed result.
    """

    def __init__(self) -> None:
        self._processors: dict[str, IProcessor] = {}
        self._pipelines: dict[str, IPipeline] = {}

    def register_processor(self, processor: IProcessor) -> None:
        self._processors[self._free(processor_name(processor))] = processor

    def register_pipeline(self, pipeline: IPipeline) -> None:
        self._pipelines[self._free(pipeline_name(pipeline))] = pipeline

    async def process(self, name: str, data: Any) -> ProcessingResult:
        if name in self._pipelines:
            return await self._pipelines[name].execute(data)
        if name not in self._processors:
            known = ", ".join([*self._processors, *self._pipelines]) or "none"
            raise NotRegistered(
                f"there is no processor or pipeline {name!r}", hint=f"known: {known}"
            )
        _, result = await run_processor(self._processors[name], data)
        return result

    def list_processors(self) -> Sequence[str]:
        return tuple(self._processors)

    def list_pipelines(self) -> Sequence[str]:
        return tuple(self._pipelines)

    def _free(self, name: str) -> str:
        if name in self._processors or name in self._pipelines:
            raise InvalidInput(f"there is a processor or pipeline {name!r} already")
        return name
