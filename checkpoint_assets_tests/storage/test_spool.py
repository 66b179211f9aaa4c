"""What is stored while S3 is away."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import (
    Conflict,
    S3ConfigError,
    StorageFull,
    StoreUnavailable,
)
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import Fault, FaultKind
from checkpoint_assets_tests.storage.spool_case import (
    SpoolSite,
    assert_whole,
    spool_of,
    spooling,
    step_ids,
    store_session,
    store_step,
    until,
)


async def test_step_is_spooled_while_nobody_answers(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        paths = await store_step(manager)
    assert paths["html_path"] == "s3://checkpoints/s1/0001-goto.html"
    assert await manager.spooled_sessions() == ["s1"]
    assert spool_site.stored() == []
    await manager.close()


@pytest.mark.parametrize("kind", ["slow_down", "internal_error", "reset", "hang"])
async def test_step_is_spooled_when_writes_fail_for_good(
    spool_site: SpoolSite, kind: FaultKind
) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault(kind, operation="PutObject", times=None))
    await store_step(manager)
    spool_site.server.clear_faults()
    assert await manager.spooled_sessions() == ["s1"]
    await assert_whole(manager, "s1", "0001-goto")


async def test_step_that_a_retry_saves_is_not_spooled(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("slow_down", operation="PutObject", key="*.html", times=1))
    await store_step(manager)
    assert await manager.spooled_sessions() == []
    assert not spool_site.spool_path.exists()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("forbidden", None),
        ("forbidden", "InvalidAccessKeyId"),
        ("forbidden", "SignatureDoesNotMatch"),
        ("forbidden", "ExpiredToken"),
        ("no_such_bucket", None),
    ],
)
async def test_wrong_configuration_is_no_outage(
    spool_site: SpoolSite, kind: FaultKind, code: str | None
) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault(kind, code=code, times=None))
    with pytest.raises(S3ConfigError):
        await store_step(manager)
    assert not spool_site.spool_path.exists()
    assert manager.get_storage_info()["spool"]["outage"] is None


@pytest.mark.parametrize("file", ["html", "webp", "action.json", "metadata.json"])
async def test_step_that_an_outage_cuts_short_is_whole_in_the_spool(
    spool_site: SpoolSite, file: str
) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(
        Fault("reset", operation="PutObject", key=f"s1/*.{file}", times=None),
        Fault("reset", operation="HeadObject", key=f"s1/*.{file}", times=None),
    )
    await store_step(manager)
    waiting = [
        info.key async for page in spool_of(manager).pending.list("") for info in page.objects
    ]
    assert waiting == [
        "s1/0001-goto.action.json",
        "s1/0001-goto.html",
        "s1/0001-goto.metadata.json",
        "s1/0001-goto.webp",
    ]
    spool_site.server.clear_faults()
    report = await manager.drain_spool()
    assert (report.steps, report.dead, report.failed) == (1, [], {})
    assert len(spool_site.stored()) == 4
    await assert_whole(spool_site.manager(), "s1", "0001-goto")


async def test_outage_is_warned_of_once(
    spool_site: SpoolSite, caplog: pytest.LogCaptureFixture
) -> None:
    with spool_site.server.away(), caplog.at_level(logging.INFO, "checkpoint_assets"):
        manager = spool_site.manager()
        for step_id in step_ids(5):
            await store_step(manager, "s1", step_id)
    warnings = [r.getMessage() for r in caplog.records if "is away" in r.getMessage()]
    assert len(warnings) == 1
    assert "s3://checkpoints is away" in warnings[0]
    await manager.close()


async def test_storage_info_shows_the_backlog(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    assert manager.get_storage_info()["spool"]["depth"] == 0
    with spool_site.server.away():
        for session_id in ("s1", "s2"):
            for step_id in step_ids(2):
                await store_step(manager, session_id, step_id)
    spool_site.clock.advance(timedelta(minutes=5))
    spool = manager.get_storage_info()["spool"]
    assert (spool["depth"], spool["sessions"], spool["files"], spool["dead"]) == (4, 2, 16, 0)
    assert spool["bytes"] > 500
    assert 250 < spool["oldest_age_seconds"] < 310
    assert "since" in spool["outage"]
    assert spool["counts"]["outage"] == 1
    assert spool["counts"]["spooled"] == 4
    await manager.close()


async def test_listener_is_told_what_happens(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
    await manager.drain_spool()
    kinds = [str(event.kind) for event in spool_site.events]
    assert kinds == ["outage", "spooled", "recovered", "drained"]
    assert spool_site.events[1].key == "s1/0001-goto.metadata.json"
    assert spool_site.events[1].size > 100


async def test_listener_that_fails_loses_nothing(spool_site: SpoolSite) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the metrics are down")

    manager = spool_site.manager(spool_listener=fail)
    with spool_site.server.away():
        await store_step(manager)
    assert await manager.spooled_sessions() == ["s1"]
    await manager.close()


async def test_known_outage_costs_no_request(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("slow_down", times=None))
    await store_step(manager, "s1", "0001-goto")
    spool_site.server.forget_requests()
    for step_id in step_ids(5)[1:]:
        await store_step(manager, "s2", step_id)
    assert spool_site.server.requests == []


async def test_probe_ends_the_outage(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager, "s1", "0001-goto")
    spool_site.clock.advance(timedelta(seconds=4))
    await store_step(manager, "s1", "0002-goto")
    assert spooling(manager).outage.since is not None
    spool_site.clock.advance(timedelta(seconds=2))
    await store_step(manager, "s1", "0003-goto")
    await until(lambda: spooling(manager).outage.since is None)
    await store_step(manager, "s1", "0004-goto")
    # Whether the third one still went to the spool depends on who was quicker, it or the probe.
    stored = {key for key in spool_site.stored() if key.endswith("html")}
    assert stored - {"s1/0003-goto.html"} == {"s1/0004-goto.html"}
    assert "recovered" in [str(event.kind) for event in spool_site.events]


async def test_probe_is_not_fooled_by_reads_that_work(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("slow_down", operation="PutObject", times=None))
    await store_step(manager, "s1", "0001-goto")
    spool_site.clock.advance(timedelta(seconds=6))
    spool_site.server.forget_requests()
    await store_step(manager, "s1", "0002-goto")
    await until(lambda: spool_site.server.counts["PutObject"] > 0)
    await manager.close()
    assert spooling(manager).outage.since is not None
    assert sum(spool_site.server.counts.values()) == 1


async def test_probe_that_nobody_answers_is_ended_with_the_manager(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("hang", times=None))
    await store_step(manager, "s1", "0001-goto")
    spool_site.clock.advance(timedelta(seconds=6))
    spool_site.server.forget_requests()
    await store_step(manager, "s1", "0002-goto")
    await until(lambda: spool_site.server.counts["PutObject"] > 0)
    await manager.close()
    spool_site.clock.advance(timedelta(seconds=6))
    assert spooling(manager).outage.probe_due()


async def test_connecting_works_while_s3_is_away(spool_site: SpoolSite) -> None:
    with spool_site.server.away():
        async with spool_site.manager() as manager:
            await store_step(manager)
            assert await manager.spooled_sessions() == ["s1"]


async def test_less_than_the_floor_is_storage_full(spool_site: SpoolSite) -> None:
    manager = spool_site.manager(spool_floor_bytes=1 << 60)
    with spool_site.server.away(), pytest.raises(StorageFull, match="are free for the spool"):
        await store_step(manager)
    assert not spool_site.spool_path.exists()
    await store_step(spool_site.manager())
    assert len(spool_site.stored()) == 4


async def test_session_begins_and_ends_in_the_spool(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_session(manager, "s1", 3)
        manifest = await manager.get_manifest("s1")
    assert manifest.state is SessionState.COMPLETE
    assert manifest.steps == step_ids(3)
    assert spool_site.stored() == []
    await manager.close()


async def test_manifest_waits_behind_its_steps(spool_site: SpoolSite) -> None:
    with spool_site.server.away():
        await store_step(manager := spool_site.manager())
        await manager.close()
    other = spool_site.manager()
    await store_step(other, "s1", "0002-goto")
    manifest = await other.close_session("s1")
    assert manifest.steps == step_ids(2)
    assert "s1/session.json" not in spool_site.stored()
    await other.drain_spool()
    assert "s1/session.json" in spool_site.stored()


async def test_same_step_again_is_a_success_and_another_a_conflict(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        await store_step(manager)
        with pytest.raises(Conflict):
            await store_step(manager, html_content="other")
    other = spool_site.manager()
    with pytest.raises(Conflict):
        await store_step(other, html_content="other")
    await store_step(other)
    assert manager.get_storage_info()["spool"]["depth"] == 1
    await manager.close()


async def test_pins_and_expiry_dates_are_never_spooled(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        with pytest.raises(StoreUnavailable):
            await manager.pin("s1", reason="evidence")
        with pytest.raises(StoreUnavailable):
            await manager.set_expiration("s1", ttl=timedelta(days=1))
        with pytest.raises(StoreUnavailable):
            await manager.write_object("_catalog/HEAD", b"{}", if_match='"x"')
    await manager.close()


async def test_derived_file_is_spooled_with_its_media_type(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        await manager.store_derived("s1", "report.txt", b"first", "text/plain")
        await manager.store_derived("s1", "report.txt", b"second", "text/plain")
        assert await manager.retrieve_derived("s1", "report.txt") == b"second"
    report = await manager.drain_spool()
    assert (report.steps, report.objects) == (1, 1)
    assert await spool_site.manager().retrieve_derived("s1", "report.txt") == b"second"
    info = await manager.store.stat("s1/_derived/report.txt")
    assert info.media_type == "text/plain"


async def test_replacing_a_step_is_refused_while_it_waits(spool_site: SpoolSite) -> None:
    spool_site.server.create_bucket("checkpoints", versioning=True)
    manager = spool_site.manager()
    await manager.connect()
    with spool_site.server.away():
        await store_step(manager)
    with pytest.raises(StoreUnavailable, match="waits in the spool"):
        await store_step(manager, html_content="other", replace=True)
    await manager.drain_spool()
    await store_step(manager, html_content="other", replace=True)
    assert (await manager.retrieve_step_data("s1", "0001-goto"))[0] == "other"


async def test_two_buckets_and_two_prefixes_never_share_a_spool(spool_site: SpoolSite) -> None:
    spool_site.server.create_bucket("other")
    managers: list[StorageManager] = [
        spool_site.manager(url)
        for url in ("s3://checkpoints", "s3://checkpoints/a", "s3://checkpoints/a/b", "s3://other")
    ]
    with spool_site.server.away():
        for number, manager in enumerate(managers):
            await store_step(manager, f"s{number}")
    assert len(list(spool_site.spool_path.iterdir())) == 4
    for number, manager in enumerate(managers):
        assert await manager.spooled_sessions() == [f"s{number}"]
        assert (await manager.drain_spool()).steps == 1
    assert "s3/0001-goto.html" in spool_site.server.objects("other")


async def test_spool_is_the_owners_alone(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        await manager.store_derived("s1", "report.txt", b"text")
    found = [spool_site.spool_path, *spool_site.spool_path.rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in found if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in found if path.is_file()} == {0o600}
    await manager.close()


async def test_replacing_during_an_outage_never_brings_a_deleted_session_back(
    spool_site: SpoolSite,
) -> None:
    manager, other = spool_site.manager(), spool_site.manager()
    await other.enable_versions()
    await store_step(other)
    with spool_site.server.away():
        await store_step(manager, "s2")
    # For the first manager the outage is not over yet.
    await other.delete_session("s1")
    with pytest.raises(Conflict, match="was deleted"):
        await store_step(manager, html_content="<p>new", replace=True)
    assert "s1/0001-goto.metadata.json" not in spool_site.stored()
