"""What goes wrong ends in a manifest that says what and where; the next session works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.interfaces import IStorageManager
from checkpoint_assets.model.enums import EventType, SessionState
from checkpoint_assets.model.errors import (
    InvalidConfiguration,
    InvalidScenario,
    InvalidUrl,
    StorageError,
)
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.children import all_gone, descendants
from checkpoint_assets_tests.collection.captures import (
    DEAD,
    Captures,
    capture_settings,
    check_incomplete,
    check_readable,
)
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Steps that fail


@pytest.fixture
def page(pages: Pages) -> str:
    return pages.add("<title>A title</title><button>b</button><input id=i><b hidden>x</b>")


async def test_a_dead_url_is_named_with_line_and_reason(captures: Captures, page: str):
    manifest = await captures.run({"goto": page}, {"goto": f"http://{DEAD}/shop"}, {"goto": page})
    check_incomplete(manifest, "line 2, step 2 (goto): ", f"http://{DEAD}/shop", "REFUSED")
    assert manifest.steps == ["0001-goto", "0002-goto"]
    action = captures.action(manifest)
    assert action["outcome"] == "failed"
    assert action["error"]["type"] == "NavigationFailed"
    assert f"{manifest.steps[1]}.html" not in captures.tree(manifest.session_id)
    await check_readable(captures, manifest)


async def test_a_page_that_is_not_there_is_kept_with_its_status(captures: Captures, page: str):
    manifest = await captures.run({"goto": "/no-such-page"}, {"goto": page})
    check_incomplete(manifest, "line 1, step 1 (goto): ", "/no-such-page", "status 404")
    assert manifest.steps == ["0001-goto"]
    assert captures.facts(manifest)["status"] == 404
    assert "404 Not Found" in captures.html(manifest)


async def test_a_selector_that_never_matches_is_named_with_what_was_tried(
    captures: Captures, page: str
):
    click = {"click": {"selector": ["#nowhere", "b"], "timeout": 0.3}}
    manifest = await captures.run({"goto": page}, click)
    check_incomplete(manifest, "line 2, step 2 (click): ", "'#nowhere', 'b' (1 hidden)", "0.3 s")
    # The page as it was is there to be looked at.
    assert "A title" in captures.html(manifest)
    await check_readable(captures, manifest)


async def test_an_expectation_that_fails_says_what_was_there_instead(captures: Captures, page: str):
    expect = {"expect": {"title": "Another", "timeout": 0.3}}
    manifest = await captures.run({"goto": page}, expect)
    check_incomplete(
        manifest, "line 2, step 2 (expect): ", "expected title 'Another'", "found 'A title'"
    )
    assert captures.action(manifest)["error"]["type"] == "ExpectationFailed"


async def test_a_failed_session_is_told_of(captures: Captures, page: str):
    manifest = await captures.run({"goto": page}, {"expect": {"title": "Another", "timeout": 0.2}})
    *_, told, _ = captures.told  # the last word is that of the task
    assert told.event_type is EventType.COLLECTION_ERROR
    assert told.data["session_id"] == manifest.session_id
    assert told.data["state"] == "incomplete"
    assert told.data["reason"] == manifest.reason


async def test_the_next_session_after_a_failed_one_is_complete(captures: Captures, page: str):
    check_incomplete(await captures.run({"goto": f"http://{DEAD}/"}))
    assert (await captures.run({"goto": page})).state is SessionState.COMPLETE


async def test_a_private_address_needs_the_settings_and_the_scenario(captures: Captures, page: str):
    for allowed in (["127.0.0.1:1"], None):
        manifest = await captures.run({"goto": page}, allow_private=allowed)
        check_incomplete(manifest, "step 1 (goto)", "private network", "CHECKPOINT_ALLOW_PRIVATE")
        assert "A title" not in str(captures.tree(manifest.session_id))


# What is refused before anything is started


async def check_refused(captures: Captures, text: str, *words: str) -> None:
    before, told = set(captures.tree()), len(captures.told)
    scenario = parse_scenario(text, path="scenarios/mine.yaml")
    with pytest.raises((InvalidScenario, InvalidConfiguration)) as caught:
        await captures.collector.capture_scenario(scenario)
    for word in words:
        assert word in str(caught.value)
    assert set(captures.tree()) == before
    assert len(captures.told) == told


async def test_a_missing_secret_is_named_with_file_line_and_variable(captures: Captures):
    await check_refused(
        captures,
        "name: a\nsite: demo\nsteps:\n- goto: /\n- fill: {selector: '#i', secret: NO_SUCH}\n",
        "scenarios/mine.yaml:5: ",
        "NO_SUCH",
        "CHECKPOINT_SECRET_NO_SUCH",
    )


async def test_a_missing_secret_of_a_header_is_named(captures: Captures):
    await check_refused(
        captures,
        "name: a\nsite: demo\nextra_headers: {X-Key: {secret: NO_SUCH}}\nsteps:\n- goto: /\n",
        "scenarios/mine.yaml",
        "NO_SUCH",
    )


@pytest.mark.parametrize("engine", ["firefox", "webkit"])
async def test_what_cannot_be_captured_yet_is_named(captures: Captures, engine: str):
    text = f"name: a\nsite: demo\nengine: {engine}\nsteps:\n- goto: /\n"
    await check_refused(captures, text, "scenarios/mine.yaml", f"engine: {engine}")


async def test_a_site_that_cannot_be_served_is_named(pages: Pages, tmp_path: Path):
    scenario = parse_scenario("name: a\nsite: demo\nsteps:\n- goto: /\n")
    collector = DataCollector({"type": "memory"}, settings=capture_settings(pages))
    with pytest.raises(InvalidConfiguration, match="site 'demo'"):
        await collector.capture_scenario(scenario)


async def test_a_file_is_no_page(captures: Captures):
    with pytest.raises((InvalidScenario, InvalidUrl), match="file"):
        await captures.run({"goto": "/"}, start_url="file:///etc/passwd")


async def test_a_device_that_does_not_exist_is_named_with_the_nearest(captures: Captures):
    with pytest.raises(InvalidScenario, match="did you mean 'Pixel 7'"):
        await captures.run({"goto": "/"}, device="Pixl 7")


async def test_a_store_that_is_not_understood_is_refused(pages: Pages):
    with pytest.raises(InvalidConfiguration, match="storage_config"):
        DataCollector({"type": "tape"}, settings=capture_settings(pages))  # type: ignore[typeddict-item]


async def test_without_a_browser_the_session_says_how_to_get_one(
    pages: Pages, page: str, tmp_path: Path
):
    async with Captures(tmp_path, pages, chromium=Path("/nowhere/chromium")) as captures:
        manifest = await captures.run({"goto": page})
    check_incomplete(manifest, "/nowhere/chromium", "CHECKPOINT_CHROMIUM")
    assert manifest.steps == []


async def test_a_program_that_is_no_browser_is_named(pages: Pages, page: str, tmp_path: Path):
    before = descendants()
    async with Captures(
        tmp_path, pages, chromium=Path("/bin/true"), timeouts={"launch": 5}
    ) as captures:
        manifest = await captures.run({"goto": page})
    check_incomplete(manifest, "/bin/true does not start")
    assert await all_gone(before) == {}


# The store


class Stubborn:
    """A storage manager that waits before it stores, and then fails if it is told to."""

    def __init__(self, inner: StorageManager) -> None:
        self._inner = inner
        self.may_store = asyncio.Event()
        self.asked = asyncio.Event()
        self.fails = False

    async def connect(self) -> None:
        await self._inner.connect()

    async def store_step_data(self, *arguments: Any, **named: Any) -> dict[str, str | None]:
        self.asked.set()
        await self.may_store.wait()
        if self.fails:
            raise StorageError("the disk is on fire")
        return await self._inner.store_step_data(*arguments, **named)

    def list_backends(self) -> Sequence[str]:
        return self._inner.list_backends()

    async def close_session(
        self, session_id: str, state: SessionState, *, manifest: Mapping[str, Any] | None = None
    ) -> SessionManifest:
        return await self._inner.close_session(session_id, state, manifest=manifest)


async def stubborn(pages: Pages, folder: Path, **settings: Any) -> tuple[Captures, Stubborn]:
    made: list[Stubborn] = []

    def wrap(inner: StorageManager) -> IStorageManager:
        made.append(Stubborn(inner))
        return made[0]

    return Captures(folder, pages, storage=wrap, **settings), made[0]


class CountedPage:
    """A page that knows how often it was asked for."""

    def __init__(self, pages: Pages) -> None:
        self.asked = 0
        self.url = pages.add(self._answer)

    def _answer(self, _: Request) -> Response:
        self.asked += 1
        return Response(body=b"<p>x")

    async def asked_for(self, times: int) -> None:
        async with asyncio.timeout(30):
            while self.asked < times:
                await asyncio.sleep(0.01)


# One step is with the store, one in the queue, and with the third the browser has to wait.
FULL = 3


async def test_a_store_that_fails_while_steps_are_queued_ends_the_session(
    pages: Pages, tmp_path: Path
):
    captures, store = await stubborn(pages, tmp_path, queued_steps=1)
    page = CountedPage(pages)
    store.fails = True
    async with captures:
        running = asyncio.ensure_future(captures.run(*[{"goto": page.url}] * 6))
        await page.asked_for(FULL)
        store.may_store.set()
        with pytest.raises(StorageError, match="on fire"):
            await asyncio.wait_for(running, 10)
    (session,) = await captures.manager.list_sessions()
    manifest = await captures.manager.get_manifest(session)
    check_incomplete(manifest, "the disk is on fire")


async def test_a_slow_store_does_not_keep_a_cancelled_session(pages: Pages, tmp_path: Path):
    captures, store = await stubborn(pages, tmp_path, queued_steps=1)
    page = CountedPage(pages)
    async with captures:
        running = asyncio.ensure_future(captures.run(*[{"goto": page.url}] * 6))
        await page.asked_for(FULL)
        assert store.asked.is_set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 10)
    (session,) = await captures.manager.list_sessions()
    assert (await captures.manager.get_manifest(session)).state is SessionState.ABORTED


async def test_the_browser_waits_for_a_slow_store(pages: Pages, tmp_path: Path):
    captures, store = await stubborn(pages, tmp_path, queued_steps=1)
    page = CountedPage(pages)
    async with captures:
        running = asyncio.ensure_future(captures.run(*[{"goto": page.url}] * 6))
        await page.asked_for(FULL)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(page.asked_for(FULL + 1), 1)
        store.may_store.set()
        assert (await running).state is SessionState.COMPLETE
    assert page.asked == 6
