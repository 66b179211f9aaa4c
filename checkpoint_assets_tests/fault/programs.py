"""The programs that meet in a world, each of them one call of the StorageManager."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from checkpoint_assets.model.errors import (
    Conflict,
    DeleteRefused,
    NotFound,
    PartialFailure,
    StoreUnavailable,
)
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.explorer import Stage
from checkpoint_assets_tests.fault.ledger import Content, Step
from checkpoint_assets_tests.fault.world import STEP, A, World

Act = Callable[[World, StorageManager], Coroutine[Any, Any, None]]
StoreStep = Callable[[StorageManager, Step, Content], Awaitable[object]]
RemoveStep = Callable[[StorageManager, Step], Awaitable[object]]


async def store_step(manager: StorageManager, step: Step, content: Content) -> object:
    return await manager.store_step_data(*step, *content)


async def replace_step(manager: StorageManager, step: Step, content: Content) -> object:
    return await manager.store_step_data(*step, *content, replace=True)


async def delete_step(manager: StorageManager, step: Step) -> object:
    return await manager.delete_step(*step)


async def delete_session(manager: StorageManager, step: Step) -> object:
    return await manager.delete_session(step[0])


async def delete_for_good(manager: StorageManager, step: Step) -> object:
    return await manager.delete_step(*step, permanent=True)


async def delete_session_for_good(manager: StorageManager, step: Step) -> object:
    return await manager.delete_session(step[0], permanent=True)


def write(content: Content = A, *, by: StoreStep = store_step, step: Step = STEP) -> Act:
    """Stores the step. What nobody answered may have been done, or be done later."""

    async def act(world: World, manager: StorageManager) -> None:
        entry = world.ledger.begin("store", step, content, replaces=by is replace_step)
        try:
            await by(manager, step, content)
        except Conflict:
            world.ledger.refuse(entry)
        except StoreUnavailable:
            return
        else:
            world.ledger.end(entry)

    return act


def remove(*, by: RemoveStep = delete_step, soft: bool = True) -> Act:
    """Deletes the step."""

    async def act(world: World, manager: StorageManager) -> None:
        entry = world.ledger.begin("remove", STEP, soft=soft)
        try:
            await by(manager, STEP)
        except (StoreUnavailable, PartialFailure):
            return
        except (Conflict, DeleteRefused):
            world.ledger.refuse(entry)
        else:
            world.ledger.end(entry)

    return act


async def read(world: World, manager: StorageManager) -> None:
    """Reads the step; what was acknowledged before and is not being removed is found."""
    due = world.ledger.must_be(STEP)
    entry = world.ledger.begin("read", STEP)
    try:
        entry.content = await manager.retrieve_step_data(*STEP)
    except NotFound:
        assert not due or not world.ledger.must_be(STEP), f"I2: {STEP} was not found"
    except StoreUnavailable:
        return
    world.ledger.end(entry)


async def list_all(world: World, manager: StorageManager) -> None:
    """Lists sessions and steps; what was acknowledged before and is not being removed is there."""
    due = [step for step in world.ledger.steps() if world.ledger.must_be(step)]
    try:
        sessions = await manager.list_sessions()
        found = [(s, step) for s in sessions for step in await manager.list_steps_for_session(s)]
    except StoreUnavailable:
        return
    for step in due:
        assert step in found or not world.ledger.must_be(step), f"I2: {step} is not listed"


async def restore(world: World, manager: StorageManager) -> None:
    """Takes a delete back: from then on the step was stored as it was."""
    content = next((entry.content for entry in world.ledger.of(STEP, "store")), None)
    entry = world.ledger.begin("store", STEP, content)
    try:
        await manager.restore_step(*STEP)
    except (NotFound, Conflict):
        world.ledger.refuse(entry)
    except StoreUnavailable:
        return
    else:
        world.ledger.end(entry)


async def sweep(world: World, manager: StorageManager) -> None:
    """Removes for good what was deleted; of what is there it removes nothing."""
    try:
        await manager.sweep()
    except StoreUnavailable:
        return


async def expire(world: World, manager: StorageManager) -> None:
    """Removes what is due, and nothing else."""
    entries = [world.ledger.begin("remove", step, soft=True) for step in sorted(world.due)]
    try:
        report = await manager.apply_expirations()
    except StoreUnavailable:
        return
    done = {(expired.session_id, expired.step_id) for expired in report.expired}
    for entry in entries:
        if entry.step in done:
            world.ledger.end(entry)


async def drain(world: World, manager: StorageManager) -> None:
    """Takes what waits to the store. That changes nothing for anybody who reads."""
    try:
        await manager.drain_spool()
    except StoreUnavailable:
        return


async def repair(world: World, manager: StorageManager) -> None:
    """Moves what is wrong into the quarantine; what is whole stays where it is."""
    try:
        await manager.verify(repair=True)
    except StoreUnavailable:
        return


async def close(world: World, manager: StorageManager) -> None:
    """Writes the manifest."""
    try:
        await manager.close_session(STEP[0])
    except (Conflict, StoreUnavailable):
        return


async def pin(world: World, manager: StorageManager) -> None:
    """Holds the session: what is there afterwards can at least be restored, for ever."""
    try:
        await manager.pin(STEP[0], "a reason")
        content = await manager.retrieve_step_data(*STEP)
    except (Conflict, NotFound, StoreUnavailable):
        return
    held = world.ledger.begin("store", STEP, content)
    world.ledger.end(held)
    for entry in world.ledger.of(STEP, "remove"):
        entry.soft = True


def in_turn(*acts: Act) -> Act:
    """One after the other."""

    async def act(world: World, manager: StorageManager) -> None:
        for each in acts:
            await each(world, manager)

    return act


Before = Callable[[World], Awaitable[None]]


def meeting(before: Before, *acts: Act, **options: Any) -> Callable[[Stage], None]:
    """The world in which these programs meet; ``options`` are those of ``World``."""

    async def begin() -> World:
        world = World(**options)
        await before(world)
        return world

    # What is the same in every run is done once.
    first = asyncio.run(begin())

    def build(stage: Stage) -> None:
        world = stage.now(first.copy())
        for number, act in enumerate(acts, start=1):
            name = f"program {number}"
            manager = world.manager(stage, name)
            stage.program(name, lambda act=act, manager=manager: act(world, manager))
        stage.always(world.check, sees=world.ledger.state)
        stage.at_the_end(world.check_after_a_sweep)

    return build
