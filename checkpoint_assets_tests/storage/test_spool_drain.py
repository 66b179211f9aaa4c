"""Draining: ordered, verified, resumable, and nothing is ever dropped."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import (
    IntegrityError,
    NotFound,
    NotSupported,
    S3ConfigError,
)
from checkpoint_assets.storage.capabilities import RESULT_KEY
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.spool_dead import list_dead
from checkpoint_assets.storage.spool_drain import drain_spool
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import ObjectInfo
from checkpoint_assets.storage.wrapper import WrappedStore
from checkpoint_assets.testing.faulty_s3 import Fault, FaultKind
from checkpoint_assets.testing.recording_store import RecordingStore
from checkpoint_assets_tests.storage.spool_case import (
    BUCKET,
    SpoolSite,
    assert_whole,
    spool_of,
    spooling,
    step_ids,
    store_session,
    store_step,
)


async def spool_sessions(site: SpoolSite, *sessions: str, count: int = 3) -> None:
    """Whole sessions wait, the first one longest."""
    manager = site.manager()
    with site.server.away():
        for session_id in sessions:
            await store_session(manager, session_id, count)
    await manager.close()


async def test_steps_go_in_order_their_records_after_their_files_and_the_manifest_last(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "s2", "s1")
    report = await spool_site.manager().drain_spool()
    assert (report.steps, report.manifests, report.remaining.files) == (6, 2, 0)
    written = spool_site.written()
    for session_id in ("s1", "s2"):
        own = [key for key in written if key.startswith(f"{session_id}/")]
        records = [key for key in own if key.endswith("metadata.json")]
        assert records == [f"{session_id}/{step}.metadata.json" for step in step_ids(3)]
        assert own[-1] == f"{session_id}/session.json"
        for step_id in step_ids(3):
            files = [key for key in own if step_id in key]
            assert files[-1].endswith("metadata.json")


async def test_sessions_of_different_ages_are_drained_by_age_not_by_name(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "b", "a", "c", count=1)
    manager = spool_site.manager()
    for _ in range(3):
        await manager.drain_spool(limit=1)
    records = [key for key in spool_site.written() if key.endswith("metadata.json")]
    assert [key[0] for key in records] == ["b", "a", "c"]


async def test_drained_sessions_are_as_they_were_given(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1")
    manager = spool_site.manager()
    waiting = await manager.get_manifest("s1")
    await manager.drain_spool()
    fresh = spool_site.manager()
    assert await fresh.get_manifest("s1") == waiting
    for step_id in step_ids(3):
        await assert_whole(fresh, "s1", step_id)
    info = await fresh.store.stat("s1/0001-goto.webp")
    assert info.media_type == "image/webp"
    assert (await fresh.verify(read_data=True)).findings == []


async def test_empty_spool_is_drained_at_once(spool_site: SpoolSite) -> None:
    report = await spool_site.manager().drain_spool()
    assert (report.steps, report.busy, report.stopped) == (0, False, None)
    assert spool_site.server.requests == []
    assert not spool_site.spool_path.exists()


async def test_nothing_is_left_on_disk_after_a_drain(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", "s2")
    manager = spool_site.manager()
    await manager.drain_spool()
    left = [path for path in spool_site.spool_path.rglob("*") if path.is_file()]
    assert {path.name for path in left if path.stat().st_size} == {"target.json"}
    assert {path.parent.name for path in left if not path.stat().st_size} == {"locks"}
    assert manager.get_storage_info()["spool"]["oldest_age_seconds"] is None


async def test_limit_ends_a_drain_and_the_next_goes_on(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1")
    manager = spool_site.manager()
    first = await manager.drain_spool(limit=2)
    assert (first.steps, first.manifests, first.remaining.steps) == (2, 0, 1)
    assert await manager.list_steps_for_session("s1") == step_ids(3)
    second = await manager.drain_spool()
    assert (second.steps, second.manifests, second.remaining.files) == (1, 1, 0)


async def test_manifest_of_a_session_that_straddles_the_outage_gets_all_its_steps(
    spool_site: SpoolSite,
) -> None:
    manager = spool_site.manager()
    await store_step(manager, "s1", "0001-goto")
    with spool_site.server.away():
        await store_step(manager, "s1", "0002-goto")
        waiting = await manager.close_session("s1", manifest={"scenario": "checkout"})
    assert waiting.steps == ["0002-goto"]
    await manager.drain_spool()
    drained = await spool_site.manager().get_manifest("s1")
    assert drained.steps == step_ids(2)
    assert drained.bytes > waiting.bytes
    assert (drained.state, drained.scenario) == (SessionState.COMPLETE, "checkout")
    assert drained.closed_at == waiting.closed_at


async def test_outage_in_the_middle_of_a_drain_loses_nothing(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", "s2")
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("slow_down", operation="PutObject", after=9, times=None))
    report = await manager.drain_spool()
    assert report.stopped is not None
    assert report.remaining.steps == 6
    assert spooling(manager).outage.since is not None
    for session_id in ("s1", "s2"):
        for step_id in step_ids(3):
            await assert_whole(manager, session_id, step_id)
    spool_site.server.clear_faults()
    again = await manager.drain_spool()
    assert (again.steps, again.manifests, again.dead, again.remaining.files) == (6, 2, [], 0)
    assert spooling(manager).outage.since is None
    assert (await spool_site.manager().verify(read_data=True)).findings == []


@pytest.mark.parametrize("kind", ["lost_ack", "reset", "slow_down", "internal_error"])
@pytest.mark.parametrize("file", ["html", "metadata.json", "session.json"])
async def test_single_fault_does_not_disturb_a_drain(
    spool_site: SpoolSite, kind: FaultKind, file: str
) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault(kind, operation="PutObject", key=f"s1/*{file}", times=1))
    report = await manager.drain_spool()
    assert (report.steps, report.manifests, report.dead, report.failed) == (1, 1, [], {})
    assert report.stopped is None
    assert (await spool_site.manager().verify(read_data=True)).findings == []


async def test_answers_that_are_always_lost_end_the_drain_and_the_next_completes_it(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(
        Fault("lost_ack", operation="PutObject", key="s1/*", times=None),
        Fault("reset", operation="HeadObject", key="s1/*", times=None),
    )
    assert (await manager.drain_spool()).stopped is not None
    spool_site.server.clear_faults()
    report = await manager.drain_spool()
    assert (report.steps, report.dead) == (1, [])


async def test_wrong_configuration_stops_the_drain_loudly(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1")
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.inject(Fault("forbidden", operation="PutObject", key="s1/*", times=None))
    with pytest.raises(S3ConfigError):
        await manager.drain_spool()
    assert manager.get_storage_info()["spool"]["depth"] == 3
    spool_site.server.clear_faults()
    assert (await manager.drain_spool()).steps == 3


async def test_bucket_without_create_only_writes_is_not_drained_into(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "s1")
    spool_site.server.inject(Fault("ignore_conditions", times=None))
    with pytest.raises(NotSupported):
        await spool_site.manager().drain_spool()
    assert RESULT_KEY in spool_site.server.objects(BUCKET)
    assert spool_site.stored() == []


async def test_step_that_is_in_s3_already_leaves_the_spool(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    # The same step, committed at another time from another place.
    spool_site.clock.advance(timedelta(seconds=90))
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    await store_step(elsewhere, "s1", "0001-goto")
    report = await spool_site.manager().drain_spool()
    assert (report.steps, report.dead) == (1, [])


async def test_conflict_is_set_aside_with_its_reason_and_the_rest_is_drained(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "s1", "s2")
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    await store_step(elsewhere, "s1", "0002-goto", html_content="other")
    manager = spool_site.manager()
    report = await manager.drain_spool()
    assert report.steps == 5
    assert [(dead.session_id, dead.step_id) for dead in report.dead] == [
        ("s1", "0002-goto"),
        ("s1", None),
    ]
    assert "exists with other bytes" in report.dead[0].reason
    assert report.dead[0].error == "Conflict"
    # Its session is not whole, so it gets no manifest that says so.
    assert "0002-goto" in report.dead[1].reason
    with pytest.raises(NotFound):
        await elsewhere.get_manifest("s1")
    assert (await elsewhere.get_manifest("s2")).state is SessionState.COMPLETE
    assert manager.get_storage_info()["spool"]["dead"] == 2
    assert [str(event.kind) for event in spool_site.events].count("dead") == 2
    assert len(await list_dead(spool_of(manager))) == 2
    folder = next(spool_site.spool_path.glob("*/dead/s1/0002-goto-*"))
    assert (folder / "s1" / "0002-goto.html").read_text().endswith("s1/0002-goto")
    assert json.loads((folder / "reason.json").read_text())["step_id"] == "0002-goto"


async def test_dead_step_is_tried_again_on_request(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1")
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    await store_step(elsewhere, "s1", "0002-goto", html_content="other")
    manager = spool_site.manager()
    await manager.drain_spool()
    assert len((await manager.drain_spool(retry_dead=True)).dead) == 2
    spool_site.server.create_bucket(BUCKET)
    report = await spool_site.manager().drain_spool(retry_dead=True)
    assert (report.revived, report.steps, report.manifests, report.dead) == (2, 1, 1, [])
    await assert_whole(spool_site.manager(), "s1", "0002-goto")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone"])
async def test_damaged_copy_is_set_aside_and_never_uploaded(
    spool_site: SpoolSite, damage: str
) -> None:
    await spool_sessions(spool_site, "s1", count=2)
    path = next(spool_site.spool_path.glob("*/pending/s1/0001-goto.html"))
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"flip": b"X" + data[1:], "cut": data[:-1], "empty": b""}[damage])
    manager = spool_site.manager()
    report = await manager.drain_spool()
    assert report.steps == 1
    assert [dead.error for dead in report.dead] == ["IntegrityError", "Conflict"]
    assert await manager.spooled_sessions() == []
    # Neither the damaged file nor a commit record that lists it was ever in the store.
    for key in ("s1/0001-goto.html", "s1/0001-goto.metadata.json", "s1/session.json"):
        assert key not in spool_site.stored()


async def test_record_that_does_not_parse_is_set_aside(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    next(spool_site.spool_path.glob("*/pending/s1/0001-goto.metadata.json")).write_bytes(b"{")
    report = await spool_site.manager().drain_spool()
    assert [dead.error for dead in report.dead] == ["IntegrityError", "Conflict"]
    assert spool_site.stored() == []


async def test_step_that_was_never_committed_waits_a_day_and_is_set_aside(
    spool_site: SpoolSite,
) -> None:
    await spool_sessions(spool_site, "s1", count=2)
    next(spool_site.spool_path.glob("*/pending/s1/0002-goto.metadata.json")).unlink()
    manager = spool_site.manager()
    report = await manager.drain_spool()
    assert (report.steps, report.dead) == (1, [])
    spool_site.clock.advance(timedelta(days=2))
    report = await manager.drain_spool()
    assert [dead.step_id for dead in report.dead] == ["0002-goto"]
    assert "never committed" in report.dead[0].reason
    assert await manager.spooled_sessions() == []


async def test_temporary_files_of_dead_writers_are_swept(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    folder = next(spool_site.spool_path.glob("*/pending"))
    old, young = folder / ".tmp-old", folder / ".tmp-young"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000,) * 2)
    await spool_site.manager().drain_spool()
    assert (old.exists(), young.exists()) == (False, True)


async def test_second_drainer_reports_that_it_did_nothing(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1")
    manager = spool_site.manager()
    await manager.connect()
    with spool_of(manager).locks.own() as owned:
        assert owned
        report = await spool_site.manager().drain_spool()
    assert report.busy
    assert (report.steps, report.remaining.steps) == (0, 3)
    assert (await manager.drain_spool()).steps == 3


async def test_drainers_and_writers_at_once_lose_nothing(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s0", count=10)
    managers = [spool_site.manager() for _ in range(4)]
    for manager in managers[:2]:
        # These believe in an outage, and spool while the others drain.
        spooling(manager).outage.begin(ConnectionError("told so"))

    async def write(number: int) -> None:
        for step_id in step_ids(10):
            await store_step(managers[number], f"s{number + 1}", step_id)

    async def drain(number: int) -> None:
        for _ in range(5):
            await managers[number].drain_spool()
            await asyncio.sleep(0)

    await asyncio.gather(write(0), write(1), drain(2), drain(3))
    await spool_site.manager().drain_spool()
    fresh = spool_site.manager()
    assert await fresh.spooled_sessions() == []
    for session_id in ("s0", "s1", "s2"):
        assert await fresh.list_steps_for_session(session_id) == step_ids(10)
    assert (await fresh.verify(read_data=True)).findings == []


class LyingStore(WrappedStore):
    """Acknowledges some writes, and does not do them."""

    async def put(self, key: str, data: bytes, **options: Any) -> ObjectInfo:
        if key.endswith(".webp"):
            return ObjectInfo(key, len(data), system_clock.now())
        return await super().put(key, data, **options)


class ForgetfulStore(WrappedStore):
    """Keeps neither digests nor MD5 etags, as a server may that encrypts."""

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return replace(await super().stat(key), sha256=None, etag="opaque")


async def test_copy_stays_until_the_store_itself_shows_the_object(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    spool = spool_of(spool_site.manager())
    honest = MemoryStore()
    report = await drain_spool(SpoolingStore(LyingStore(honest), spool))
    assert isinstance(report.failed["s1/0001-goto.webp"], IntegrityError)
    assert (report.steps, report.manifests, report.remaining.steps) == (0, 0, 1)
    report = await drain_spool(SpoolingStore(honest, spool))
    assert (report.steps, report.manifests, report.remaining.files) == (1, 1, 0)


async def test_object_is_read_back_where_the_store_tells_no_digest(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", count=1)
    inner = RecordingStore(MemoryStore())
    spool = spool_of(spool_site.manager())
    report = await drain_spool(SpoolingStore(ForgetfulStore(inner), spool))
    assert (report.steps, report.failed) == (1, {})
    assert "s1/0001-goto.webp" in inner.keys("fetch")


async def test_listing_vouches_for_what_was_sent(spool_site: SpoolSite) -> None:
    await spool_sessions(spool_site, "s1", "s2", count=5)
    manager = spool_site.manager()
    await manager.connect()
    spool_site.server.forget_requests()
    await manager.drain_spool()
    heads = [r.key for r in spool_site.server.requests if r.operation == "HeadObject"]
    # Only whether the sessions were deleted is asked for each.
    assert [key for key in heads if key[0] != "_"] == []


async def test_replaceable_file_does_not_overwrite_a_later_one(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    with spool_site.server.away():
        await store_step(manager)
        await manager.store_derived("s1", "report.txt", b"spooled", "text/plain")
    elsewhere = spool_site.manager(spool_path=spool_site.spool_path / "elsewhere")
    path = next(spool_site.spool_path.glob("*/pending/s1/_derived/report.txt"))
    os.utime(path, (time.time() - 60,) * 2)
    await elsewhere.store_derived("s1", "report.txt", b"later", "text/plain")
    report = await manager.drain_spool()
    assert (report.objects, report.remaining.files) == (1, 0)
    assert await elsewhere.retrieve_derived("s1", "report.txt") == b"later"


async def test_catalogue_fragments_and_views_are_drained_last(spool_site: SpoolSite) -> None:
    manager = spool_site.manager()
    fragment = "_catalog/fragments/date=2026-01-01/s1-run.parquet"
    with spool_site.server.away():
        await manager.write_object(fragment, b"PAR1", "application/vnd.apache.parquet")
        await manager.write_object("_views/a/b.json", b"{}", "application/json", create=False)
        await store_step(manager)
    report = await manager.drain_spool()
    assert (report.steps, report.objects) == (1, 2)
    assert spool_site.server.objects(BUCKET)[fragment] == b"PAR1"
    assert spool_site.server.objects(BUCKET)["_views/a/b.json"] == b"{}"
