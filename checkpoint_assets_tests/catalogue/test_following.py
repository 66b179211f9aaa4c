"""Whoever changes a session tells the catalogue: a drain does, and batches name what failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.errors import IntegrityError, PartialFailure
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.catalogue.case import Shop
from checkpoint_assets_tests.storage.spool_case import BUCKET, SpoolSite, store_session


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SpoolSite]:
    """An empty bucket on a server that can be away, and a spool before it."""
    with FaultyS3(buckets=[BUCKET]) as server:
        client = boto3.Session("test", "test", region_name="us-west-2").client(
            "s3", endpoint_url=server.endpoint_url
        )
        yield SpoolSite(server, client, tmp_path)


async def spooled(site: SpoolSite, *sessions: str) -> StorageManager:
    """A manager for which these sessions wait while the bucket is back."""
    before = site.manager()
    with site.server.away():
        for session in sessions:
            await store_session(before, session, 2)
    await before.close()
    return site.manager()


async def test_what_is_drained_is_in_the_catalogue(site: SpoolSite) -> None:
    storage = await spooled(site, "s1", "s2")
    catalogue = Catalogue(storage)
    report = await catalogue.drain_spool()

    assert (report.steps, report.failed) == (4, {})
    frame = await Catalogue(site.manager()).steps()
    assert list(frame["session_id"]) == ["s1", "s1", "s2", "s2"]
    assert set(frame["state"]) == {"complete"}
    before = await catalogue.sessions()
    await catalogue.rebuild()
    assert before.equals(await catalogue.sessions())


async def test_a_damaged_copy_keeps_nothing_else_from_being_drained_and_told(
    site: SpoolSite,
) -> None:
    storage = await spooled(site, "s1", "s2")
    next(site.spool_path.glob("*/pending/s1/0001-goto.metadata.json")).write_bytes(b"{")
    report = await Catalogue(storage).drain_spool()

    assert {dead.session_id for dead in report.dead} == {"s1"}
    assert report.failed == {}
    rows = await Catalogue(site.manager()).steps()
    assert set(zip(rows["session_id"], rows["step_id"], strict=True)) == {
        ("s1", "0002-goto"),
        ("s2", "0001-goto"),
        ("s2", "0002-goto"),
    }


async def test_a_batch_names_what_failed_and_has_the_others(shop: Shop) -> None:
    for session in ("s1", "s2", "s3"):
        await shop.capture(session, append=False)
    for session in ("s1", "s2"):
        await shop.store.put(
            f"{session}/0001-click.metadata.json",
            b"{",
            media_type=JSON,
            sha256=await digest(b"{"),
            create=False,
        )

    with pytest.raises(PartialFailure) as told:
        await shop.catalogue.append_sessions(["s1", "s2", "s3"])
    assert set(told.value.failures) == {"s1", "s2"}
    assert await shop.ids() == ["s3"]
    with pytest.raises(IntegrityError):
        await shop.catalogue.append_sessions(["s1"])


async def test_telling_of_a_session_takes_no_row_of_another_away(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.capture("s2")
    await shop.catalogue.compact()
    await shop.storage.pin("s1", "mine")
    await shop.catalogue.append_events(["s1", "absent"])
    await shop.catalogue.append_sessions(["s1", "never-was"])

    assert await shop.ids() == ["s1", "s2"]
    assert len(await shop.catalogue.steps()) == 4
