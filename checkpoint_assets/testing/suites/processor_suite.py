# ruff: noqa: S101 - assert is what tests are made of
"""What every processor promises."""

from __future__ import annotations

import asyncio
import contextlib
from copy import deepcopy
from typing import Any

import pytest

from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.contract_records import ProcessingResult

# What nobody would call a good input.
ODD_INPUTS: tuple[Any, ...] = (None, 0, "", b"\xff", [], {}, {"a": [None]}, object(), object)


class ProcessorSuite:
    """Subclass it with the fixtures ``processor``, and ``good``: an input that it takes."""

    async def test_it_keeps_the_contract(self, processor: IProcessor) -> None:
        assert isinstance(processor, IProcessor)
        assert isinstance(processor.get_processor_name(), str)
        assert processor.get_processor_name()
        assert processor.get_processor_name() == processor.get_processor_name()

    async def test_a_good_input_is_taken_and_something_comes_of_it(
        self, processor: IProcessor, good: Any
    ) -> None:
        assert processor.validate_input(good) is True
        result = await processor.process(good)
        assert isinstance(result, ProcessingResult)
        assert result.success, result.error
        assert result.error is None
        assert result.processed_data is not None
        assert result.processing_time >= 0

    async def test_the_same_input_makes_the_same_result(
        self, processor: IProcessor, good: Any
    ) -> None:
        first, second = await processor.process(good), await processor.process(good)
        assert first.processed_data == second.processed_data

    async def test_the_input_stays_as_it_is(self, processor: IProcessor, good: Any) -> None:
        before = deepcopy(_members(good))
        await processor.process(good)
        assert _members(good) == before

    @pytest.mark.parametrize("odd", ODD_INPUTS)
    async def test_an_odd_input_is_a_result_and_never_raised(
        self, processor: IProcessor, odd: Any
    ) -> None:
        assert isinstance(processor.validate_input(odd), bool)
        result = await processor.process(odd)
        assert isinstance(result, ProcessingResult)
        assert result.success or result.error

    async def test_many_at_once_do_not_disturb_each_other(
        self, processor: IProcessor, good: Any
    ) -> None:
        alone = await processor.process(good)
        together = await asyncio.gather(*(processor.process(good) for _ in range(4)))
        assert all(each.success for each in together)
        assert all(each.processed_data == alone.processed_data for each in together)

    async def test_nothing_is_left_when_it_is_cancelled(
        self, processor: IProcessor, good: Any
    ) -> None:
        before = asyncio.all_tasks()
        work = asyncio.create_task(processor.process(good))
        await asyncio.sleep(0)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        assert asyncio.all_tasks() <= before


def _members(given: Any) -> dict[str, Any]:
    """What can be compared before and after: the fields of a record, else the thing itself."""
    names = getattr(type(given), "__dataclass_fields__", None)
    return {"it": given} if names is None else {name: getattr(given, name) for name in names}
