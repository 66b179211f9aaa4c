"""The catalogue: what is appended is read, compacted or not, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pyarrow as pa
import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.columns import SESSION_COLUMNS, STEP_COLUMNS
from checkpoint_assets.catalogue.compaction import GRACE
from checkpoint_assets.model.errors import IntegrityError, InvalidInput, NotSupported
from checkpoint_assets.storage.capabilities import Capabilities
from checkpoint_assets.storage.keys import CATALOG_HEAD, catalog_key, catalog_prefix
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.catalogue.case import DAY, HOUR, START, Shop


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


async def test_an_empty_catalogue_has_all_columns(shop: Shop) -> None:
    steps, sessions = await shop.frames()

    assert (types(steps), types(sessions)) == (STEP_COLUMNS, SESSION_COLUMNS)
    assert len(steps) == len(sessions) == 0


async def test_what_was_appended_is_read_before_and_after_compaction(shop: Shop) -> None:
    for session in ("s2", "s1", "s10"):
        await shop.capture(session)
    before = await shop.frames()
    report = await shop.catalogue.compact()

    assert (report.sessions, report.steps, report.folded) == (3, 6, 3)
    for old, new in zip(before, await shop.frames(), strict=True):
        pd.testing.assert_frame_equal(old, new)
    assert await shop.ids() == ["s1", "s10", "s2"]
    assert types(before[0]) == STEP_COLUMNS


@pytest.mark.parametrize("compacted", [False, True])
async def test_a_session_that_is_appended_twice_is_there_once(shop: Shop, compacted: bool) -> None:
    await shop.capture("s1")
    if compacted:
        await shop.catalogue.compact()
    await shop.catalogue.append_session("s1", "run-1")

    assert len(await shop.catalogue.steps()) == 2


@pytest.mark.parametrize("compacted", [False, True])
async def test_deleted_pinned_and_expiring_is_mirrored(shop: Shop, compacted: bool) -> None:
    for session in ("s1", "s2", "s3", "s4"):
        await shop.capture(session)
    if compacted:
        await shop.catalogue.compact()
    await shop.storage.delete_session("s1")
    await shop.storage.pin("s2", "case 4711")
    await shop.storage.set_expiration("s3", expires_at=START + 9 * DAY)
    await shop.storage.set_expiration("s3", "0001-click", expires_at=START + DAY)
    await shop.catalogue.append_events(["s1", "s2", "s3"])

    steps, sessions = await shop.frames()
    assert list(sessions["session_id"]) == ["s2", "s3", "s4"]
    assert list(sessions["pinned"]) == [True, False, False]
    assert list(sessions["pin_reason"].dropna()) == ["case 4711"]
    assert list(steps["pinned"]) == [True] * 2 + [False] * 4
    assert list(steps["expires_at"].dropna()) == [START + DAY, START + 9 * DAY]
    await shop.assert_is_what_a_rebuild_says()


async def test_the_last_event_wins(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.storage.pin("s1", "mine")
    await shop.catalogue.append_events(["s1"])
    await shop.storage.unpin("s1")
    await shop.catalogue.append_events(["s1"])
    await shop.catalogue.compact()

    assert list((await shop.catalogue.sessions())["pinned"]) == [False]


@pytest.mark.parametrize("compacted", [False, True])
async def test_a_restored_session_is_back(shop: Shop, compacted: bool) -> None:
    await shop.capture("s1")
    await shop.storage.delete_session("s1")
    await shop.catalogue.append_events(["s1"])
    assert await shop.ids() == []
    if compacted:
        await shop.catalogue.compact()
    await shop.storage.restore_session("s1")
    await shop.catalogue.append_session("s1")

    assert await shop.ids() == ["s1"]
    await shop.catalogue.compact()
    await shop.assert_is_what_a_rebuild_says()


async def test_a_fragment_that_comes_late_brings_nothing_deleted_back(shop: Shop) -> None:
    await shop.capture("s1")
    (key,) = await shop.fragments()
    late = await shop.storage.read_object(key)
    await shop.storage.delete_session("s1")
    await shop.catalogue.append_events(["s1"])
    await shop.catalogue.compact()
    shop.clock.advance(2 * GRACE)
    await shop.catalogue.compact()
    assert await shop.fragments() == []

    await shop.storage.write_object(key, late.data)
    assert await shop.ids() == []
    await shop.catalogue.compact()
    assert await shop.ids() == []


async def test_a_deleted_step_is_gone_once_its_session_is_appended_again(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.catalogue.compact()
    await shop.storage.delete_step("s1", "0001-click")
    await shop.catalogue.append_session("s1")

    assert list((await shop.catalogue.steps())["step_id"]) == ["0002-click"]
    assert list((await shop.catalogue.sessions())["steps"]) == [1]


async def test_columns_ranges_times_and_filters_choose_rows(shop: Shop) -> None:
    for number in range(6):
        await shop.capture(f"s{number}")
        if number % 2:
            await shop.catalogue.compact()
        shop.clock.advance(DAY)

    async def sessions(**selection: object) -> list[str]:
        frame = await shop.catalogue.steps(
            columns=["session_id"],
            filters=[("selector", "==", "#b1")],
            **selection,  # pyright: ignore[reportArgumentType]
        )
        assert list(frame.columns) == ["session_id"]
        return list(frame["session_id"])

    assert await sessions() == [f"s{n}" for n in range(6)]
    assert await sessions(first="s1", last="s2") == ["s1", "s2"]
    assert await sessions(sessions=["s5", "s0", "nobody"]) == ["s0", "s5"]
    assert await sessions(since=START + 2 * DAY, until=START + 4 * DAY) == ["s2", "s3"]
    with pytest.raises(InvalidInput, match="no column price"):
        await shop.catalogue.steps(columns=["price"])


async def test_a_filter_sees_what_events_changed(shop: Shop) -> None:
    for session in ("s1", "s2"):
        await shop.capture(session)
    await shop.storage.pin("s1", "mine")
    await shop.catalogue.append_events(["s1"])
    await shop.catalogue.compact()
    await shop.storage.unpin("s1")
    await shop.storage.pin("s2", "yours")
    await shop.catalogue.append_events(["s1", "s2"])

    pinned = await shop.catalogue.sessions(filters=[("pinned", "==", True)])
    assert list(pinned["session_id"]) == ["s2"]


async def test_iterating_gives_the_same_rows_in_batches(shop: Shop) -> None:
    for session in ("s1", "s2", "s3"):
        await shop.capture(session, 5)
    await shop.catalogue.compact()
    await shop.capture("s4", 5)

    batches = [batch async for batch in shop.catalogue.iter("steps", 4)]
    assert max(len(batch) for batch in batches) == 4
    assert pa.Table.from_batches(batches).equals(await shop.catalogue.read("steps"))


async def test_fragments_go_when_they_were_published_for_the_grace_time(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.catalogue.compact()
    shop.clock.advance(GRACE - timedelta(seconds=1))
    await shop.catalogue.compact()
    assert len(await shop.fragments()) == 1

    shop.clock.advance(timedelta(seconds=2))
    assert (await shop.catalogue.compact()).removed == 1
    assert await shop.fragments() == []
    assert await shop.ids() == ["s1"]


async def test_files_of_earlier_states_go_after_the_grace_time(shop: Shop) -> None:
    for session in ("s1", "s2"):
        await shop.capture(session)
        await shop.catalogue.compact()
    files = [info.key async for info in shop.storage.iter_objects(catalog_prefix("steps"))]
    assert len(files) == 2  # a reader may still use the first one

    shop.clock.advance(2 * GRACE)
    await shop.catalogue.compact()
    files = [info.key async for info in shop.storage.iter_objects(catalog_prefix("steps"))]
    assert len(files) == 1


async def test_what_a_dead_compaction_left_is_swept(shop: Shop) -> None:
    key = catalog_key("steps", "dead-00000")
    await shop.storage.write_object(key, b"half a fi")
    await shop.capture("s1")
    shop.clock.advance(HOUR)
    await shop.catalogue.compact()
    assert (await shop.storage.read_object(key)).data  # it may be a compaction at work

    shop.clock.advance(2 * DAY)
    await shop.capture("s2")
    await shop.catalogue.compact()
    with pytest.raises(FileNotFoundError):
        await shop.storage.read_object(key)


async def test_rebuild_makes_the_same_from_the_store_alone(shop: Shop) -> None:
    for session in ("s1", "s2"):
        await shop.capture(session, append=False)
    await shop.storage.pin("s2", "mine")
    assert await shop.ids() == []

    report = await shop.catalogue.rebuild()
    assert report.sessions == 2
    assert list((await shop.catalogue.sessions())["pinned"]) == [False, True]


async def test_rebuild_drops_what_is_not_in_the_store(shop: Shop) -> None:
    for session in ("s1", "s2", "s3"):
        await shop.capture(session)
    await shop.catalogue.compact()
    await shop.storage.delete_session("s1")  # and nobody told the catalogue
    await shop.capture("s4")
    await shop.storage.delete_session("s4")
    await shop.catalogue.rebuild()

    assert await shop.ids() == ["s2", "s3"]


async def test_rebuild_keeps_what_is_appended_and_published_meanwhile(shop: Shop) -> None:
    await shop.capture("s1")
    other = Catalogue(shop.storage, clock=shop.clock)

    class Meanwhile(StorageManager):
        done = False

        async def get_manifest(self, session_id: str):  # the walk over the store has begun
            if not self.done:
                self.done = True
                await shop.capture("s0")
                await shop.capture("s9")
                await other.compact()
            return await super().get_manifest(session_id)

    storage = Meanwhile(shop.store.url, store=shop.store, clock=shop.clock)
    await Catalogue(storage, clock=shop.clock).rebuild()

    assert await shop.ids() == ["s0", "s1", "s9"]


async def test_damaged_session_keeps_its_rows_and_is_told(shop: Shop) -> None:
    for session in ("s1", "s2"):
        await shop.capture(session)
    await shop.catalogue.compact()
    key = "s1/0001-click.metadata.json"
    await shop.store.put(key, b"{", media_type="", sha256="", create=False)

    report = await shop.catalogue.rebuild()
    assert list(report.failed) == ["s1"]
    assert await shop.ids() == ["s1", "s2"]


@pytest.mark.parametrize("damage", ["head", "file", "missing file"])
async def test_damage_is_told_and_rebuild_mends_it(shop: Shop, damage: str) -> None:
    await shop.capture("s1")
    await shop.catalogue.compact()
    (key,) = [info.key async for info in shop.storage.iter_objects(catalog_prefix("steps"))]
    if damage == "missing file":
        await shop.storage.delete_objects([key])
    else:
        key = CATALOG_HEAD if damage == "head" else key
        data = (await shop.storage.read_object(key)).data
        await shop.storage.write_object(key, data[: len(data) // 2], create=False)

    with pytest.raises(IntegrityError, match="rebuild the catalogue"):
        await shop.catalogue.steps()
    await shop.catalogue.rebuild()
    assert len(await shop.catalogue.steps()) == 2


async def test_a_head_of_a_later_version_is_refused(shop: Shop) -> None:
    await shop.catalogue.compact()
    head = json.loads((await shop.storage.read_object(CATALOG_HEAD)).data)
    data = json.dumps({**head, "schema_version": 2}).encode()
    await shop.storage.write_object(CATALOG_HEAD, data, create=False)

    with pytest.raises(IntegrityError, match="upgrade the package"):
        await shop.catalogue.sessions()


async def test_without_conditional_writes_it_is_read_and_never_compacted(shop: Shop) -> None:
    class Plain(StorageManager):
        async def get_capabilities(self) -> Capabilities:
            return replace(await super().get_capabilities(), if_match=False)

    await shop.capture("s1")
    catalogue = Catalogue(Plain(shop.store.url, store=shop.store), clock=shop.clock)
    for work in (catalogue.compact, catalogue.rebuild):
        with pytest.raises(NotSupported, match="if-match"):
            await work()
    assert len(await catalogue.steps()) == 2


async def test_an_older_store_gets_its_catalogue_at_the_first_refresh(shop: Shop) -> None:
    await shop.capture("s1", append=False)
    await shop.capture("s2")
    await shop.catalogue.refresh()

    assert await shop.ids() == ["s1", "s2"]


async def test_only_files_with_a_changed_session_are_written_anew(shop: Shop) -> None:
    shop.catalogue = Catalogue(shop.storage, clock=shop.clock, file_rows=4)
    for number in range(8):
        await shop.capture(f"s{number}")
    await shop.catalogue.compact()
    keys = {info.key async for info in shop.storage.iter_objects(catalog_prefix("steps"))}
    assert len(keys) == 4

    await shop.storage.pin("s5", "mine")
    await shop.catalogue.append_events(["s5"])
    await shop.catalogue.compact()
    after = {info.key async for info in shop.storage.iter_objects(catalog_prefix("steps"))}
    assert len(after - keys) == 1
    assert len(await shop.catalogue.steps()) == 16
    await shop.assert_is_what_a_rebuild_says()
