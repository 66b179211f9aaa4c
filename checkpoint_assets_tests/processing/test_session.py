"""A stored session becomes rows and derived files."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from checkpoint_assets.config import Settings
from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.model.enums import Artifact, EventType
from checkpoint_assets.model.errors import IntegrityError, NotRegistered, ProcessingError
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.features import FEATURE_COLUMNS, features_frame
from checkpoint_assets.processing.pipeline import Pipeline
from checkpoint_assets.processing.processing_manager import ProcessingManager
from checkpoint_assets.processing.session import (
    ProcessedStep,
    captured_steps,
    process_session,
    session_texts,
)
from checkpoint_assets.processing.standard import default_processing
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.mocks import MockEventEmitter, MockProcessor
from checkpoint_assets_tests.processing.steps import SHOP, drawn

SESSION = "s1"


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[StorageManager]:
    async with StorageManager(tmp_path.as_uri()) as storage:
        metadata = {"url": "http://shop.example/"}
        await storage.store_step_data(
            SESSION, "0001-goto", SHOP, drawn(), {"kind": "goto"}, metadata
        )
        await storage.store_step_data(
            SESSION,
            "0002-fill",
            SHOP.replace("3 left", "2 left"),
            drawn(lambda pen: pen.rectangle((100, 50, 140, 80), fill="blue")),
        )
        await storage.store_step_data(SESSION, "0003-press", action_data={"kind": "press"})
        await storage.store_step_data(SESSION, "0004-click", SHOP, b"no picture")
        yield storage


async def rows(storage: StorageManager, *, settings: Settings | None = None) -> list[ProcessedStep]:
    processing = default_processing(settings)
    return [step async for step in process_session(storage, processing, SESSION)]


def derived(storage: StorageManager) -> dict[str, bytes]:
    folder = Path(storage.session_url(SESSION)) / "_derived"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_each_step_is_a_row_in_order(storage: StorageManager) -> None:
    first, second, third, fourth = [step.row for step in await rows(storage)]

    assert (first["session_id"], first["step_id"]) == (SESSION, "0001-goto")
    assert first["page_title"] == "Cups"
    assert "near_duplicate" not in first
    assert second["near_duplicate"] is False
    assert second["dom_lines_added"] == 1
    assert third == {"session_id": SESSION, "step_id": "0003-press", "processing_problems": None}
    assert fourth["page_title"] == "Cups"
    assert str(fourth["processing_problems"]).count("do not decode") == 2


async def test_files_are_stored_beside_their_step(storage: StorageManager) -> None:
    await rows(storage)

    assert sorted(derived(storage)) == [
        "0001-goto.outline.txt",
        "0001-goto.page.json",
        "0001-goto.text.txt",
        "0001-goto.thumbnail.webp",
        "0002-fill.difference.webp",
        "0002-fill.dom.diff",
        "0002-fill.outline.txt",
        "0002-fill.page.json",
        "0002-fill.text.txt",
        "0002-fill.thumbnail.webp",
        "0004-click.outline.txt",
        "0004-click.page.json",
        "0004-click.text.txt",
    ]
    text = await storage.retrieve_derived(SESSION, "text.txt", step_id="0002-fill")
    assert "2 left" in text.decode()


async def test_once_more_makes_the_same_rows_and_the_same_files(storage: StorageManager) -> None:
    before, files = [step.row for step in await rows(storage)], derived(storage)
    again = [step.row for step in await rows(storage)]

    assert again == before
    assert derived(storage) == files


async def test_derived_files_are_in_nobodys_way(storage: StorageManager) -> None:
    steps = await storage.list_steps_for_session(SESSION)
    await rows(storage)

    assert await storage.list_steps_for_session(SESSION) == steps
    assert await storage.list_sessions() == [SESSION]
    report = await storage.verify(SESSION)
    assert not report.findings


async def test_a_session_that_is_not_there_has_no_rows(storage: StorageManager) -> None:
    found = [step async for step in process_session(storage, default_processing(), "nobody")]

    assert found == []


async def test_a_step_that_cannot_be_read_is_an_error(storage: StorageManager) -> None:
    path = Path(storage.session_url(SESSION)) / "0002-fill.html"
    path.write_text("changed behind our back")

    with pytest.raises(IntegrityError):
        await rows(storage)


async def test_a_step_that_was_deleted_meanwhile_is_left_out(storage: StorageManager) -> None:
    for number in range(5, 41):
        await storage.store_step_data(SESSION, f"{number:04d}-click", f"<p>{number}")
    patient = StorageManager(storage.url, concurrency=4)
    async with aclosing(captured_steps(patient, SESSION)) as steps:
        found = [(await anext(steps)).step_id]
        # Listed already, and not yet read.
        await storage.delete_step(SESSION, "0039-click")
        found += [step.step_id async for step in steps]

    assert len(found) == 39
    assert "0039-click" not in found


async def test_no_step_keeps_those_before_it_alive(storage: StorageManager) -> None:
    seen: list[weakref.ref[CapturedStep]] = []
    async with aclosing(captured_steps(storage, SESSION)) as steps:
        async for step in steps:
            assert step.previous is None or step.previous.previous is None
            seen.append(weakref.ref(step))
            del step
            gc.collect()
            alive = sum(1 for each in seen if each() is not None)
            assert alive <= 2


async def test_what_was_read_of_a_page_is_read_once(storage: StorageManager) -> None:
    async with aclosing(captured_steps(storage, SESSION)) as steps:
        first = await anext(steps)
        document, picture = first.document, first.picture
        second = await anext(steps)
        third = await anext(steps)

    assert second.previous is not None
    assert second.previous.document is document
    assert second.previous.picture is picture
    assert third.previous is not None
    assert third.previous.step_id == second.step_id


async def test_a_pipeline_that_ends_at_a_failure_ends_the_session(storage: StorageManager) -> None:
    manager = ProcessingManager()
    manager.register_pipeline(Pipeline("strict", [MockProcessor("bad", error="no")], mode="merge"))
    manager.register_pipeline(Pipeline("odd", [MockProcessor("text", lambda _: "text")]))

    for name, reason in (("strict", "bad: no"), ("odd", "makes a str")):
        with pytest.raises(ProcessingError, match=reason):
            _ = [step async for step in process_session(storage, manager, SESSION, name)]


async def test_begin_problems_and_end_are_told(storage: StorageManager) -> None:
    emitter = MockEventEmitter()
    steps = process_session(storage, default_processing(), SESSION, events=emitter)
    assert len([step async for step in steps]) == 4

    told = emitter.events
    assert [event.event_type for event in told] == [
        EventType.PROCESSING_START,
        EventType.PROCESSING_ERROR,
        EventType.PROCESSING_ERROR,
        EventType.PROCESSING_COMPLETE,
    ]
    assert told[1].data["step_id"] == "0004-click"
    assert told[1].data["error"].startswith("thumbnail: ")
    assert (told[-1].data["steps"], told[-1].data["problems"]) == (4, 2)


async def test_an_error_that_ends_a_session_is_told(storage: StorageManager) -> None:
    emitter = MockEventEmitter()
    steps = process_session(storage, ProcessingManager(), SESSION, events=emitter)
    with pytest.raises(NotRegistered):
        _ = [step async for step in steps]

    assert [event.event_type for event in emitter.events] == [
        EventType.PROCESSING_START,
        EventType.PROCESSING_ERROR,
    ]


async def test_foreign_processors_fill_columns_and_files_of_their_own(
    storage: StorageManager,
) -> None:
    here = "checkpoint_assets_tests.processing.foreign"
    settings = Settings(processors=(f"{here}:Shouting", f"{here}:Late"))
    found = await rows(storage, settings=settings)

    assert found[0].columns["marks"] == 1
    assert found[0].problems == ["late: RuntimeError: nothing to be done about 0001-goto"]
    assert derived(storage)["0001-goto.shouting.txt"].startswith(b"1 at ")


async def test_texts_are_those_of_the_steps_with_a_page(storage: StorageManager) -> None:
    await storage.store_step_data(SESSION, "0005-click", "<div>" * 5000)
    texts, problems = await session_texts(storage, default_processing(), SESSION)

    assert list(texts) == ["0001-goto", "0002-fill", "0004-click"]
    assert texts["0001-goto"].splitlines()[0] == "Home"
    assert list(problems) == ["0005-click"]
    assert "deep" in problems["0005-click"]


async def test_only_what_is_asked_for_is_read(storage: StorageManager) -> None:
    async with aclosing(captured_steps(storage, SESSION, [Artifact.HTML])) as steps:
        step = await anext(steps)

    assert step.html is not None
    assert (step.screenshot, step.action) == (None, None)


async def test_the_table_has_fixed_columns_and_goes_through_parquet(
    storage: StorageManager, tmp_path: Path
) -> None:
    frame = features_frame(step.row for step in await rows(storage))
    frame.to_parquet(tmp_path / "features.parquet")
    read = pd.read_parquet(tmp_path / "features.parquet")

    assert {str(name): str(kind) for name, kind in frame.dtypes.items()} == FEATURE_COLUMNS
    assert {str(name): str(kind) for name, kind in read.dtypes.items()} == FEATURE_COLUMNS
    assert list(read["step_id"]) == ["0001-goto", "0002-fill", "0003-press", "0004-click"]
    assert list(read["elements"].isna()) == [False, False, True, False]


def test_a_table_without_rows_has_the_same_columns() -> None:
    empty = features_frame([])

    assert {str(name): str(kind) for name, kind in empty.dtypes.items()} == FEATURE_COLUMNS
    assert len(empty) == 0


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], "Int64"),
        ([1, 2.5], "Float64"),
        ([True, None], "boolean"),
        (["a", 1, True], "string"),
        ([None, None], "string"),
        ([True, 1], "string"),
    ],
)
def test_a_foreign_column_has_the_type_of_its_values(values: list[Any], kind: str) -> None:
    frame = features_frame(
        {"session_id": "s", "step_id": str(n), "mine": value} for n, value in enumerate(values)
    )
    assert str(frame["mine"].dtype) == kind
    assert list(frame.columns).index("mine") == len(frame.columns) - 2


async def test_a_result_that_is_a_derived_of_nothing_is_a_row_of_ids(
    storage: StorageManager,
) -> None:
    class Nothing(MockProcessor):
        async def process(self, data: Any) -> ProcessingResult:
            return ProcessingResult(True, Derived())

    manager = ProcessingManager()
    manager.register_processor(Nothing("nothing"))
    found = [step async for step in process_session(storage, manager, SESSION, "nothing")]

    assert [step.row["step_id"] for step in found] == [
        "0001-goto", "0002-fill", "0003-press", "0004-click",
    ]  # fmt: skip
