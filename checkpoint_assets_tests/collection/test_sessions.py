"""Whole sessions: a scenario in, a closed session out, whatever the browser does."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_file import load_scenario, parse_scenario
from checkpoint_assets.config import Settings, Timeouts
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.model.errors import InvalidScenario
from checkpoint_assets.model.records import SessionManifest, SystemEvent
from checkpoint_assets.runtime.events import EventEmitter
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.demo_shop_site import DEMO_SECRETS
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.children import all_gone, descendants, kill_browser
from checkpoint_assets_tests.pages import HERMETIC, Pages

SCENARIOS = Path(__file__).parents[2] / "scenarios"

pytestmark = pytest.mark.browser


class Bench:
    """A store in a folder, and a collector over it."""

    def __init__(self, folder: Path, pages: Pages) -> None:
        self.folder = folder
        self.storage = StorageManager(folder.as_uri())
        self.pages = pages
        self.events = EventEmitter()
        self.settings = Settings(
            chromium_arguments=(HERMETIC,),
            allow_private=(pages.url.removeprefix("http://"),),
            timeouts=Timeouts(action=3, navigation=5, settle=1, capture=3, close=3),
        )
        self.collector = DataCollector(
            self.storage, settings=self.settings, open_site=open_site, events=self.events
        )

    def scenario(self, *steps: str, head: str = "") -> Scenario:
        """A scenario over the pages of the test; steps are YAML."""
        lines = "\n".join(f"  - {step}" for step in steps)
        host = self.pages.url.removeprefix("http://")
        top = f'name: t\nstart_url: {self.pages.url}\nallow_private: ["{host}"]\n{head}'
        return parse_scenario(f"{top}steps:\n{lines}\n", path="t.yaml")

    async def capture(self, *steps: str, head: str = "") -> SessionManifest:
        return await self.collector.capture_scenario(self.scenario(*steps, head=head))

    def files(self) -> dict[str, bytes]:
        """Every file of the store by its path."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }


@pytest_asyncio.fixture
async def bench(tmp_path: Path, pages: Pages) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "store", pages)
    async with bench.collector:
        yield bench


async def test_session_is_stored_in_the_documented_layout_and_every_digest_is_right(
    bench: Bench,
) -> None:
    scenario = load_scenario(SCENARIOS / "shop-sign-in.yaml")
    manifest = await bench.collector.capture_scenario(scenario)
    assert manifest.state is SessionState.COMPLETE
    assert len(manifest.steps) == len(scenario.steps)
    expected = {f"{manifest.session_id}/session.json"}
    for step in manifest.steps:
        kinds = ("html", "webp", "action.json", "metadata.json")
        expected |= {f"{manifest.session_id}/{step}.{kind}" for kind in kinds}
    files = {name: data for name, data in bench.files().items() if not name.startswith(("_", "."))}
    assert set(files) == expected
    for name, data in files.items():
        if name.endswith(".webp"):
            Image.open(BytesIO(data), formats=["WEBP"]).load()
        if name.endswith(".json"):
            json.loads(data)
        if name.endswith(".metadata.json"):
            for artifact in json.loads(data)["artifacts"].values():
                content = files[f"{manifest.session_id}/{artifact['name']}"]
                assert hashlib.sha256(content).hexdigest() == artifact["sha256"]
                assert len(content) == artifact["size"]


async def test_typed_secrets_are_in_no_file_and_in_no_event(bench: Bench) -> None:
    told: list[SystemEvent] = []

    async def listen(event: SystemEvent) -> None:
        told.append(event)

    for kind in EventType:
        await bench.events.subscribe(kind, listen)
    for name in ("shop-sign-in", "shop-checkout"):
        await bench.collector.capture_scenario(load_scenario(SCENARIOS / f"{name}.yaml"))
    everything = b"\n".join([*bench.files().values(), repr(told).encode()])
    secrets = [value for value in DEMO_SECRETS.values() if len(value) > 3]
    assert secrets
    for secret in secrets:
        assert secret.encode() not in everything


async def test_values_that_were_typed_are_in_the_page(bench: Bench) -> None:
    url = bench.pages.add("<input id=a><input id=p type=password><textarea id=t></textarea>")
    manifest = await bench.capture(
        f"goto: {url}",
        "fill: {selector: '#a', text: 'green tea'}",
        "fill: {selector: '#p', text: 'swordfish'}",
        "fill: {selector: '#t', text: 'two lines'}",
    )
    html, *_ = await bench.storage.retrieve_step_data(manifest.session_id, manifest.steps[-1])
    assert html is not None
    assert 'value="green tea"' in html
    assert ">two lines</textarea>" in html
    assert all(b"swordfish" not in data for data in bench.files().values())


