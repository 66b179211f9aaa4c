"""A source that the settings name and a scenario asks for: its steps are steps like all others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.plugged_source import PluggedSource, SourceRequest
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Settings, Timeouts
from checkpoint_assets.interfaces import IDataSource
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType, SessionState, TaskStatus
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidScenario
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.completeness import incomplete_steps
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.contract_suites import DataSourceSuite
from checkpoint_assets.testing.mocks import MockEventEmitter, MockStorageBackend
from checkpoint_assets_tests.children import descendants, started_since
from checkpoint_assets_tests.collection.foreign_sources import HERE, Letters

SOURCES = {
    name.lower(): f"{HERE}:{name}" for name in ("Letters", "Chatty", "Broken", "Stuck", "Half")
} | {"picky": f"{HERE}:picky", "gone": "no.such.module:Source"}


def scenario_text(source: str, word: str = "tea", more: str = "") -> str:
    return f"name: spell\nsource: plugin:{source}\nvariables: {{word: {word}}}\n{more}"


class Spelling:
    """A collector over a store in memory, whose settings list the foreign sources."""

    def __init__(self, **timeouts: float) -> None:
        self.storage = StorageManager("memory://")
        self.events = MockEventEmitter()
        self.collector = DataCollector(
            self.storage,
            settings=Settings(sources=SOURCES, timeouts=Timeouts(**timeouts)),
            events=self.events,
            environment={"CHECKPOINT_SECRET_API_KEY": "sesame-4711"},
        )

    async def run(self, source: str, word: str = "tea", more: str = "") -> SessionManifest:
        scenario = parse_scenario(scenario_text(source, word, more), path="scenarios/spell.yaml")
        return await self.collector.capture_scenario(scenario)

    def told(self, *left_out: EventType) -> list[SystemEvent]:
        tasks = (EventType.TASK_PROGRESS, EventType.TASK_COMPLETE)
        return [each for each in self.events.events if each.event_type not in (*tasks, *left_out)]


@pytest.fixture(autouse=True)
def made() -> Iterator[list[Letters]]:
    """The sources that the test had made."""
    Letters.made.clear()
    yield Letters.made
    for source in Letters.made:
        assert source.calls.count("connect") == 0 or source.calls[-1] == "disconnect"


async def test_each_thing_is_a_numbered_step_and_no_browser_is_started(
    made: list[Letters],
) -> None:
    before = descendants()
    spelling = Spelling()
    manifest = await spelling.run("letters")
    assert not started_since(before, "")
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert (manifest.scenario, manifest.source) == ("spell", "plugin:letters")
    assert manifest.steps == ["0001-collect", "0002-collect", "0003-collect"]
    assert manifest.metadata["browser"] is None
    assert await incomplete_steps(spelling.storage, manifest) == {}
    html, picture, action, page = await spelling.storage.retrieve_step_data(
        manifest.session_id, "0002-collect"
    )
    assert html == "<!doctype html><title>e</title><p>e</p>"
    assert picture is None
    assert action is not None
    assert (action["kind"], action["ordinal"], action["outcome"]) == ("collect", 2, "ok")
    assert page is not None
    assert (page["title"], page["url"]) == ("e", "https://abc.example/e")
    (source,) = made
    assert source.calls == ["connect", "stream closed", "disconnect"]


async def test_events_are_those_of_every_session() -> None:
    spelling = Spelling()
    manifest = await spelling.run("letters")
    told = spelling.told()
    assert [each.event_type for each in told] == [
        EventType.COLLECTION_START,
        *[EventType.STEP_STORED] * 3,
        EventType.COLLECTION_COMPLETE,
    ]
    assert {each.data["session_id"] for each in told} == {manifest.session_id}
    for each in told:
        json.dumps(each.data)


async def test_other_backends_get_the_steps_too() -> None:
    spelling = Spelling()
    mirror = MockStorageBackend("mirror")
    spelling.storage.register_backend(mirror)
    manifest = await spelling.run("letters")
    assert list(mirror.stored) == [f"{manifest.session_id}/{step}" for step in manifest.steps]


API_KEY = "extra_headers: {Authorization: {secret: API_KEY}}"


async def test_pictures_become_webp_and_secrets_are_masked() -> None:
    spelling = Spelling()
    manifest = await spelling.run("chatty", more=API_KEY)
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert manifest.steps == ["0001-search", "0002-collect"]
    html, picture, action, page = await spelling.storage.retrieve_step_data(
        manifest.session_id, "0001-search"
    )
    assert html == "<p>Bearer ********</p>"
    assert action is not None
    assert (action["value"], action["selector"], action["ordinal"]) == ("********", "#q", 1)
    assert page is not None
    assert "sesame" not in json.dumps(page) + json.dumps(manifest.metadata)
    assert page["screenshot"] == {"width": 4, "height": 3}
    image = Image.open(BytesIO(picture or b""))
    assert (image.format, image.getpixel((0, 0))) == ("WEBP", (0, 128, 128))


async def test_thinning_drops_pages_and_pictures_only() -> None:
    spelling = Spelling()
    manifest = await spelling.run("letters", more="collect: {every: 2}")
    pages = [
        (await spelling.storage.retrieve_step_data(manifest.session_id, step))[:3:2]
        for step in manifest.steps
    ]
    assert [html is not None for html, _ in pages] == [True, False, True]
    assert all(action is not None for _, action in pages)
    assert await incomplete_steps(spelling.storage, manifest) == {}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("connect", "'broken' failed to connect: OSError: nobody at home"),
        ("disconnect", "'broken' failed to disconnect: RuntimeError: it sticks"),
        ("collect", "'broken' failed to collect: LookupError: lost the thread"),
        ("timeout", "'broken' failed to collect: it took too long"),
        ("nothing", "a NoneType is no CollectedData"),
        ("format", "'csv', which is no artifact of a step"),
        ("metadata", "its metadata"),
        ("kind", "../up"),
        ("picture", "0002-collect: no screenshot: the PNG"),
    ],
)
async def test_a_source_that_fails_is_named_and_costs_no_committed_step(
    word: str, said: str
) -> None:
    spelling = Spelling()
    manifest = await spelling.run("broken", word)
    assert manifest.state is SessionState.INCOMPLETE
    assert said in (manifest.reason or "")
    committed = {"connect": 0, "picture": 2}.get(word, 1)
    assert len(manifest.steps) == committed
    missing = {"0002-collect": "no screenshot"} if word == "picture" else {}
    assert await incomplete_steps(spelling.storage, manifest) == missing
    assert spelling.told()[-1].event_type is EventType.COLLECTION_ERROR


@pytest.mark.parametrize(
    ("word", "limit", "said"),
    [
        ("connect", "launch", "failed to connect: it took too long"),
        ("disconnect", "close", "failed to disconnect: it took too long"),
        ("collect", "session", "the session took longer than 0.2 s"),
    ],
)
async def test_a_source_that_hangs_is_left(word: str, limit: str, said: str) -> None:
    before = asyncio.all_tasks()
    spelling = Spelling(**{limit: 0.2})
    async with asyncio.timeout(10):
        manifest = await spelling.run("stuck", word)
    assert manifest.state is SessionState.INCOMPLETE
    assert said in (manifest.reason or "")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        (
            "lettres",
            InvalidScenario,
            "the settings list no source 'lettres' (did you mean 'letters'",
        ),
        ("nothing-like-it", InvalidScenario, "one of letters, chatty, broken"),
        ("half", InvalidConfiguration, "Half is no data source: it lacks collect"),
        ("picky", InvalidConfiguration, "ValueError: I want a longer word"),
        ("gone", InvalidConfiguration, "No module named 'no'"),
    ],
)
async def test_what_cannot_be_used_is_refused_before_anything_is_stored(
    source: str, error: type[Exception], said: str
) -> None:
    spelling = Spelling()
    with pytest.raises(error) as caught:
        await spelling.run(source)
    assert said in str(caught.value)
    assert await spelling.storage.list_sessions() == []
    assert spelling.events.events == []


async def test_a_stopped_session_keeps_what_it_has() -> None:
    spelling = Spelling()
    stored = asyncio.Event()

    async def hear(_: SystemEvent) -> None:
        stored.set()

    await spelling.events.subscribe(EventType.STEP_STORED, hear)
    running = asyncio.ensure_future(spelling.run("stuck", "collect"))
    await stored.wait()
    (session_id,) = spelling.collector.collection.list_sources()
    await spelling.collector.collection.stop(session_id)
    manifest = await running
    assert (manifest.state, manifest.steps) == (SessionState.ABORTED, ["0001-collect"])


async def test_a_capture_is_a_task_and_its_session_one_below_it() -> None:
    spelling = Spelling()
    steps = "steps: [{goto: /a}, {goto: /b}]"
    manifest = await spelling.run("letters", more=steps)
    upper, lower = spelling.collector.tasks.list_tasks()
    assert (upper.name, upper.status) == ("capture spell", TaskStatus.COMPLETED)
    assert lower.name == f"collect {manifest.session_id}"
    assert (lower.parent_id, lower.status) == (upper.task_id, TaskStatus.COMPLETED)


async def test_a_capture_that_is_not_complete_is_a_failed_task_that_says_why() -> None:
    spelling = Spelling()
    manifest = await spelling.run("broken", "collect")
    for task in spelling.collector.tasks.list_tasks():
        assert (task.status, task.error) == (TaskStatus.FAILED, manifest.reason)


async def test_cancelling_the_task_of_a_capture_aborts_its_session() -> None:
    spelling = Spelling()
    running = asyncio.ensure_future(spelling.run("stuck", "collect"))
    while not any(each.event_type is EventType.STEP_STORED for each in spelling.events.events):
        await asyncio.sleep(0)
    upper, lower = spelling.collector.tasks.list_tasks()
    await spelling.collector.tasks.cancel_task(upper.task_id)
    with pytest.raises(asyncio.CancelledError):
        await running
    (session,) = await spelling.storage.list_sessions()
    manifest = await spelling.storage.get_manifest(session)
    assert (manifest.state, manifest.steps) == (SessionState.ABORTED, ["0001-collect"])
    for task in (upper, lower):
        assert spelling.collector.tasks.get_task(task.task_id).status is TaskStatus.CANCELLED


class TestThePluggedSource(DataSourceSuite):
    @pytest.fixture
    def source(self) -> IDataSource:
        scenario = parse_scenario(scenario_text("letters"))
        return PluggedSource(SourceRequest(scenario), Settings(sources=SOURCES))


# The scenario file and the settings


def test_a_plugged_in_source_needs_no_page_and_no_steps() -> None:
    scenario = parse_scenario(scenario_text("letters"))
    assert (scenario.plugin, scenario.steps, scenario.start_url) == ("letters", (), None)
    assert scenario.to_dict()["source"] == "plugin:letters"
    more = "start_url: https://a.example/\nsteps: [{goto: /}]"
    scenario = parse_scenario(scenario_text("letters", more=more))
    assert [step.kind for step in scenario.steps] == ["goto"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nsource: 'plugin:'\n", ":2: source 'plugin:' names no source"),
        ("name: a\nsource: plugin:a b\n", "names no source (plugin:NAME, as the settings list it)"),
        ("name: a\nsource: letters\n", ":2: unknown source 'letters'"),
        ("name: a\nsource: plugin:a\ncdp_url: http://a.example/\n", "needs 'source: cdp'"),
        ("name: a\nsource: plugin:a\nsite: demo\nstart_url: https://a.example/\n", "not both"),
    ],
)
def test_a_source_that_is_none_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(text, path="a.yaml")
    assert said in str(caught.value)


def test_the_environment_names_one_source_in_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT_SOURCES", "letters = a.b:C\n\nother=d:E\n")
    assert Settings().sources == {"letters": "a.b:C", "other": "d:E"}


def test_the_file_names_them_in_a_table(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "checkpoint.toml").write_text('[sources]\nletters = "a.b:C"\n')
    monkeypatch.chdir(tmp_path)
    assert Settings().sources == {"letters": "a.b:C"}
