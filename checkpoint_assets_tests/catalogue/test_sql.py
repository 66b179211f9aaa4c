"""Questions in SQL: answers of the whole catalogue, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkpoint_assets.catalogue.sql import query
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets_tests.catalogue.case import DAY, START, Shop


async def test_clicks_on_a_site_in_a_week(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.catalogue.compact()
    await shop.capture("s2")

    found = await query(
        shop.catalogue,
        "SELECT selector, count(*) AS clicks FROM steps WHERE action = 'click' AND site = $site "
        "AND committed_at > $since GROUP BY ALL ORDER BY ALL",
        site="shop.example",
        since=START - 7 * DAY,
    )
    assert found.to_dict("list") == {"selector": ["#b1", "#b2"], "clicks": [2, 2]}


async def test_sessions_that_expire_before_a_time(shop: Shop) -> None:
    for number in (1, 2, 3):
        await shop.capture(f"s{number}")
    await shop.storage.set_expiration("s1", expires_at=START + DAY)
    await shop.storage.set_expiration("s2", expires_at=START + 9 * DAY)
    await shop.catalogue.append_events(["s1", "s2"])

    text = "SELECT session_id FROM sessions WHERE expires_at < $before"
    found = await query(shop.catalogue, text, before=START + 2 * DAY)
    assert list(found["session_id"]) == ["s1"]


async def test_a_query_reads_no_file(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(InvalidInput, match="refused"):
        await query(shop.catalogue, f"SELECT * FROM '{tmp_path}/secret.csv'")  # noqa: S608


async def test_what_duckdb_refuses_is_typed(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="refused"):
        await query(shop.catalogue, "PLEASE 1")
