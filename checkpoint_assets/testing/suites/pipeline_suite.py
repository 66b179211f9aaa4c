# ruff: noqa: S101 - assert is what tests are made of
"""What every pipeline and every processing manager promises."""

from __future__ import annotations

from typing import Any

import pytest

from checkpoint_assets.interfaces import IPipeline, IProcessingManager
from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.model.errors import InvalidInput, NotRegistered
from checkpoint_assets.testing.mocks import MockPipeline, MockProcessor


def _adding(name: str) -> MockProcessor:
    """Makes a list that is longer by the processor's name."""

    def function(data: Any) -> list[str]:
        return [*data, name]

    return MockProcessor(name, function)


class PipelineSuite:
    """Subclass it with a fixture ``pipeline``: empty; it hands on what each processor makes, and
    ends at a failure."""

    def test_it_keeps_the_contract(self, pipeline: IPipeline) -> None:
        assert isinstance(pipeline, IPipeline)
        assert isinstance(pipeline.get_pipeline_name(), str)
        assert pipeline.get_pipeline_name()
        assert list(pipeline.get_processors()) == []

    def test_processors_stay_in_their_order(self, pipeline: IPipeline) -> None:
        processors = [MockProcessor(name) for name in ("b", "a", "c")]
        for processor in processors:
            pipeline.add_processor(processor)
        assert list(pipeline.get_processors()) == processors

    def test_a_name_is_taken_once(self, pipeline: IPipeline) -> None:
        pipeline.add_processor(MockProcessor("one"))
        with pytest.raises(InvalidInput):
            pipeline.add_processor(MockProcessor("one"))
        assert len(pipeline.get_processors()) == 1

    @pytest.mark.parametrize("candidate", [None, object(), MockProcessor])
    def test_what_is_no_processor_is_refused(self, pipeline: IPipeline, candidate: Any) -> None:
        with pytest.raises(InvalidInput):
            pipeline.add_processor(candidate)
        assert list(pipeline.get_processors()) == []

    async def test_each_is_given_what_the_one_before_it_made(self, pipeline: IPipeline) -> None:
        for name in ("a", "b", "c"):
            pipeline.add_processor(_adding(name))
        result = await pipeline.execute(["begun"])
        assert isinstance(result, ProcessingResult)
        assert result.success
        assert result.processed_data == ["begun", "a", "b", "c"]
        assert [step.processor for step in result.steps] == ["a", "b", "c"]
        assert {step.outcome for step in result.steps} == {"done"}
        assert all(step.seconds >= 0 for step in result.steps)

    async def test_a_failure_ends_it_with_what_was_made_before(self, pipeline: IPipeline) -> None:
        never = _adding("never")
        for processor in (_adding("a"), MockProcessor("bad", error="no luck"), never):
            pipeline.add_processor(processor)
        result = await pipeline.execute(["begun"])
        assert not result.success
        assert "no luck" in (result.error or "")
        assert result.processed_data == ["begun", "a"]
        assert [step.outcome for step in result.steps] == ["done", "failed"]
        assert never.inputs == []

    async def test_it_can_run_again(self, pipeline: IPipeline) -> None:
        pipeline.add_processor(_adding("a"))
        assert (await pipeline.execute([])).processed_data == ["a"]
        assert (await pipeline.execute(["x"])).processed_data == ["x", "a"]


class ProcessingManagerSuite:
    """Subclass it with a fixture ``manager`` in which nothing is registered."""

    def test_it_keeps_the_contract(self, manager: IProcessingManager) -> None:
        assert isinstance(manager, IProcessingManager)
        assert list(manager.list_processors()) == []
        assert list(manager.list_pipelines()) == []

    async def test_it_chooses_by_name(self, manager: IProcessingManager) -> None:
        manager.register_processor(_adding("one"))
        manager.register_processor(_adding("two"))
        manager.register_pipeline(MockPipeline("both", [_adding("one"), _adding("two")]))
        assert list(manager.list_processors()) == ["one", "two"]
        assert list(manager.list_pipelines()) == ["both"]
        assert (await manager.process("two", [])).processed_data == ["two"]
        assert (await manager.process("both", [])).processed_data == ["one", "two"]

    async def test_an_unknown_name_is_an_error(self, manager: IProcessingManager) -> None:
        with pytest.raises(NotRegistered):
            await manager.process("nobody", {})

    def test_a_name_belongs_to_one(self, manager: IProcessingManager) -> None:
        manager.register_processor(MockProcessor("taken"))
        for register, part in (
            (manager.register_processor, MockProcessor("taken")),
            (manager.register_pipeline, MockPipeline("taken")),
        ):
            with pytest.raises(InvalidInput):
                register(part)  # pyright: ignore[reportArgumentType] (each gets its own kind)
        assert list(manager.list_pipelines()) == []

    @pytest.mark.parametrize("candidate", [None, object(), MockProcessor])
    def test_what_keeps_no_contract_is_refused(
        self, manager: IProcessingManager, candidate: Any
    ) -> None:
        with pytest.raises(InvalidInput):
            manager.register_processor(candidate)
        with pytest.raises(InvalidInput):
            manager.register_pipeline(candidate)
        assert list(manager.list_processors()) == []

    async def test_a_failure_is_a_result(self, manager: IProcessingManager) -> None:
        manager.register_processor(MockProcessor("bad", error="no luck"))
        result = await manager.process("bad", {})
        assert not result.success
        assert "no luck" in (result.error or "")
