"""Processors one after the other: what each is given, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.model.enums import ErrorPolicy
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.processing.captured_step import Derived
from checkpoint_assets.processing.pipeline import Pipeline
from checkpoint_assets.processing.processing_manager import ProcessingManager
from checkpoint_assets.processing.step_processor import in_thread
from checkpoint_assets.testing.mocks import MockProcessor

SKIP, ABORT = ErrorPolicy.SKIP, ErrorPolicy.ABORT


class Raising(MockProcessor):
    """Raises in the method of that name."""

    def __init__(self, method: str) -> None:
        super().__init__("raising")
        self.method = method

    def validate_input(self, data: Any) -> bool:
        if self.method == "validate_input":
            raise RuntimeError("no luck")
        return True

    async def process(self, data: Any) -> ProcessingResult:
        if self.method == "process":
            raise RuntimeError("no luck")
        return "no result"  # type: ignore[return-value]


def columns(name: str, **cells: Any) -> MockProcessor:
    return MockProcessor(name, lambda _: Derived(cells))


def outcomes(result: ProcessingResult) -> list[str]:
    return [step.outcome for step in result.steps]


async def test_merged_processors_get_the_same_input_and_make_one_derived() -> None:
    first, second = columns("a", x=1), columns("b", y="two")
    result = await Pipeline("both", [first, second], mode="merge").execute("input")

    assert (first.inputs, second.inputs) == (["input"], ["input"])
    assert result.processed_data == Derived({"x": 1, "y": "two"})


async def test_a_mapping_of_columns_will_do() -> None:
    pipeline = Pipeline("plain", [MockProcessor("a", lambda _: {"x": 1})], mode="merge")

    assert (await pipeline.execute("input")).processed_data == Derived({"x": 1})


@pytest.mark.parametrize(
    "made",
    [
        "a text",
        {"x": object()},
        {"x": 1 << 70},
        {"x": float("inf")},
        {"x": "\ud800"},
        {3: 4},
        {"taken": 1},
        Derived(files={"taken.txt": (b"", "text/plain")}),
    ],
)
async def test_what_does_not_fit_is_a_failure_of_its_processor(made: Any) -> None:
    before = MockProcessor("a", lambda _: Derived({"taken": 0}, {"taken.txt": (b"", "text/plain")}))
    after = columns("c", z=1)
    pipeline = Pipeline(
        "p", [before, MockProcessor("b", lambda _: made), after], mode="merge", on_error=SKIP
    )
    result = await pipeline.execute("input")

    assert outcomes(result) == ["done", "failed", "done"]
    assert result.steps[1].error
    assert result.processed_data.columns == {"taken": 0, "z": 1}


@pytest.mark.parametrize(
    "name", ["no extension", "../up.txt", "a/b.txt", ".txt", "x" * 200 + ".txt"]
)
def test_a_derived_file_has_a_name_that_can_be_stored(name: str) -> None:
    with pytest.raises(InvalidInput):
        Derived(files={name: (b"", "text/plain")})


async def test_what_is_refused_is_skipped_or_fails() -> None:
    processors = [MockProcessor("picky", accepts=lambda _: False), MockProcessor("b", lambda d: d)]
    going_on = await Pipeline("p", processors, on_error=SKIP).execute("input")
    ending = await Pipeline("p", processors, on_error=ABORT).execute("input")

    assert (going_on.success, outcomes(going_on)) == (True, ["skipped", "done"])
    assert going_on.processed_data == "input"
    assert (ending.success, outcomes(ending)) == (False, ["failed"])
    assert "picky" in (ending.error or "")


@pytest.mark.parametrize("method", ["validate_input", "process", "none"])
@pytest.mark.parametrize("policy", [SKIP, ABORT])
async def test_whatever_a_processor_does_is_a_result(method: str, policy: ErrorPolicy) -> None:
    after = MockProcessor("after", lambda data: data)
    result = await Pipeline("p", [Raising(method), after], on_error=policy).execute("input")

    assert result.success is (policy is SKIP)
    assert outcomes(result) == (["failed", "done"] if policy is SKIP else ["failed"])
    assert ("no luck" in (result.steps[0].error or "")) is (method != "none")


async def test_a_chain_goes_on_with_what_was_made_before_the_failure() -> None:
    add = MockProcessor("add", lambda data: data + 1)
    double = MockProcessor("double", lambda data: data * 2)
    pipeline = Pipeline("p", [add, MockProcessor("bad", error="no"), double], on_error=SKIP)

    assert (await pipeline.execute(3)).processed_data == 8


async def test_a_processor_that_takes_too_long_fails() -> None:
    class Waiting(MockProcessor):
        async def process(self, data: Any) -> ProcessingResult:
            await asyncio.Event().wait()
            raise AssertionError

    result = await Pipeline("p", [Waiting()], timeout=0.05).execute("input")

    assert "longer than 0.05 s" in (result.error or "")


async def test_each_processor_is_timed() -> None:
    class Slow(MockProcessor):
        async def process(self, data: Any) -> ProcessingResult:
            await asyncio.sleep(0.05)
            return ProcessingResult(True, data, processing_time=-1)

    result = await Pipeline("p", [Slow("slow"), MockProcessor("quick")]).execute("input")
    slow, quick = result.steps

    assert slow.seconds >= 0.05 > quick.seconds >= 0
    assert result.processing_time >= slow.seconds


async def test_a_cancellation_goes_through_and_waits_for_the_thread() -> None:
    begun, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        begun.set()
        ended.append(go_on.wait(10))

    class Threaded(MockProcessor):
        async def process(self, data: Any) -> ProcessingResult:
            await in_thread(work)
            raise AssertionError

    never = MockProcessor("never")
    task = asyncio.create_task(Pipeline("p", [Threaded(), never], on_error=SKIP).execute("input"))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert never.inputs == []


def test_trying_again_is_no_policy_of_a_pipeline() -> None:
    with pytest.raises(InvalidInput, match="RETRY"):
        Pipeline("p", on_error=ErrorPolicy.RETRY)


async def test_a_processor_alone_is_guarded_as_one_in_a_pipeline_is() -> None:
    manager = ProcessingManager()
    manager.register_processor(Raising("process"))
    manager.register_processor(MockProcessor("picky", accepts=lambda _: False))

    raised, refused = await manager.process("raising", 1), await manager.process("picky", 1)
    assert "no luck" in (raised.error or "")
    assert not refused.success
    assert refused.error
