"""Pause, resume, stop and cancel at every phase of a session in a real browser and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from checkpoint_assets.interfaces import IStorageManager
from checkpoint_assets.model.enums import CollectionStatus, EventType, SessionState, TaskStatus
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.children import all_gone, descendants
from checkpoint_assets_tests.collection.captures import Captures, check_readable
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STEPS = ["0001-goto", "0002-goto", "0003-goto", "0004-goto"]
# What a session is doing when somebody interferes.
PHASES = ["connect", "collect", "store", "last"]


class GatedStore:
    """A storage manager that holds the step that it is told to hold, until it may store it."""

    def __init__(self, inner: StorageManager) -> None:
        self._inner = inner
        self.held: str | None = None
        self.holding = asyncio.Event()
        self.may_store = asyncio.Event()

    async def connect(self) -> None:
        await self._inner.connect()

    async def store_step_data(
        self, session_id: str, step_id: str, **artifacts: Any
    ) -> dict[str, str | None]:
        if step_id == self.held:
            self.holding.set()
            await self.may_store.wait()
        return await self._inner.store_step_data(session_id, step_id, **artifacts)

    def list_backends(self) -> list[str]:
        return list(self._inner.list_backends())

    async def close_session(
        self, session_id: str, state: SessionState, *, manifest: Mapping[str, Any] | None = None
    ) -> SessionManifest:
        return await self._inner.close_session(session_id, state, manifest=manifest)


class Controlled:
    """Sessions of four pages that can be held in each phase."""

    def __init__(self, captures: Captures, store: GatedStore, pages: Pages) -> None:
        self.captures = captures
        self.store = store
        self.pages = pages
        self.collection = captures.collector.collection
        self.tasks = captures.collector.tasks

    async def begin(self, phase: str) -> tuple[str, asyncio.Future[SessionManifest]]:
        """A session that has come to that phase: its id, and what it will end with."""
        self.captures.told.clear()
        self.store.held = {"store": STEPS[0], "last": STEPS[-1]}.get(phase)
        self.store.holding.clear()
        self.store.may_store.clear()
        opened: list[str] = []

        def answer(request: Request) -> Response:
            opened.append(request.path)
            return Response(body=b"<title>A page</title><p>x")

        page = self.pages.add(answer)
        running = asyncio.ensure_future(self.captures.run(*[{"goto": page}] * 4))
        async with asyncio.timeout(30):
            while not self.collection.list_sources():
                await asyncio.sleep(0)
            (session_id,) = self.collection.list_sources()
            while phase == "collect" and not opened:
                await asyncio.sleep(0.002)
            if self.store.held is not None:
                await self.store.holding.wait()
        return session_id, running

    def told(self) -> list[EventType]:
        """What was told of the session, in order; not of its tasks."""
        tasks = (EventType.TASK_PROGRESS, EventType.TASK_COMPLETE)
        return [e.event_type for e in self.captures.told if e.event_type not in tasks]

    async def check_aborted(self, session_id: str) -> None:
        manager = self.captures.manager
        manifest = await manager.get_manifest(session_id)
        assert manifest.state is SessionState.ABORTED
        assert manifest.steps == STEPS[: len(manifest.steps)]
        await check_readable(self.captures, manifest)
        told = [e for e in self.captures.told if e.event_type is EventType.STEP_STORED]
        # What was told to be stored is there; what was being stored may be, too.
        assert {e.data["step_id"] for e in told} <= set(manifest.steps)
        kinds = self.told()
        assert (kinds[0], kinds[-1]) == (EventType.COLLECTION_START, EventType.COLLECTION_ERROR)
        assert self.collection.list_sources() == []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def controlled(
    pages: Pages, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Controlled]:
    before = descendants()
    stores: list[GatedStore] = []

    def gated(inner: StorageManager) -> IStorageManager:
        stores.append(GatedStore(inner))
        return stores[0]  # type: ignore[return-value] (what a collector needs of one)

    folder = tmp_path_factory.mktemp("controlled")
    async with Captures(folder, pages, storage=gated) as captures:
        yield Controlled(captures, stores[0], pages)
    assert await all_gone(before) == {}


@pytest_asyncio.fixture(loop_scope="session")
async def session(controlled: Controlled) -> AsyncIterator[Controlled]:
    """Whatever is done to a session leaves no task behind, and the next one is whole."""
    await controlled.captures.run({"goto": controlled.pages.add("<p>before")})
    before = asyncio.all_tasks()
    yield controlled
    controlled.store.held = None
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
    manifest = await controlled.captures.run({"goto": controlled.pages.add("<p>after")})
    assert manifest.state is SessionState.COMPLETE, manifest.reason


@pytest.mark.parametrize("phase", PHASES)
async def test_a_paused_session_goes_on_where_it_was(session: Controlled, phase: str) -> None:
    session_id, running = await session.begin(phase)
    await session.collection.pause(session_id)
    assert session.collection.get_status(session_id) is CollectionStatus.PAUSED
    session.store.may_store.set()
    await asyncio.sleep(0.3)
    assert not running.done()
    await session.collection.resume(session_id)
    manifest = await asyncio.wait_for(running, 30)
    assert (manifest.state, manifest.steps) == (SessionState.COMPLETE, STEPS)
    await check_readable(session.captures, manifest)
    kinds = session.told()
    paused, resumed = (
        kinds.index(EventType.COLLECTION_PAUSED),
        kinds.index(EventType.COLLECTION_RESUMED),
    )
    assert paused < resumed
    # The thing that was under way, and no other.
    assert kinds[paused:resumed].count(EventType.STEP_STORED) <= 1
    assert kinds.count(EventType.STEP_STORED) == 4
    assert kinds[-1] is EventType.COLLECTION_COMPLETE


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_stopped_session_keeps_what_was_committed(
    session: Controlled, phase: str, paused: bool
) -> None:
    session_id, running = await session.begin(phase)
    if paused:
        await session.collection.pause(session_id)
    stopping = asyncio.ensure_future(session.collection.stop(session_id))
    await asyncio.sleep(0.01)
    session.store.may_store.set()
    await asyncio.wait_for(stopping, 30)
    manifest = await asyncio.wait_for(running, 30)
    await session.check_aborted(session_id)
    # What was being stored is stored to its end.
    assert manifest.steps == {"store": STEPS[:1], "last": STEPS}.get(phase, manifest.steps)
    assert manifest.steps == [] or phase != "connect"


@pytest.mark.parametrize("by", ["caller", "task"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_cancelled_session_keeps_what_was_committed(
    session: Controlled, phase: str, by: str
) -> None:
    session_id, running = await session.begin(phase)
    upper, lower = session.tasks.list_tasks()[-2:]
    assert lower.parent_id == upper.task_id
    if by == "caller":
        running.cancel()
    else:
        await session.tasks.cancel_task(upper.task_id)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 30)
    await session.check_aborted(session_id)
    for task in (upper, lower):
        assert session.tasks.get_task(task.task_id).status is TaskStatus.CANCELLED
