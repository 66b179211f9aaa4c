"""Reading, listing and deleting what waits in the spool."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.errors import Conflict, NotFound, StoreUnavailable
from checkpoint_assets.storage.completeness import incomplete_steps
from checkpoint_assets.storage.retrying import RetryPolicy
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault
from checkpoint_assets_tests.storage.spool_case import (
    WEBP,
    SpoolSite,
    assert_whole,
    spool_of,
    step_ids,
    store_session,
    store_step,
    until,
)


async def spooled(site: SpoolSite, session_id: str = "s1", count: int = 1) -> None:
    """So many steps wait, and no manager knows of an outage."""
    manager = site.manager()
    with site.server.away():
        for step_id in step_ids(count):
            await store_step(manager, session_id, step_id)
    await manager.close()


async def test_spooled_step_is_read_back_during_the_outage(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        await assert_whole(manager, "s1", "0001-goto")
        record = await manager.get_commit_record("s1", "0001-goto")
        assert record.artifacts["screenshot"].size == len(WEBP)
        chunks = [c async for c in manager.open_artifact("s1", "0001-goto", "screenshot")]
        assert b"".join(chunks) == WEBP
    await manager.close()


async def test_spooled_step_is_read_by_another_process_and_after_the_outage(
    spool_site: SpoolSite,
) -> None:
    await spooled(spool_site)
    with spool_site.server.away():
        await assert_whole(spool_site.manager(), "s1", "0001-goto")
    await assert_whole(spool_site.manager(), "s1", "0001-goto")


async def test_step_reads_the_same_before_and_after_the_drain(spool_site: SpoolSite) -> None:
    await spooled(spool_site)
    manager = spool_site.manager()
    before = await manager.get_commit_record("s1", "0001-goto")
    await manager.drain_spool()
    assert await manager.spooled_sessions() == []
    assert await spool_site.manager().get_commit_record("s1", "0001-goto") == before
    await assert_whole(manager, "s1", "0001-goto")


async def test_step_is_read_from_one_place_although_s3_has_other_files(
    spool_site: SpoolSite,
) -> None:
    manager = spool_site.manager()
    await manager.connect()
    # A writer of the same step died before it could commit.
    spool_site.server.inject(
        Fault("forbidden", operation="PutObject", key="*.metadata.json", times=1)
    )
    with pytest.raises(Exception, match="writing"):
        await store_step(manager, html_content="of the dead writer")
    await spooled(spool_site)
    await assert_whole(spool_site.manager(), "s1", "0001-goto")


async def test_what_is_only_in_s3_raises_during_the_outage(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await store_step(manager)
    with spool_site.server.away():
        with pytest.raises(StoreUnavailable):
            await manager.retrieve_step_data("s1", "0001-goto")
        await store_step(manager, "s1", "0002-goto")
        with pytest.raises(StoreUnavailable):
            await manager.retrieve_step_data("s1", "0001-goto")
    await manager.close()


async def test_one_read_waits_for_a_store_that_is_silent_and_the_next_ones_do_not(
    spool_site: SpoolSite,
) -> None:
    patient = RetryPolicy(attempts=1, deadline=3.2)
    manager = spool_site.manager(clock=system_clock, retry=patient)
    await store_step(manager)
    await store_step(manager, "s2")
    spool_site.server.inject(Fault("hang", times=None))
    with pytest.raises(StoreUnavailable):
        await manager.retrieve_step_data("s1", "0001-goto")
    spool_site.server.forget_requests()
    for session_id in ("s1", "s2"):
        with pytest.raises(StoreUnavailable, match="is away"):
            await manager.retrieve_step_data(session_id, "0001-goto")
        with pytest.raises(StoreUnavailable, match="is away"):
            await manager.list_steps_for_session(session_id)
    assert spool_site.server.requests == []
    spool_site.server.clear_faults()

    async def answers() -> bool:
        with contextlib.suppress(StoreUnavailable):
            await assert_whole(manager, "s2", "0001-goto")
            return True
        return False

    await until(answers)
    await manager.close()


async def test_absent_step_of_a_spooled_session_is_not_found(spool_site: SpoolSite) -> None:
    await spooled(spool_site)
    manager = spool_site.manager()
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("s1", "0002-goto")
    with spool_site.server.away(), pytest.raises(StoreUnavailable):
        await manager.retrieve_step_data("s1", "0002-goto")
    await manager.close()


async def test_listings_show_both_places_in_order_and_once(spool_site: SpoolSite) -> None:
    direct = spool_site.manager()
    await store_step(direct, "s1", "0001-goto")
    await store_step(direct, "s3", "0001-goto")
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager, "s1", "0001-goto")
        await store_step(manager, "s1", "0003-goto")
        await store_step(manager, "s2", "0001-goto")
    await store_step(direct, "s1", "0002-goto")
    fresh = spool_site.manager()
    assert await fresh.list_sessions() == ["s1", "s2", "s3"]
    assert await fresh.list_steps_for_session("s1") == step_ids(3)
    assert await fresh.list_sessions(after="s1", limit=1) == ["s2"]
    assert await fresh.list_steps_for_session("s1", after="0001-goto") == step_ids(3)[1:]
    await manager.close()


async def test_session_in_the_spool_is_listed_during_the_outage(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_session(manager, "s1", 3)
        assert await manager.list_steps_for_session("s1") == step_ids(3)
        assert await incomplete_steps(manager, await manager.get_manifest("s1")) == {}
        with pytest.raises(StoreUnavailable):
            await manager.list_sessions()
        with pytest.raises(StoreUnavailable):
            await manager.list_steps_for_session("s2")
    await manager.close()


async def test_half_of_a_session_is_never_listed_as_the_whole(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await store_step(manager, "s1", "0001-goto")
    with spool_site.server.away():
        await store_step(manager, "s1", "0002-goto")
        for any_manager in (manager, spool_site.manager()):
            with pytest.raises(StoreUnavailable):
                await any_manager.list_steps_for_session("s1")
        await manager.close_session("s1")
    await manager.drain_spool()
    assert (await manager.get_manifest("s1")).steps == step_ids(2)


async def test_deleted_step_leaves_the_spool_and_is_not_drained(spool_site: SpoolSite) -> None:
    await spooled(spool_site, count=2)
    manager = spool_site.manager()
    await manager.delete_step("s1", "0001-goto", permanent=True)
    assert await manager.list_steps_for_session("s1") == ["0002-goto"]
    await manager.drain_spool()
    assert await manager.list_steps_for_session("s1") == ["0002-goto"]
    assert not [key for key in spool_site.stored() if "0001" in key]


async def test_deleted_session_leaves_the_spool(spool_site: SpoolSite) -> None:
    await spooled(spool_site, count=2)
    manager = spool_site.manager()
    await manager.delete_session("s1", permanent=True)
    assert await manager.spooled_sessions() == []
    await manager.drain_spool()
    assert spool_site.stored() == []


async def test_spooled_step_that_was_deleted_can_be_restored(spool_site: SpoolSite) -> None:
    await spooled(spool_site, count=2)
    manager = spool_site.manager()
    await manager.delete_step("s1", "0001-goto")
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("s1", "0001-goto")
    spool_site.clock.advance(timedelta(days=3))
    await manager.drain_spool()
    assert [key for key in spool_site.stored() if "0001" in key] == []
    await manager.restore_step("s1", "0001-goto")
    await assert_whole(manager, "s1", "0001-goto")
    await manager.drain_spool()
    await assert_whole(spool_site.manager(), "s1", "0001-goto")
    assert await manager.spooled_sessions() == []


async def test_delete_during_the_outage_says_that_it_did_not_happen(
    spool_site: SpoolSite,
) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        with pytest.raises(StoreUnavailable):
            await manager.delete_session("s1", permanent=True)
        await assert_whole(manager, "s1", "0001-goto")
    await manager.close()


async def test_step_deleted_elsewhere_is_not_brought_back_by_the_drain(
    spool_site: SpoolSite,
) -> None:
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    await store_step(elsewhere, "s1", "0001-goto")
    spool_site.clock.advance(timedelta(seconds=1))
    await spooled(spool_site, count=2)
    await elsewhere.delete_session("s1")
    report = await spool_site.manager().drain_spool()
    assert [dead.step_id for dead in report.dead] == step_ids(2)
    assert "deleted" in report.dead[0].reason
    assert await elsewhere.list_sessions() == []


async def test_deleting_a_session_removes_what_is_dead_of_it(spool_site: SpoolSite) -> None:
    await spooled(spool_site)
    await store_step(
        spool_site.manager(spool_path=spool_site.spool_path / "elsewhere"), html_content="other"
    )
    manager = spool_site.manager()
    assert len((await manager.drain_spool()).dead) == 1
    await manager.delete_session("s1", permanent=True)
    assert manager.get_storage_info()["spool"]["dead"] == 0
    assert list(spool_site.spool_path.rglob("*.html")) == []


async def test_session_that_waits_does_not_expire(spool_site: SpoolSite) -> None:
    await spooled(spool_site)
    manager = spool_site.manager()
    await manager.set_expiration("s1", expires_at=spool_site.clock.now() - timedelta(minutes=1))
    report = await manager.apply_expirations()
    assert report.expired == []
    assert "waits in the spool" in str(report.failed["s1"])
    await manager.drain_spool()
    assert [expired.session_id for expired in (await manager.apply_expirations()).expired] == ["s1"]


@pytest.mark.parametrize("layout", ["flat", "nested"])
async def test_both_layouts_are_spooled_and_drained(spool_site: SpoolSite, layout: str) -> None:
    manager = spool_site.manager(layout=layout)
    with spool_site.server.away():
        await store_session(manager, "s1", 2)
        await assert_whole(manager, "s1", "0001-goto")
    report = await manager.drain_spool()
    assert (report.steps, report.manifests) == (2, 1)
    await assert_whole(spool_site.manager(), "s1", "0002-goto")


async def test_conflicting_writes_in_both_places_are_told_from_each_other(
    spool_site: SpoolSite,
) -> None:
    await spooled(spool_site)
    elsewhere: StorageManager = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    await store_step(elsewhere, html_content="other")
    # Whoever has the spool reads what it acknowledged, until it knows better.
    here = spool_site.manager()
    await assert_whole(here, "s1", "0001-goto")
    await here.drain_spool()
    assert (await here.retrieve_step_data("s1", "0001-goto"))[0] == "other"
    with pytest.raises(Conflict):
        await store_step(here)
    assert spool_of(here).dead_count() == 1
