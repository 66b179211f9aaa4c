"""Erasure: nothing of the session is left anywhere in the store, but its id."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

from checkpoint_assets.model.errors import DeleteRefused, InvalidInput
from checkpoint_assets.retention.erase import Receipt, erase
from checkpoint_assets.storage.keys import receipt_key
from checkpoint_assets_tests.catalogue.case import Shop

# Stands in pages, titles and selectors of the session, and nowhere else.
SECRET = "mrs-smith"


async def shop_with_traces(shop: Shop) -> None:
    """A session with all that there can be of one, in a store that keeps versions."""
    await shop.storage.enable_versions()
    await shop.capture("other")
    for text in ("before", "after"):
        await shop.storage.store_step_data(
            "s1",
            "0001-goto",
            html_content=f"{SECRET} {text}",
            metadata={"title": SECRET},
            replace=True,
        )
    await shop.storage.store_step_data("s1", "0002-click", html_content=SECRET)
    await shop.storage.store_derived("s1", "text.txt", SECRET.encode(), step_id="0001-goto")
    await shop.storage.close_session("s1", manifest={"reason": SECRET})
    await shop.storage.delete_step("s1", "0002-click")
    await shop.catalogue.append_session("s1")
    await shop.catalogue.compact()
    await shop.storage.write_object("_quarantine/s1/0003-click.html", SECRET.encode())
    frame = io.BytesIO()
    (await shop.catalogue.steps()).to_parquet(frame)
    await shop.storage.write_object("_views/step_catalog.parquet", frame.getvalue())
    view = json.dumps({"session_id": "s1", "title": SECRET}).encode()
    await shop.storage.write_object("_views/capture_session/checkout.json", view)


async def everything(shop: Shop) -> dict[tuple[str, str], bytes]:
    """All objects with all their versions."""
    return {
        (version.key, version.version): await shop.store.get(version.key, version=version.version)
        async for page in shop.store.list_versions("")
        for version in page
        if not version.deleted
    }


async def erased(shop: Shop, **more: object) -> Receipt:
    return await erase(
        shop.storage,
        shop.catalogue,
        "s1",
        "request 12",
        clock=shop.clock,
        **more,  # pyright: ignore[reportArgumentType]
    )


async def test_nothing_is_left_of_it(shop: Shop) -> None:
    await shop_with_traces(shop)
    await erased(shop)

    for (key, _), data in (await everything(shop)).items():
        assert not key.startswith("s1/")
        assert SECRET.encode() not in data, key
        if key.endswith(".parquet"):
            # Compressed text is not found by looking at the bytes.
            assert SECRET not in pd.read_parquet(io.BytesIO(data)).to_csv(), key


async def test_nothing_else_is_touched(shop: Shop) -> None:
    await shop_with_traces(shop)
    before = {k: v for k, v in (await everything(shop)).items() if k[0].startswith("other/")}
    await erased(shop)

    assert before.items() <= (await everything(shop)).items()
    assert await shop.ids() == ["other"]
    view = pd.read_parquet(io.BytesIO(await shop.store.get("_views/step_catalog.parquet")))
    assert set(view["session_id"]) == {"other"}


async def test_the_receipt_says_what_was_erased_and_is_kept(shop: Shop) -> None:
    async def of_dagster(session_id: str) -> int:
        assert session_id == "s1"
        return 7

    await shop_with_traces(shop)
    receipt = await erased(shop, others={"dagster": of_dagster})

    assert (receipt.steps, receipt.catalogue_rows, receipt.views) == (1, 1, 2)
    assert (receipt.quarantined, receipt.others) == (1, {"dagster": 7})
    assert receipt.objects >= 5
    assert receipt.versions > receipt.objects
    kept = json.loads((await shop.storage.read_object(receipt_key("s1"))).data)
    assert kept["reason"] == "request 12"


async def test_what_is_not_ours_stays_and_is_named(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.store.put("s1/notes.txt", b"mine", media_type="", sha256="")

    assert (await erased(shop)).foreign == ["s1/notes.txt"]


async def test_erasing_again_and_what_was_never_there_is_fine(shop: Shop) -> None:
    await erased(shop)
    await shop.capture("s1")
    await erased(shop)
    assert (await erased(shop)).objects == 0


async def test_a_pinned_session_is_not_erased(shop: Shop) -> None:
    await shop.capture("s1")
    await shop.storage.pin("s1", "case 7")
    with pytest.raises(DeleteRefused, match="pinned"):
        await erased(shop)
    assert await shop.ids() == ["s1"]


async def test_an_erasure_needs_a_reason(shop: Shop) -> None:
    with pytest.raises(InvalidInput):
        await erase(shop.storage, shop.catalogue, "s1", " ")
