"""The explorer itself: what it counts, what it kills, and what it finds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from checkpoint_assets.model.errors import Conflict, NotFound, StoreUnavailable
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.explorer import Stage, Violation, explore
from checkpoint_assets.testing.exploring.store import DeleteOrder


async def put(store: Store, key: str, data: bytes = b"x", *, create: bool = True) -> None:
    await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), create=create)


async def keys(store: Store) -> list[str]:
    return [info.key async for page in store.list("") for info in page.objects]


def putters(*programs: list[str]) -> Callable[[Stage], None]:
    """Programs that each put some keys, one after the other."""

    def build(stage: Stage) -> None:
        shelf = MemoryStore()

        def program(name: str, wanted: list[str]) -> None:
            store = stage.store(name, shelf)

            async def run() -> None:
                for key in wanted:
                    await put(store, key)

            stage.program(name, run)

        for number, wanted in enumerate(programs):
            program(f"program {number}", wanted)

    return build


def test_all_schedules_are_counted():
    assert explore(putters(["a", "b"]), kills=0).schedules == 1
    assert explore(putters(["a"], ["b"]), kills=0).schedules == 2
    assert explore(putters(["a", "b"], ["c", "d"]), kills=0).schedules == 6
    assert explore(putters(["a", "b"], ["c", "d"], ["e", "f"]), kills=0).schedules == 90


def test_schedules_that_lead_to_the_same_state_are_followed_once():
    found = explore(putters(["a", "b", "c"], ["d", "e", "f"]), kills=0)
    assert (found.states, found.schedules) == (16, 20)


def test_order_of_writes_to_one_key_makes_another_state():
    seen: set[bytes] = set()

    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        for name in ("one", "two"):
            store = stage.store(name, shelf)
            stage.program(
                name, lambda store=store, name=name: put(store, "k", name.encode(), create=False)
            )

        async def look() -> None:
            seen.add(await shelf.get("k"))

        stage.at_the_end(look)

    explore(build, kills=0)
    assert seen == {b"one", b"two"}


def test_a_kill_comes_before_any_operation_and_what_was_on_its_way_may_still_be_done():
    ends: set[tuple[str, ...]] = set()

    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        store = stage.store("writer", shelf)

        async def run() -> None:
            await asyncio.gather(put(store, "a"), put(store, "b"))
            await put(store, "c")

        async def look() -> None:
            ends.add(tuple(await keys(shelf)))

        stage.program("writer", run)
        stage.at_the_end(look)

    assert explore(build, kills=1).crashes
    assert ends == {(), ("a",), ("b",), ("a", "b"), ("a", "b", "c")}


def test_a_killed_program_does_nothing_more():
    done: list[str] = []

    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        store = stage.store("writer", shelf)
        done.clear()

        async def run() -> None:
            try:
                await put(store, "a")
            finally:
                done.append("cleaned up")

        async def look() -> None:
            assert bool(done) == bool(stage.actors[0].task.done())

        stage.program("writer", run)
        stage.at_the_end(look)

    explore(build, kills=1)


def test_an_answer_can_be_lost_and_an_operation_refused():
    outcomes: set[tuple[bool, bool]] = set()

    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        store = stage.store("writer", shelf)
        told = [True]

        async def run() -> None:
            try:
                await put(store, "a")
            except StoreUnavailable as error:
                told[0] = error.key != "a"

        async def look() -> None:
            outcomes.add((told[0], bool(await keys(shelf))))

        stage.program("writer", run)
        stage.at_the_end(look)

    explore(build, kills=0)
    assert outcomes == {(True, True)}
    explore(build, kills=0, lost=1, refused=1)
    assert outcomes == {(True, True), (False, True), (False, False)}


def test_violation_tells_the_schedule():
    def build(stage: Stage) -> None:
        putters(["a"], ["b"])(stage)
        shelf = MemoryStore()
        store = stage.store("third", shelf)
        stage.program("third", lambda: put(store, "c"))

        async def nothing_is_there() -> None:
            assert not await keys(shelf), "there is something"

        stage.always(nothing_is_there)

    with pytest.raises(Violation, match="there is something") as caught:
        explore(build)
    assert caught.value.trace[-1] == "third: put c"


def test_program_that_raises_is_a_violation():
    with pytest.raises(Violation, match="raised Conflict: a exists"):
        explore(putters(["a"], ["a"]), kills=0)


def test_program_that_waits_for_ever_is_a_violation():
    def build(stage: Stage) -> None:
        async def run() -> None:
            await asyncio.Event().wait()

        stage.program("idler", run)

    with pytest.raises(Violation, match="idler wait for ever"):
        explore(build)


def test_time_passes_when_nobody_waits_for_a_store():
    def build(stage: Stage) -> None:
        store = stage.store("patient", MemoryStore())

        async def run() -> None:
            await put(store, "a")
            await asyncio.sleep(3600)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await asyncio.sleep(3600)
            async with asyncio.timeout(60):
                await put(store, "b")

        stage.program("patient", run)

    assert explore(build, kills=0).schedules == 1


def test_work_for_threads_is_done_on_the_spot():
    def build(stage: Stage) -> None:
        store = stage.store("hasher", MemoryStore())

        async def run() -> None:
            await put(store, await asyncio.to_thread(sha256_hex, b"x"))

        stage.program("hasher", run)

    assert explore(build, kills=0).states == 2


def test_world_that_depends_on_chance_is_told():
    def build(stage: Stage) -> None:
        putters([str(random.random())], [str(random.random())])(stage)

    with pytest.raises(RuntimeError, match="depends on time or chance"):
        explore(build)


def test_world_that_is_too_large_is_told():
    with pytest.raises(RuntimeError, match="more than 5 states"):
        explore(putters(["a", "b", "c"], ["d", "e", "f"]), most_states=5)


def test_keys_of_one_delete_go_one_by_one_in_either_order():
    halves: set[tuple[str, ...]] = set()

    def build(stage: Stage, order: DeleteOrder) -> None:
        shelf = MemoryStore()

        async def before() -> None:
            await put(shelf, "a")
            await put(shelf, "b")

        async def look() -> None:
            halves.add(tuple(await keys(shelf)))

        stage.now(before())
        store = stage.store("deleter", shelf, delete_order=order)

        async def delete() -> None:
            report = await store.delete(["a", "b", "absent"])
            assert set(report.deleted) == {"a", "b", "absent"}

        stage.program("deleter", delete)
        stage.always(look)

    explore(lambda stage: build(stage, "given"))
    assert halves == {("a", "b"), ("b",), ()}
    explore(lambda stage: build(stage, "reversed"))
    assert halves == {("a", "b"), ("b",), ("a",), ()}


def test_the_store_may_change_between_the_pages_of_a_listing():
    listings: set[tuple[str, ...]] = set()

    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        for key in ("a", "d"):
            stage.now(put(shelf, key))
        lister = stage.store("lister", shelf, page=1)
        writer = stage.store("writer", shelf)

        async def look() -> None:
            listings.add(tuple(await keys(lister)))

        stage.program("lister", look)

        async def move() -> None:
            await put(writer, "b")
            await writer.delete(["d"])

        stage.program("writer", move)

    explore(build, kills=0)
    assert listings == {("a", "d"), ("a", "b", "d"), ("a", "b")}


def test_it_runs_inside_a_running_event_loop():
    async def outer() -> int:
        before = asyncio.get_running_loop()
        found = explore(putters(["a"], ["b"]), kills=0).schedules
        assert asyncio.get_running_loop() is before
        await asyncio.sleep(0)
        return found

    assert asyncio.run(outer()) == 2


def test_reads_tell_programs_apart():
    def build(stage: Stage) -> None:
        shelf = MemoryStore()
        reader, writer = stage.store("reader", shelf), stage.store("writer", shelf)

        async def read() -> None:
            for _ in range(2):
                try:
                    await reader.get("a")
                except NotFound:
                    continue

        stage.program("reader", read)
        stage.program("writer", lambda: put(writer, "a"))

    # The writer is first, between or last: three pasts of the reader, none of them like another.
    found = explore(build, kills=0)
    assert (found.schedules, found.states) == (3, 9)


def test_conflict_is_told_to_the_program_as_the_store_says_it():
    def build(stage: Stage) -> None:
        shelf = MemoryStore()

        def program(name: str) -> None:
            store = stage.store(name, shelf)

            async def run() -> None:
                try:
                    await put(store, "a", name.encode())
                except Conflict:
                    assert await store.get("a") != name.encode()

            stage.program(name, run)

        program("one")
        program("two")

    assert explore(build).schedules
