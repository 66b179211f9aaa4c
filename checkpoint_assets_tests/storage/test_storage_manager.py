"""Sessions and steps through the manager; the same on each store."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkpoint_assets.interfaces import IStorageManager
from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    InvalidId,
    InvalidInput,
    NotFound,
    NotSupported,
)
from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store

HTML = "<!doctype html><title>Grüße</title>"
WEBP = b"RIFF\x10\0\0\0WEBPVP8L"
PNG = b"\x89PNG\r\n\x1a\nrest"
ACTION = {"type": "click", "selector": "#buy", "at": [1, 2.5, None, True]}
METADATA = {"url": "https://shop.example/", "title": "Grüße"}


async def store_whole(manager: StorageManager, session: str = "s1", step: str = "0001-goto"):
    return await manager.store_step_data(session, step, HTML, WEBP, ACTION, METADATA)


async def all_keys(store: Store) -> list[str]:
    """All keys but that of the probe, which a manager leaves in a bucket."""
    keys = [info.key async for page in store.list("") for info in page.objects]
    return [key for key in keys if not key.startswith("_probe/")]


async def overwrite(store: Store, key: str, data: bytes) -> None:
    await store.put(key, data, media_type="x/y", sha256=sha256_hex(data), create=False)


def test_a_manager_is_what_a_collector_needs(manager: StorageManager):
    assert isinstance(manager, IStorageManager)


async def test_what_was_stored_is_retrieved(manager: StorageManager):
    await store_whole(manager)
    assert await manager.retrieve_step_data("s1", "0001-goto") == (HTML, WEBP, ACTION, METADATA)


async def test_the_flat_layout_is_byte_for_byte_as_documented(
    manager: StorageManager, store: Store
):
    await store_whole(manager)
    await manager.close_session("s1")
    await manager.store_derived("s1", "text.txt", b"t", "text/plain", "0001-goto")
    assert await all_keys(store) == [
        "s1/0001-goto.action.json",
        "s1/0001-goto.html",
        "s1/0001-goto.metadata.json",
        "s1/0001-goto.webp",
        "s1/_derived/0001-goto.text.txt",
        "s1/session.json",
    ]


async def test_the_nested_layout_is_written_and_read_by_any_manager(
    make_manager: Callable[..., StorageManager], store: Store
):
    nested = make_manager(layout="nested")
    await store_whole(nested)
    assert await all_keys(store) == [
        "s1/0001-goto/action.json",
        "s1/0001-goto/metadata.json",
        "s1/0001-goto/observation.html",
        "s1/0001-goto/screenshot.webp",
    ]
    flat = make_manager(layout="flat")
    assert await flat.retrieve_step_data("s1", "0001-goto") == (HTML, WEBP, ACTION, METADATA)
    assert await flat.list_steps_for_session("s1") == ["0001-goto"]
    assert (await flat.close_session("s1")).steps == ["0001-goto"]


async def test_the_four_places_are_named(manager: StorageManager):
    paths = await store_whole(manager)
    assert list(paths) == ["html_path", "screenshot_path", "action_data_path", "metadata_path"]
    base = manager.session_url("s1")
    assert paths["html_path"] == f"{base}/0001-goto.html"
    assert paths["metadata_path"] == f"{base}/0001-goto.metadata.json"


async def test_what_was_not_given_has_no_place_and_is_none(manager: StorageManager):
    paths = await manager.store_step_data("s1", "a", html_content=HTML)
    assert [name for name, path in paths.items() if path] == ["html_path"]
    assert await manager.retrieve_step_data("s1", "a") == (HTML, None, None, None)


async def test_only_the_artifacts_asked_for_are_read(manager: StorageManager, store: Store):
    await store_whole(manager)
    await store.delete(["s1/0001-goto.webp"])
    assert await manager.retrieve_step_data("s1", "0001-goto", ["html", "metadata"]) == (
        HTML,
        None,
        None,
        METADATA,
    )


async def test_an_unknown_artifact_name_is_refused(manager: StorageManager):
    with pytest.raises(InvalidInput, match="artifacts are html, screenshot, action, metadata"):
        await manager.retrieve_step_data("s1", "a", ["pixels"])


async def test_html_given_as_bytes_comes_back_as_those_bytes(manager: StorageManager):
    latin = "<p>é</p>".encode("latin-1")
    await manager.store_step_data("s1", "a", latin)
    assert await manager.read_artifact("s1", "a", "html") == latin


async def test_halves_of_surrogate_pairs_become_replacement_characters(manager: StorageManager):
    await manager.store_step_data("s1", "a", "x\ud83d\ude00\ud800y")
    html, *_ = await manager.retrieve_step_data("s1", "a")
    assert html == "x\U0001f600�y"
    record = await manager.get_commit_record("s1", "a")
    assert record.artifacts["html"].model_dump()["lossy"] is True


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (WEBP, "image/webp"),
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"?", "application/octet-stream"),
    ],
)
async def test_the_media_type_of_a_screenshot_is_seen_from_its_bytes(
    manager: StorageManager, data: bytes, media_type: str
):
    await manager.store_step_data("s1", "a", screenshot_bytes=data)
    screenshot = (await manager.get_commit_record("s1", "a")).artifacts["screenshot"]
    assert (screenshot.media_type, screenshot.name) == (media_type, "a.webp")


async def test_the_commit_record_describes_every_file(
    make_manager: Callable[..., StorageManager], store: Store
):
    clock = ManualClock(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    manager = make_manager(clock=clock)
    await manager.store_step_data("s1", "a", HTML, metadata=METADATA, timings={"settle": 0.5})
    stored = await store.get("s1/a.metadata.json")
    data = HTML.encode()
    assert json.loads(stored) == {
        "schema_version": 1,
        "session_id": "s1",
        "step_id": "a",
        "committed_at": "2026-01-31T09:30:00.000000Z",
        "artifacts": {
            "html": {
                "name": "a.html",
                "size": len(data),
                "sha256": sha256_hex(data),
                "media_type": "text/html; charset=utf-8",
                "version": None,
            }
        },
        "timings": {"settle": 0.5},
        "metadata": METADATA,
    }
    assert CommitRecord.model_validate_json(stored).to_json() == stored


async def test_the_same_step_again_is_a_success(make_manager: Callable[..., StorageManager]):
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    manager = make_manager(clock=clock)
    first = await store_whole(manager)
    clock.advance(timedelta(seconds=5))
    assert await store_whole(manager) == first
    record = await manager.get_commit_record("s1", "0001-goto")
    assert record.committed_at == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    "change",
    [
        {"html_content": "other"},
        {"screenshot_bytes": PNG},
        {"action_data": {"type": "fill"}},
        {"metadata": {"url": "other"}},
        {"metadata": None},
        {"screenshot_bytes": None},
    ],
)
async def test_another_step_under_the_same_ids_is_a_conflict(
    manager: StorageManager, change: dict[str, Any]
):
    await store_whole(manager)
    step: dict[str, Any] = {
        "html_content": HTML,
        "screenshot_bytes": WEBP,
        "action_data": ACTION,
        "metadata": METADATA,
        **change,
    }
    with pytest.raises(Conflict) as caught:
        await manager.store_step_data("s1", "0001-goto", **step)
    assert caught.value.key
    assert caught.value.key.startswith("s1/0001-goto.")
    assert await manager.retrieve_step_data("s1", "0001-goto") == (HTML, WEBP, ACTION, METADATA)


async def test_a_step_without_its_record_does_not_exist(manager: StorageManager, store: Store):
    await store_whole(manager)
    await store.delete(["s1/0001-goto.metadata.json"])
    assert await manager.list_steps_for_session("s1") == []
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("s1", "0001-goto")


async def test_an_absent_step_is_not_found(manager: StorageManager):
    with pytest.raises(NotFound) as caught:
        await manager.retrieve_step_data("s1", "nothing")
    assert caught.value.session_id == "s1"


@pytest.mark.parametrize("file", ["html", "webp", "action.json"])
@pytest.mark.parametrize("data", [b"", b"x"])
async def test_other_bytes_than_committed_are_never_returned(
    manager: StorageManager, store: Store, file: str, data: bytes
):
    await store_whole(manager)
    await overwrite(store, f"s1/0001-goto.{file}", data)
    with pytest.raises(IntegrityError) as caught:
        await manager.retrieve_step_data("s1", "0001-goto")
    assert caught.value.key == f"s1/0001-goto.{file}"


async def test_a_missing_file_of_a_committed_step_is_a_fault_of_the_store(
    manager: StorageManager, store: Store
):
    await store_whole(manager)
    await store.delete(["s1/0001-goto.html"])
    with pytest.raises(IntegrityError) as caught:
        await manager.retrieve_step_data("s1", "0001-goto")
    assert caught.value.key == "s1/0001-goto.html"


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[]", b'{"session_id":"s1"}', b"[" * 100_000, b"\xff"],
)
async def test_a_damaged_record_is_told(manager: StorageManager, store: Store, record: bytes):
    await store_whole(manager)
    await overwrite(store, "s1/0001-goto.metadata.json", record)
    with pytest.raises(IntegrityError) as caught:
        await manager.get_commit_record("s1", "0001-goto")
    assert caught.value.key == "s1/0001-goto.metadata.json"


async def test_a_record_of_another_step_is_told(manager: StorageManager, store: Store):
    await store_whole(manager, step="a")
    await store_whole(manager, step="b")
    await overwrite(store, "s1/b.metadata.json", await store.get("s1/a.metadata.json"))
    with pytest.raises(IntegrityError):
        await manager.retrieve_step_data("s1", "b")


async def test_a_record_cannot_lead_to_another_file(manager: StorageManager, store: Store):
    await store_whole(manager, step="a")
    await store_whole(manager, session="s2", step="b")
    record = json.loads(await store.get("s1/a.metadata.json"))
    record["artifacts"]["html"]["name"] = "../s2/b.html"
    await overwrite(store, "s1/a.metadata.json", json.dumps(record).encode())
    with pytest.raises(IntegrityError):
        await manager.retrieve_step_data("s1", "a")


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"x": math.nan},
        {"x": [math.inf]},
        {"x": float("1e400")},
        {"x": 2**63},
        {"x": "\ud800"},
        {"\udfff": 1},
        {1: "x"},
        {"x": b"bytes"},
        {"x": datetime(2026, 1, 1, tzinfo=UTC)},
        {"x": {1, 2}},
        _nested(100),
        _nested(100_000),
        [],
        "text",
        7,
    ],
    ids=lambda value: f"{value!r:.20}" if not isinstance(value, dict) else None,
)
@pytest.mark.parametrize("where", ["action_data", "metadata"])
async def test_what_json_cannot_say_is_refused_and_nothing_written(
    manager: StorageManager, store: Store, where: str, value: Any
):
    with pytest.raises(InvalidInput):
        await manager.store_step_data("s1", "a", HTML, **{where: value})
    assert await all_keys(store) == []


async def test_the_deepest_and_largest_values_come_back(manager: StorageManager):
    value = {"deep": _nested(97), "low": -(2**63), "high": 2**63 - 1, "tiny": 5e-324}
    await manager.store_step_data("s1", "a", action_data=value, metadata=value)
    _, _, action, metadata = await manager.retrieve_step_data("s1", "a")
    assert action == metadata == value


BAD_IDS = [
    *["", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "..%2f", "%2e%2e", "a\0b"],
    *["abc\n", " abc", "\tabc", "a" * 97, "a" * 2000, "é", "é", "ſ", "Ａ", "a\u202eb"],
    *["a\u200bb", "😀", "con", "NUL", "com1", "step.html", "x.action", "_session", "-rf", "--help"],
    *["*", "?", "${HOME}", "{{x}}", "$(id)", "a-", 5, None, b"abc", True],
]


@pytest.mark.parametrize("bad", BAD_IDS, ids=repr)
async def test_a_bad_id_is_refused_everywhere_and_nothing_written(
    manager: StorageManager, store: Store, bad: Any
):
    for call in (
        lambda: manager.store_step_data(bad, "a", HTML),
        lambda: manager.store_step_data("s1", bad, HTML),
        lambda: manager.retrieve_step_data(bad, "a"),
        lambda: manager.retrieve_step_data("s1", bad),
        lambda: manager.close_session(bad),
        lambda: manager.list_steps_for_session(bad),
        lambda: manager.delete_step("s1", bad),
        lambda: manager.delete_session(bad),
        lambda: manager.store_derived(bad, "x.txt", b""),
    ):
        with pytest.raises(InvalidId):
            await call()
    if await all_keys(store):
        pytest.fail("something was written")


@pytest.mark.parametrize("good", ["a", "A", "0", "a" * 96, "A_b-C", "a--b", "SessionABC"])
async def test_a_good_id_is_used_unchanged(manager: StorageManager, good: str):
    await manager.store_step_data(good, good, HTML)
    assert await manager.list_sessions() == [good]
    assert await manager.list_steps_for_session(good) == [good]


async def test_sessions_are_listed_without_what_is_reserved_or_foreign(
    manager: StorageManager, store: Store
):
    for session in ("b", "a", "a-1", "c"):
        await manager.store_step_data(session, "0001", HTML)
    for foreign in ("_catalog/HEAD", "_retention/x", "weird name/x", "top.txt"):
        await overwrite(store, foreign, b"x")
    assert sorted(await manager.list_sessions()) == ["a", "a-1", "b", "c"]


async def test_sessions_are_listed_page_by_page(manager: StorageManager):
    names = ["a", "a-1", "a1", "b", "b-x", "c"]
    for session in names:
        await manager.store_step_data(session, "0001", HTML)
    everything = await manager.list_sessions()
    walked: list[str] = []
    while page := await manager.list_sessions(after=walked[-1] if walked else None, limit=2):
        walked += page
    assert walked == everything
    assert sorted(everything) == names
    assert sorted(await manager.list_sessions(prefix="b")) == ["b", "b-x"]
    assert await manager.list_sessions(prefix="b", limit=0) == []
    assert await manager.list_sessions(prefix="a1") == ["a1"]
    assert await manager.list_sessions(prefix="zz") == []


async def test_steps_are_listed_page_by_page(manager: StorageManager):
    names = ["0001", "0001-goto", "0002-fill", "0010-click", "Zed", "zed"]
    for step in names:
        await manager.store_step_data("s1", step, HTML)
    await manager.store_derived("s1", "text.txt", b"", "text/plain", "0001")
    everything = await manager.list_steps_for_session("s1")
    walked: list[str] = []
    while page := await manager.list_steps_for_session(
        "s1", after=walked[-1] if walked else None, limit=2
    ):
        walked += page
    assert walked == everything
    assert sorted(everything) == names
    assert sorted(await manager.list_steps_for_session("s1", prefix="0001")) == names[:2]


async def test_the_steps_of_an_unknown_session_are_none(manager: StorageManager):
    assert await manager.list_steps_for_session("nothing") == []
    assert await manager.list_sessions() == []


async def test_closing_a_session_writes_what_it_holds(manager: StorageManager):
    await store_whole(manager, step="0001-goto")
    await store_whole(manager, step="0002-click")
    given = {"scenario": "checkout", "seconds": 2.5, "tags": {"a": "b"}, "remote": {"id": "r"}}
    closed = await manager.close_session("s1", SessionState.INCOMPLETE, manifest=given)
    assert closed == await manager.get_manifest("s1")
    assert closed.steps == ["0001-goto", "0002-click"]
    record = await manager.get_commit_record("s1", "0001-goto")
    assert closed.bytes == 2 * record.size > 0
    assert (closed.state, closed.scenario, closed.remote) == ("incomplete", "checkout", {"id": "r"})


async def test_members_of_a_manifest_that_we_do_not_know_are_kept(manager: StorageManager):
    await manager.close_session("s1", manifest={"from_the_future": [1]})
    assert (await manager.get_manifest("s1")).model_dump()["from_the_future"] == [1]


async def test_closing_twice_is_fine_in_another_state_a_conflict(
    make_manager: Callable[..., StorageManager],
):
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    manager = make_manager(clock=clock)
    await store_whole(manager)
    first = await manager.close_session("s1")
    clock.advance(timedelta(minutes=1))
    assert await manager.close_session("s1") == first
    with pytest.raises(Conflict, match="closed before as complete"):
        await manager.close_session("s1", SessionState.ABORTED)


@pytest.mark.parametrize(
    "bad", [{"session_id": "other"}, {"steps": 5, "scenario": []}, {"x": math.nan}, []]
)
async def test_a_bad_manifest_is_refused(manager: StorageManager, store: Store, bad: Any):
    with pytest.raises(InvalidInput):
        await manager.close_session("s1", manifest=bad or [1])
    assert await all_keys(store) == []


async def test_an_open_session_has_no_manifest(manager: StorageManager):
    await store_whole(manager)
    with pytest.raises(NotFound, match="no manifest"):
        await manager.get_manifest("s1")


async def test_a_step_deleted_for_good_is_gone_with_all_its_files(
    manager: StorageManager, store: Store
):
    await store_whole(manager, step="0001-goto")
    await store_whole(manager, step="0001-goto-2")
    await manager.store_derived("s1", "text.txt", b"t", "text/plain", "0001-goto")
    await manager.store_derived("s1", "report.html", b"r", "text/html")
    await manager.delete_step("s1", "0001-goto", permanent=True)
    left = [key for key in await all_keys(store) if key[0] != "_"]
    assert len(left) == 5
    assert all(key.startswith(("s1/0001-goto-2.", "s1/_derived/report.html")) for key in left)


async def test_a_session_deleted_for_good_is_gone_and_its_neighbour_is_not(
    manager: StorageManager, store: Store
):
    for session in ("abc", "abcd"):
        await store_whole(manager, session)
        await manager.close_session(session)
    await manager.store_derived("abc", "report.html", b"r", "text/html")
    await manager.delete_session("abc", permanent=True)
    assert await manager.list_sessions() == ["abcd"]
    # Only a mark stays for a while, against writers that were under way.
    left = [key for key in await all_keys(store) if not key.startswith("abcd/")]
    assert left == ["_tombstones/abc/erased/session.json"]
    assert await manager.retrieve_step_data("abcd", "0001-goto") == (HTML, WEBP, ACTION, METADATA)


async def test_deleting_what_is_absent_is_fine_and_logged(
    manager: StorageManager, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level("INFO"):
        await manager.delete_step("s1", "a")
        await manager.delete_session("s1")
    assert "no step s1/a" in caplog.text
    assert "no session s1" in caplog.text


async def test_foreign_objects_in_a_session_are_not_deleted(manager: StorageManager, store: Store):
    await store_whole(manager)
    await overwrite(store, "s1/notes by hand.txt", b"x")
    await manager.delete_session("s1", permanent=True)
    assert "s1/notes by hand.txt" in await all_keys(store)


async def test_a_step_deleted_for_good_can_be_stored_again(manager: StorageManager):
    await store_whole(manager)
    await manager.delete_step("s1", "0001-goto", permanent=True)
    await manager.store_step_data("s1", "0001-goto", "other")
    html, *_ = await manager.retrieve_step_data("s1", "0001-goto")
    assert html == "other"


async def test_a_derived_file_is_replaced(manager: StorageManager):
    await manager.store_derived("s1", "report.html", b"1", "text/html")
    place = await manager.store_derived("s1", "report.html", b"2", "text/html")
    assert place == f"{manager.session_url('s1')}/_derived/report.html"
    assert await manager.retrieve_derived("s1", "report.html") == b"2"
    with pytest.raises(NotFound):
        await manager.retrieve_derived("s1", "other.html")


@pytest.mark.parametrize("name", ["", "report", "../x.html", "a/b.html", "a.b.html", ".html", "a."])
async def test_a_bad_name_of_a_derived_file_is_refused(manager: StorageManager, name: str):
    with pytest.raises(InvalidInput):
        await manager.store_derived("s1", name, b"")


async def test_a_reserved_object_is_written_once_compared_and_replaced(manager: StorageManager):
    first = await manager.write_object("_catalog/HEAD", b"1", "application/json")
    with pytest.raises(Conflict):
        await manager.write_object("_catalog/HEAD", b"2")
    second = await manager.write_object("_catalog/HEAD", b"2", if_match=first.etag)
    with pytest.raises(Conflict):
        await manager.write_object("_catalog/HEAD", b"3", if_match=first.etag)
    stored = await manager.read_object("_catalog/HEAD")
    assert (stored.data, stored.info.etag) == (b"2", second.etag)
    await manager.write_object("_catalog/HEAD", b"4", create=False)
    key = "_catalog/fragments/date=2026-01-31/s1-r1.parquet"
    await manager.write_object(key, b"p")
    listed = [info.key async for info in manager.iter_objects("_catalog/")]
    assert listed == ["_catalog/HEAD", key]
    await manager.delete_objects(listed)
    assert [info async for info in manager.iter_objects("_catalog/")] == []


@pytest.mark.parametrize(
    "key", ["s1/a.html", "_catalog", "_catalog/../s1/a", "_catalog//x", "_other/x", "_catalog/.x"]
)
async def test_only_reserved_areas_are_open_to_plain_objects(manager: StorageManager, key: str):
    with pytest.raises(InvalidInput):
        await manager.write_object(key, b"")
    with pytest.raises(InvalidInput):
        await manager.read_object(key)


async def test_replacing_is_refused_where_nothing_keeps_versions(manager: StorageManager):
    with pytest.raises(NotSupported):
        await manager.store_step_data("s1", "a", HTML, replace=True)


async def test_two_writers_of_one_step_never_mix(manager: StorageManager):
    results = await asyncio.gather(
        *(
            manager.store_step_data("s1", "a", f"html {n}", b"%d" % n, {"n": n}, {"n": n})
            for n in range(6)
        ),
        return_exceptions=True,
    )
    assert all(isinstance(result, (dict, Conflict)) for result in results)
    won = [n for n, result in enumerate(results) if isinstance(result, dict)]
    assert len(won) <= 1
    if won:
        n = won[0]
        expected = (f"html {n}", b"%d" % n, {"n": n}, {"n": n})
        assert await manager.retrieve_step_data("s1", "a") == expected


async def test_one_manager_serves_many_threads_and_loops(manager: StorageManager):
    failures: list[Exception] = []

    def work(number: int) -> None:
        async def use() -> None:
            for step in range(3):
                await manager.store_step_data(f"t{number}", f"{step:04}", f"{number} {step}")
                html, *_ = await manager.retrieve_step_data(f"t{number}", f"{step:04}")
                assert html == f"{number} {step}"

        try:
            asyncio.run(use())
        except Exception as error:  # noqa: BLE001 - handed to the test below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    assert not failures
    assert await manager.list_sessions() == ["t0", "t1", "t2", "t3"]
