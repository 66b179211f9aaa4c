"""Plans: only what is planned goes, and only if the truth still agrees."""

from __future__ import annotations

from datetime import timedelta

import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import (
    DeleteRefused,
    IntegrityError,
    InvalidInput,
    NotFound,
    StoreUnavailable,
)
from checkpoint_assets.retention.execute import RetentionReport, execute
from checkpoint_assets.retention.plan import DryRun, make_plan, read_plan
from checkpoint_assets.retention.policy import Policies, Policy
from checkpoint_assets.storage.keys import plan_key
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.catalogue.case import DAY, START, Shop

WEEK = Policies([Policy(name="week", keep_for=7 * DAY)])


async def plan_for(shop: Shop, policies: Policies = WEEK, **more: object) -> DryRun:
    return await make_plan(
        shop.storage,
        shop.catalogue,
        policies,
        clock=shop.clock,
        **{"most_share": 1.0, **more},  # pyright: ignore[reportArgumentType]
    )


async def run(shop: Shop, plan_id: str, **more: bool) -> RetentionReport:
    return await execute(shop.storage, shop.catalogue, plan_id, clock=shop.clock, **more)


async def old_and_new(shop: Shop) -> None:
    """Three sessions that are nine days old, and one of today."""
    for session in ("old-1", "old-2", "old-3"):
        await shop.capture(session)
    shop.clock.advance(9 * DAY)
    await shop.capture("new")


async def test_a_dry_run_says_why_for_every_session_and_deletes_nothing(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)

    assert dict(zip(dry.decisions["session_id"], dry.decisions["decision"], strict=True)) == {
        "new": "keep",
        "old-1": "delete",
        "old-2": "delete",
        "old-3": "delete",
    }
    assert dry.decisions["why"].notna().all()
    assert len(await shop.storage.list_sessions()) == 4
    doomed = dry.decisions["decision"] == "delete"
    assert (dry.plan.sessions, dry.plan.bytes) == (4, dry.decisions.loc[doomed, "bytes"].sum())


async def test_what_the_plan_names_goes_and_the_catalogue_follows(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    report = await run(shop, dry.plan.plan_id)

    assert report.deleted == ["old-1", "old-2", "old-3"]
    assert report.bytes == dry.plan.bytes
    assert await shop.storage.list_sessions() == ["new"]
    assert await shop.ids() == ["new"]
    await shop.storage.restore_session("old-1")  # for as long as the grace period lasts


async def test_the_plan_is_a_file_and_what_is_not_in_it_stays(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    shop.clock.advance(2 * DAY)
    await shop.capture("later")
    shop.clock.advance(3 * DAY)
    assert (await read_plan(shop.storage, dry.plan.plan_id)) == dry.plan

    await run(shop, dry.plan.plan_id)
    assert await shop.storage.list_sessions() == ["later", "new"]


async def test_executing_twice_changes_nothing_more(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    await run(shop, dry.plan.plan_id)
    await run(shop, dry.plan.plan_id)

    assert await shop.storage.list_sessions() == ["new"]
    await shop.assert_is_what_a_rebuild_says()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("pin", "pinned"),
        ("expiry", "its expiry was changed since it was planned"),
        ("captured anew", "changed since it was planned"),
        ("purged", "gone already"),
        ("open", "in flight: it was not closed yet"),
    ],
)
async def test_what_changed_since_it_was_planned_is_left_alone(
    shop: Shop, change: str, why: str
) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    match change:
        case "pin":
            await shop.storage.pin("old-1", "case 7")  # and nobody tells the catalogue
        case "expiry":
            await shop.storage.set_expiration("old-1", ttl=DAY)
        case _:
            await shop.storage.delete_session("old-1", permanent=True)
    if change == "captured anew":
        await shop.capture("old-1", append=False)
    if change == "open":
        await shop.storage.store_step_data("old-1", "0001-goto", html_content="<p>")

    report = await run(shop, dry.plan.plan_id)
    assert report.kept == {"old-1": why}
    assert report.deleted == ["old-2", "old-3"]
    await shop.catalogue.append_session("old-1")
    await shop.assert_is_what_a_rebuild_says()


async def test_a_session_that_waits_in_the_spool_is_left_alone(shop: Shop) -> None:
    class Spooling(StorageManager):
        async def spooled_sessions(self) -> list[str]:
            return ["old-2"]

    await old_and_new(shop)
    dry = await plan_for(shop)
    storage = Spooling(shop.store.url, store=shop.store, clock=shop.clock)
    report = await execute(storage, shop.catalogue, dry.plan.plan_id, clock=shop.clock)

    assert report.kept == {"old-2": "waits in the spool"}


async def test_a_failure_is_named_hurts_no_other_and_goes_with_the_next_run(shop: Shop) -> None:
    class Failing(StorageManager):
        broken = True

        async def delete_session(self, session_id: str, *, permanent: bool = False) -> None:
            if session_id == "old-2" and self.broken:
                raise StoreUnavailable("503 SlowDown")
            await super().delete_session(session_id, permanent=permanent)

    await old_and_new(shop)
    shop.storage = Failing(shop.store.url, store=shop.store, clock=shop.clock)
    shop.catalogue = Catalogue(shop.storage, clock=shop.clock)
    report = await run(shop, (await plan_for(shop)).plan.plan_id)
    assert list(report.failed) == ["old-2"]
    assert report.deleted == ["old-1", "old-3"]

    Failing.broken = False
    report = await run(shop, (await plan_for(shop)).plan.plan_id)
    assert report.deleted == ["old-2"]
    await shop.assert_is_what_a_rebuild_says()


async def test_a_plan_for_too_many_is_refused_unless_somebody_insists(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop, most_share=0.2)
    assert dry.plan.refused == "it deletes 3 of 4 sessions, more than 20%"

    with pytest.raises(DeleteRefused, match="more than 20%"):
        await run(shop, dry.plan.plan_id)
    assert len(await shop.storage.list_sessions()) == 4
    await run(shop, dry.plan.plan_id, insist=True)
    assert await shop.storage.list_sessions() == ["new"]


async def test_a_policy_below_the_floor_is_refused_unless_the_floor_is_lowered(shop: Shop) -> None:
    hour = Policies([Policy(name="hour", keep_for=timedelta(hours=1))])
    with pytest.raises(InvalidInput, match="less than 1 day"):
        await plan_for(shop, hour)
    await plan_for(shop, hour, floor=timedelta(minutes=5))


async def test_an_old_plan_is_not_executed(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    shop.clock.advance(8 * DAY)
    with pytest.raises(DeleteRefused, match="make a new one"):
        await run(shop, dry.plan.plan_id)


async def test_clocks_that_disagree_delete_nothing(shop: Shop) -> None:
    await old_and_new(shop)
    dry = await plan_for(shop)
    wrong = ManualClock(START + 8 * DAY)
    with pytest.raises(DeleteRefused, match="clock"):
        await make_plan(shop.storage, shop.catalogue, WEEK, clock=wrong)
    with pytest.raises(DeleteRefused, match="clock"):
        await execute(shop.storage, shop.catalogue, dry.plan.plan_id, clock=wrong)
    assert len(await shop.storage.list_sessions()) == 4


async def test_no_plan_no_execution(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await run(shop, "nobody")
    await shop.storage.write_object(plan_key("x"), b'{"schema_version":1}')
    with pytest.raises(IntegrityError, match="no plan"):
        await run(shop, "x")