async def test_capture_causes_no_mutation_that_the_page_could_see(bench: Bench) -> None:
    url = bench.pages.add(
        "<title>0</title><input id=a><div id=out>-</div><script>"
        "let seen = 0; new MutationObserver(r => { seen += r.length; fetch('/seen?' + seen); })"
        ".observe(document, {subtree: true, childList: true, attributes: true,"
        " characterData: true})</script>"
    )
    manifest = await bench.capture(f"goto: {url}", "hover: '#a'", "hover: '#out'", "press: Tab")
    assert manifest.state is SessionState.COMPLETE
    for step in manifest.steps:
        _, _, _, page = await bench.storage.retrieve_step_data(manifest.session_id, step)
        assert page is not None
        assert "failed_requests" not in page  # a mutation would have asked for /seen
        assert page["consistency"] == {**page["consistency"], "mutations": 0}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("click: {selector: ['#nope', '.no'], timeout: 0.5}", "no visible element matched '#nope'"),
        ("goto: http://127.0.0.1:9/", "127.0.0.1:9"),
        ("goto: /absent", "404"),
        ("expect: {selector: '#a', text: coffee, timeout: 0.5}", "coffee"),
    ],
)
async def test_step_that_cannot_be_done_ends_the_session_and_says_where(
    bench: Bench, step: str, words: str
) -> None:
    url = bench.pages.add("<p id=a>tea</p>")
    manifest = await bench.capture(f"goto: {url}", step, "press: Tab")
    assert manifest.state is SessionState.INCOMPLETE
    assert manifest.reason is not None
    assert words in manifest.reason
    assert "line 6, step 2" in manifest.reason
    html, *_ = await bench.storage.retrieve_step_data(manifest.session_id, "0001-goto")
    assert html is not None
    assert "tea" in html


async def test_missing_secret_is_an_error_before_anything_is_started(bench: Bench) -> None:
    with pytest.raises(InvalidScenario, match="CHECKPOINT_SECRET_NOT_THERE"):
        await bench.capture("goto: /", "fill: {selector: '#a', secret: NOT_THERE}")
    assert bench.files() == {}


async def test_cancelled_session_is_aborted_and_its_browser_is_gone(
    tmp_path: Path, pages: Pages
) -> None:
    before = descendants()
    bench = Bench(tmp_path / "store", pages)
    url = pages.add("<p>tea</p>")
    stored = asyncio.Event()

    async def listen(event: SystemEvent) -> None:
        stored.set()

    await bench.events.subscribe(EventType.STEP_STORED, listen)
    async with bench.collector:
        task = asyncio.ensure_future(
            bench.capture(f"goto: {url}", "wait_for: {text: never, timeout: 60}")
        )
        await stored.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (session,) = await bench.storage.list_sessions()
    assert (await bench.storage.get_manifest(session)).state is SessionState.ABORTED
    assert await bench.storage.list_steps_for_session(session) == ["0001-goto"]
    assert await all_gone(before) == {}


async def test_page_that_hangs_ends_within_its_deadlines_and_the_next_session_works(
    bench: Bench,
) -> None:
    url = bench.pages.add("<button onclick='for (;;);'>hang</button>")
    async with asyncio.timeout(60):
        manifest = await bench.capture(f"goto: {url}", "click: button", "click: button")
    assert manifest.state is SessionState.INCOMPLETE
    assert (await bench.capture(f"goto: {url}")).state is SessionState.COMPLETE


async def test_killed_browser_ends_the_session_and_the_next_one_gets_a_new_browser(
    tmp_path: Path, pages: Pages
) -> None:
    before = descendants()
    bench = Bench(tmp_path / "store", pages)
    url = pages.add("<p>tea</p>")

    async def kill(event: SystemEvent) -> None:
        if event.data["step_id"] == "0001-goto":
            kill_browser(before)

    subscription = await bench.events.subscribe(EventType.STEP_STORED, kill)
    async with bench.collector:
        manifest = await bench.capture(f"goto: {url}", "wait_for: {text: never, timeout: 20}")
        assert manifest.state is SessionState.INCOMPLETE
        await bench.events.unsubscribe(subscription)
        assert (await bench.capture(f"goto: {url}")).state is SessionState.COMPLETE


async def test_second_capture_leaves_the_first_as_it_was(bench: Bench) -> None:
    url = bench.pages.add("<p>tea</p>")
    await bench.capture(f"goto: {url}")
    first = bench.files()
    await bench.capture(f"goto: {url}")
    assert first.items() <= bench.files().items()


async def test_thinning_drops_pages_and_pictures_but_never_an_action(bench: Bench) -> None:
    url = bench.pages.add("<p id=a>tea</p>")
    steps = [f"goto: {url}", "hover: '#a'", "hover: '#a'"]
    manifest = await bench.capture(*steps, head="collect: {every: 2}\n")
    kept = [
        set((await bench.storage.get_commit_record(manifest.session_id, step)).artifacts)
        for step in manifest.steps
    ]
    whole = {"html", "screenshot", "action"}
    assert kept == [whole, {"action"}, whole]
