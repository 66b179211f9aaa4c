"""What a world is like before the programs meet in it."""

from __future__ import annotations

from datetime import timedelta

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import artifact_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets_tests.fault.world import DAY, OTHER, STEP, A, World


async def nothing(world: World) -> None:
    """No step; and a neighbour that is nobody's business."""
    await world.keep(OTHER, A)
    async for page in world.store.list(f"{OTHER[0]}/"):
        for info in page.objects:
            world.ledger.untouched[info.key] = await world.store.get(info.key)


async def a_step(world: World) -> None:
    """The step is there."""
    await nothing(world)
    await world.keep(STEP, A)


async def half_a_step(world: World) -> None:
    """Somebody died while the step was written: it has files, and no record."""
    await nothing(world)
    await _leave_files(world.store)


async def old_half_a_step(world: World) -> None:
    """The same, long ago."""
    await half_a_step(world)
    world.clock.advance(2 * DAY)


async def deleted(world: World) -> None:
    """The step was deleted a moment ago."""
    await a_step(world)
    entry = world.ledger.begin("remove", STEP, soft=True)
    await world.outside.delete_step(*STEP)
    world.ledger.end(entry)


async def deleted_long_ago(world: World) -> None:
    """The step was deleted, and is due to be swept."""
    await deleted(world)
    _no_way_back(world)


async def session_deleted(world: World) -> None:
    """The session was deleted a moment ago."""
    await a_step(world)
    entry = world.ledger.begin("remove", STEP, soft=True)
    await world.outside.delete_session(STEP[0])
    world.ledger.end(entry)


async def session_deleted_long_ago(world: World) -> None:
    """The session was deleted, and is due to be swept."""
    await session_deleted(world)
    _no_way_back(world)


async def expired(world: World) -> None:
    """The step is there, and its time is over."""
    await a_step(world)
    await world.outside.set_expiration(*STEP, ttl=timedelta(seconds=1))
    world.clock.advance(timedelta(seconds=2))
    world.due.add(STEP)


async def expired_and_pinned(world: World) -> None:
    """The step is there, its time is over, and nothing may remove it."""
    await expired(world)
    await world.outside.pin(STEP[0], "a reason")
    world.due.clear()


async def deleted_long_ago_and_pinned(world: World) -> None:
    """The step was deleted long ago, and pinned since."""
    await deleted(world)
    world.clock.advance(2 * DAY)
    await world.outside.pin(STEP[0], "a reason")


async def waiting(world: World) -> None:
    """The step waits in the spool."""
    await nothing(world)
    spooled = StorageManager(store=world.parts["pending"], clock=world.clock)
    await spooled.store_step_data(*STEP, *A)
    world.ledger.stored(STEP, A)


async def half_there_and_waiting(world: World) -> None:
    """The store went away while the step was written, so it is whole in the spool."""
    await waiting(world)
    await _leave_files(world.store)


async def _leave_files(store: Store) -> None:
    session_id, step_id = SessionId(STEP[0]), StepId(STEP[1])
    for artifact, data in ((Artifact.HTML, b"<p>A"), (Artifact.ACTION, b'{"type":"A"}')):
        key = artifact_key(session_id, step_id, artifact)
        await store.put(key, data, media_type="text/html", sha256=sha256_hex(data))


def _no_way_back(world: World) -> None:
    world.clock.advance(2 * DAY)
    for entry in world.ledger.of(STEP, "remove"):
        entry.soft = False
