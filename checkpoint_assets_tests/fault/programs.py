"""The programs that meet in the explorer, each of them one call of the StorageManager."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import Conflict, NotFound, StoreUnavailable
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.explorer import Stage
from checkpoint_assets_tests.fault.invariants import assert_invariants
from checkpoint_assets_tests.fault.ledger import Content, Ledger, Step

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
STEP: Step = ("s1", "1")
OTHER: Step = ("s10", "1")
# Two artifacts are enough for a torn step; more only make more schedules of the same kind.
A: Content = ("<p>A", None, {"type": "A"}, {"by": "A"})
B: Content = ("<p>B", None, {"type": "B"}, {"by": "B"})

Act = Callable[["World", StorageManager], Coroutine[Any, Any, None]]
StoreStep = Callable[[StorageManager, Step, Content], Awaitable[object]]
RemoveStep = Callable[[StorageManager, Step], Awaitable[object]]


class World:
    """One store in memory that stands still in time, and the ledger of all who use it."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.store = MemoryStore(clock=self.clock)
        self.ledger = Ledger()
        self.outside = self.manager(self.store)

    def manager(self, store: Store) -> StorageManager:
        return StorageManager(store.url, store=store, clock=self.clock)

    async def check(self) -> None:
        await assert_invariants(self.outside, self.ledger)


async def store_step(manager: StorageManager, step: Step, content: Content) -> object:
    return await manager.store_step_data(*step, *content)


async def delete_step(manager: StorageManager, step: Step) -> object:
    return await manager.delete_step(*step)


async def delete_session(manager: StorageManager, step: Step) -> object:
    return await manager.delete_session(step[0])


def write(content: Content = A, *, by: StoreStep = store_step) -> Act:
    async def act(world: World, manager: StorageManager) -> None:
        entry = world.ledger.begin("store", STEP, content)
        try:
            await by(manager, STEP, content)
        except Conflict:
            world.ledger.end(entry, acknowledged=False)
        except StoreUnavailable:
            pass  # It may have been done, or be done later: the entry stays open.
        else:
            world.ledger.end(entry)

    return act


def remove(*, by: RemoveStep = delete_step) -> Act:
    async def act(world: World, manager: StorageManager) -> None:
        entry = world.ledger.begin("remove", STEP)
        try:
            await by(manager, STEP)
        except StoreUnavailable:
            pass
        else:
            world.ledger.end(entry)

    return act


async def read(world: World, manager: StorageManager) -> None:
    due = world.ledger.must_be(STEP)
    entry = world.ledger.begin("read", STEP)
    try:
        entry.content = await manager.retrieve_step_data(*STEP)
    except NotFound:
        assert due is None or world.ledger.must_be(STEP) is None, f"I2: {STEP} was not found"
    except StoreUnavailable:
        return
    world.ledger.end(entry)


Before = Callable[[World], Awaitable[None]]


async def nothing(world: World) -> None:
    """An empty session, and a neighbour that is nobody's business."""
    await store_step(world.outside, OTHER, A)
    world.ledger.stored(OTHER, A)
    async for page in world.store.list(f"{OTHER[0]}/"):
        for info in page.objects:
            world.ledger.untouched[info.key] = await world.store.get(info.key)


async def a_step(world: World) -> None:
    """The step is there."""
    await nothing(world)
    await store_step(world.outside, STEP, A)
    world.ledger.stored(STEP, A)


def meeting(
    before: Before,
    *acts: Act,
    wrap: Callable[[Store], Store] = lambda store: store,
    **explored: Any,
) -> Callable[[Stage], None]:
    """The world in which these programs meet. ``wrap`` changes how they all use the store."""

    def build(stage: Stage) -> None:
        world = World()

        async def set_up() -> None:
            await before(world)

        stage.now(set_up())
        for number, act in enumerate(acts, start=1):
            name = f"program {number}"
            manager = world.manager(wrap(stage.store(name, world.store, **explored)))
            stage.program(name, lambda act=act, manager=manager: act(world, manager))
        stage.always(world.check, sees=world.ledger.state)

    return build
