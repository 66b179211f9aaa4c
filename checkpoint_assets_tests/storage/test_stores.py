"""What each store promises; the same for all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from checkpoint_assets.model.errors import Conflict, NotFound
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.store import ObjectInfo, Store


async def put(store: Store, key: str, data: bytes = b"x", **how: object) -> ObjectInfo:
    return await store.put(key, data, media_type="application/json", sha256=sha256_hex(data), **how)


async def put_all(store: Store, names: list[str]) -> None:
    for begin in range(0, len(names), 32):
        await asyncio.gather(*(put(store, name) for name in names[begin : begin + 32]))


async def keys(store: Store, prefix: str = "", **how: object) -> list[str]:
    return [info.key async for page in store.list(prefix, **how) for info in page.objects]


async def folders(store: Store, prefix: str = "", **how: object) -> list[str]:
    pages = store.list(prefix, recursive=False, **how)
    return [folder async for page in pages for folder in page.folders]


@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"x" * 3_000_000])
async def test_what_was_put_is_got(store: Store, data: bytes):
    await put(store, "a/b.json", data)
    assert await store.get("a/b.json") == data


async def test_stat_says_size_and_a_recent_time(store: Store):
    await put(store, "a/b", b"hello")
    info = await store.stat("a/b")
    assert info.size == 5
    assert abs(info.modified - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_stored_digest_is_the_writers(store: Store):
    await put(store, "a/b", b"hello")
    assert (await store.stat("a/b")).sha256 in (None, sha256_hex(b"hello"))


async def test_fetch_gives_the_etag_that_a_conditional_put_needs(store: Store):
    await put(store, "a/b", b"1")
    stored = await store.fetch("a/b")
    await put(store, "a/b", b"2", if_match=stored.info.etag)
    assert await store.get("a/b") == b"2"


async def test_create_refuses_what_is_there(store: Store):
    await put(store, "a/b", b"1")
    with pytest.raises(Conflict) as caught:
        await put(store, "a/b", b"2")
    assert caught.value.key == "a/b"
    assert await store.get("a/b") == b"1"


async def test_without_conditions_a_put_replaces(store: Store):
    await put(store, "a/b", b"1")
    await put(store, "a/b", b"2", create=False)
    assert await store.get("a/b") == b"2"


async def test_an_old_etag_is_refused(store: Store):
    old = await put(store, "a/b", b"1")
    await put(store, "a/b", b"2", create=False)
    with pytest.raises(Conflict):
        await put(store, "a/b", b"3", if_match=old.etag)


async def test_an_etag_of_what_is_gone_is_refused(store: Store):
    old = await put(store, "a/b", b"1")
    await store.delete(["a/b"])
    with pytest.raises(Conflict):
        await put(store, "a/b", b"3", if_match=old.etag)


async def test_one_of_many_creators_wins(store: Store):
    bodies = [str(n).encode() for n in range(12)]
    results = await asyncio.gather(
        *(put(store, "a/b", body) for body in bodies), return_exceptions=True
    )
    won = [body for body, result in zip(bodies, results, strict=True) if type(result) is ObjectInfo]
    assert len(won) == 1
    assert all(isinstance(r, (Conflict, ObjectInfo)) for r in results)
    assert await store.get("a/b") == won[0]


async def test_counting_with_if_match_loses_nothing(store: Store):
    await put(store, "_catalog/HEAD", b"000")

    async def add_one() -> None:
        while True:
            stored = await store.fetch("_catalog/HEAD")
            more = f"{int(stored.data) + 1:03}".encode()
            try:
                await put(store, "_catalog/HEAD", more, if_match=stored.info.etag)
            except Conflict:
                continue
            return

    await asyncio.gather(*(add_one() for _ in range(10)))
    assert await store.get("_catalog/HEAD") == b"010"


@pytest.mark.parametrize("read", ["get", "fetch", "stat"])
async def test_what_is_absent_is_not_found(store: Store, read: str):
    with pytest.raises(NotFound) as caught:
        await getattr(store, read)("a/nothing")
    assert caught.value.key == "a/nothing"


async def test_opening_what_is_absent_is_not_found(store: Store):
    with pytest.raises(NotFound):
        async for _ in store.open("a/nothing"):
            pass


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (3, 4, b"3456"),
        (9, 1, b"9"),
        (8, 100, b"89"),
        (0, 0, b""),
        (10, None, b""),
        (99, 1, b""),
    ],
)
async def test_a_range_is_cut_from_the_object(store: Store, start: int, length, expected: bytes):
    await put(store, "a/b", b"0123456789")
    chunks = [chunk async for chunk in store.open("a/b", start=start, length=length)]
    assert b"".join(chunks) == expected


async def test_a_large_object_comes_in_several_chunks(store: Store):
    data = bytes(range(256)) * 80_000
    await put(store, "a/b", data)
    chunks = [chunk async for chunk in store.open("a/b")]
    assert b"".join(chunks) == data
    assert len(chunks) > 1


async def test_keys_are_listed_in_the_order_of_their_bytes(store: Store):
    names = ["s/b-1.html", "s/b.html", "s/b/x.html", "s/a.html", "s-1/a", "s/B.html", "s/_d/x"]
    for name in names:
        await put(store, name)
    assert await keys(store) == sorted(names)
    assert await keys(store, "s/") == sorted(n for n in names if n.startswith("s/"))


async def test_a_prefix_is_a_whole_folder(store: Store):
    await put(store, "abc/x")
    await put(store, "abcd/x")
    assert await keys(store, "abc/") == ["abc/x"]


async def test_listing_goes_on_after_a_key(store: Store):
    for name in ["s/a", "s/b", "s/c", "t/a"]:
        await put(store, name)
    assert await keys(store, after="s/b") == ["s/c", "t/a"]
    assert await keys(store, "s/", after="s/b") == ["s/c"]
    assert await keys(store, "s/", after="r") == ["s/a", "s/b", "s/c"]


async def test_folders_are_listed_without_what_is_in_them(store: Store):
    for name in ["a/1", "a/2", "a-b/1", "b/c/1", "top"]:
        await put(store, name)
    assert await folders(store) == ["a-b/", "a/", "b/"]
    assert await folders(store, "b/") == ["b/c/"]
    assert await folders(store, after="a-b/") == ["a/", "b/"]
    assert await folders(store, after="a/") == ["b/"]


async def test_a_folder_whose_objects_are_gone_is_gone(store: Store):
    await put(store, "a/b/1")
    await store.delete(["a/b/1"])
    assert await folders(store) == []
    assert await keys(store) == []


async def test_a_folder_can_be_used_again_after_it_was_emptied(store: Store):
    for _ in range(3):
        await put(store, "a/b/1")
        await store.delete(["a/b/1"])
    await put(store, "a/b/1", b"again")
    assert await store.get("a/b/1") == b"again"


async def test_listing_an_empty_place_is_no_error(store: Store):
    assert [page async for page in store.list("nothing/")] == []


async def test_many_keys_come_in_pages(store: Store):
    names = [f"s/{n:05}" for n in range(1205)]
    await put_all(store, names)
    pages = [page async for page in store.list("s/")]
    assert [info.key for page in pages for info in page.objects] == names
    assert len(pages) > 1


async def test_deleting_reports_every_key(store: Store):
    await put(store, "a/1")
    await put(store, "a/2")
    report = await store.delete(["a/1", "a/absent", "a/2"])
    assert list(report.deleted) == ["a/1", "a/absent", "a/2"]
    assert report.failed == {}
    assert await keys(store) == []


async def test_deleting_more_than_one_request_takes(store: Store):
    names = [f"s/{n:05}" for n in range(1205)]
    await put_all(store, names)
    report = await store.delete(names)
    assert len(report.deleted) == 1205
    assert await keys(store) == []


async def test_deleting_nothing_is_fine(store: Store):
    assert (await store.delete([])).failed == {}
