"""Ids that nobody may use: refused by every method, and then no store is asked for anything."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from checkpoint_assets.model.clock import ManualClock, parse_isoformat
from checkpoint_assets.model.errors import Conflict, InvalidConfiguration, InvalidId, NotFound
from checkpoint_assets.model.ids import SessionIds, step_id
from checkpoint_assets.storage.keys import LONGEST_KEY, artifact_key, derived_key, manifest_key
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.recording_store import RecordingStore

BAD: dict[str, list[Any]] = {
    "empty": [""],
    "dots": [".", "..", "...", "a.b", ".a"],
    "climbing": ["../../etc/passwd", "../s1", "s1/.."],
    "absolute": ["/etc/passwd", "//host/share", "C:\\x", "file:///etc/passwd"],
    "separators": ["a/b", "a\\b", "a:b", "a/"],
    "encoded": ["..%2f", "%2e%2e", "a%00", "a+b"],
    "nul": ["a\x00b", "\x00"],
    "white space": ["abc\n", " abc", "abc ", "a\tb", "a\r", "\u00a0a", "a b"],
    "too long": ["a" * 97, "a" * 2000, "a" * 1_000_000],
    "not ASCII": ["é", "e\u0301", "ſ", "Ａ", "\u202eabc", "a\u200bb", "\U0001f600", "١", "a\ud800"],
    "devices": ["con", "CON", "nul", "Nul", "com1", "LPT9", "prn", "aux"],
    "names of files": ["step.html", "x.action", "session.json", "1.metadata.json"],
    "reserved": ["_session", "_catalog", "_retention", "_tombstones", "_derived", "_views"],
    "options": ["-rf", "--help", "-"],
    "ends": ["a-", "a_", "_", "-a"],
    "no text": [5, None, b"abc", True, 1.5, ["a"], Path("a"), object()],
    "patterns": ["*", "?", "[a]", "${HOME}", "{{x}}", "$(id)", "`id`", "a;b", "a|b", "'a'"],
}
GOOD = ["a", "A", "0", "catalog", "session", "Step_1", "a-b_c", "0001-goto", "Z" * 96]

# What the methods want beside ids.
OTHER_ARGUMENTS: dict[str, Any] = {
    "name": "text.txt",
    "data": b"data",
    "artifact": "html",
    "html_content": "<p>",
    "reason": "a reason",
    "ttl": timedelta(days=1),
    "version": "1",
}


def methods_with(parameter: str) -> list[str]:
    """The public methods that take such an id."""
    return [
        name
        for name, method in inspect.getmembers(StorageManager, inspect.isfunction)
        if name[0] != "_" and parameter in inspect.signature(method).parameters
    ]


async def call(manager: StorageManager, name: str, **ids: object) -> None:
    """Call the method with these ids, and with what else it needs; run it to its end."""
    method: Callable[..., Any] = getattr(manager, name)
    arguments = dict(ids)
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name in arguments:
            continue
        if parameter.name in ("session_id", "step_id"):
            if parameter.default is parameter.empty:
                arguments[parameter.name] = "s1"
        elif parameter.default is parameter.empty or parameter.name in ("ttl", "html_content"):
            arguments[parameter.name] = OTHER_ARGUMENTS[parameter.name]
    result = method(**arguments)
    if inspect.isawaitable(result):
        await result
    elif hasattr(result, "__aiter__"):
        async for _ in cast("AsyncIterator[object]", result):
            pass


@pytest.mark.parametrize("method", methods_with("session_id"))
@pytest.mark.parametrize("kind", BAD)
async def test_bad_session_id_is_refused_and_nothing_is_touched(method: str, kind: str):
    store = RecordingStore(MemoryStore())
    manager = StorageManager(store.url, store=store)
    parameters = inspect.signature(getattr(manager, method)).parameters
    for bad in BAD[kind]:
        if bad is None and parameters["session_id"].default is None:
            continue  # here it means the whole store
        with pytest.raises(InvalidId):
            await call(manager, method, session_id=bad)
    assert store.calls == []


@pytest.mark.parametrize("method", methods_with("step_id"))
@pytest.mark.parametrize("kind", BAD)
async def test_bad_step_id_is_refused_and_nothing_is_touched(method: str, kind: str):
    store = RecordingStore(MemoryStore())
    manager = StorageManager(store.url, store=store)
    for bad in BAD[kind]:
        if (
            bad is None
            and inspect.signature(getattr(manager, method)).parameters["step_id"].default is None
        ):
            continue  # here it means the whole session
        with pytest.raises(InvalidId):
            await call(manager, method, step_id=bad)
    assert store.calls == []


@pytest.mark.parametrize("kind", BAD)
async def test_listing_after_a_bad_id_is_refused(kind: str):
    manager = StorageManager("memory://")
    for bad in BAD[kind]:
        if bad is None:
            continue
        with pytest.raises(InvalidId):
            await manager.list_sessions(after=bad)
        with pytest.raises(InvalidId):
            await manager.list_steps_for_session("s1", after=bad)


@pytest.mark.parametrize("kind", BAD)
async def test_prefix_that_no_id_begins_with_lists_nothing_or_is_refused(kind: str):
    manager = StorageManager("memory://")
    await manager.store_step_data("s1", "1", "<p>")
    for bad in BAD[kind]:
        if bad in ("", None):
            continue
        for listing in (
            manager.list_sessions,
            lambda **p: manager.list_steps_for_session("s1", **p),
        ):
            try:
                assert await listing(prefix=bad) == []
            except (InvalidId, TypeError):
                continue


@pytest.mark.parametrize("good", GOOD)
async def test_good_id_is_taken_as_it_is(good: str):
    manager = StorageManager("memory://")
    await manager.store_step_data(good, good, "<p>")
    await manager.close_session(good)
    assert await manager.list_sessions() == [good]
    assert await manager.list_steps_for_session(good) == [good]
    assert (await manager.retrieve_step_data(good, good))[0] == "<p>"


def test_longest_key_fits_below_the_longest_prefix():
    longest = "a" * 96
    keys = [
        manifest_key(longest),  # pyright: ignore[reportArgumentType]
        artifact_key(longest, longest, "metadata"),  # pyright: ignore[reportArgumentType]
        derived_key(longest, "n" * 95 + ".e" + "x" * 15, longest),  # pyright: ignore[reportArgumentType]
    ]
    prefix = "p" * 600
    StorageManager(f"s3://bucket/{prefix}")
    assert all(len(key) <= LONGEST_KEY for key in keys)
    assert len(f"{prefix}/") + LONGEST_KEY <= 1024
    with pytest.raises(InvalidConfiguration):
        StorageManager(f"s3://bucket/{prefix}p")


async def test_ids_that_differ_only_in_case_are_two_where_the_disk_can_tell(tmp_path: Path):
    for store in (MemoryStore(), LocalStore(tmp_path)):
        manager = StorageManager(store.url, store=store)
        for session in ("Abc", "abc"):
            await manager.store_step_data(session, "1", f"<p>{session}")
        assert await manager.list_sessions() == ["Abc", "abc"]
        assert (await manager.retrieve_step_data("abc", "1"))[0] == "<p>abc"


async def test_ids_that_differ_only_in_case_conflict_where_the_disk_cannot_tell(tmp_path: Path):
    store = LocalStore(tmp_path, ignores_case=True)
    manager = StorageManager(store.url, store=store)
    await manager.store_step_data("Abc", "Step", "<p>")
    with pytest.raises(Conflict):
        await manager.store_step_data("abc", "other", "<p>")
    with pytest.raises(Conflict):
        await manager.store_step_data("Abc", "step", "<p>")
    with pytest.raises(NotFound):
        await manager.retrieve_step_data("abc", "Step")
    assert await manager.list_sessions() == ["Abc"]
    assert await manager.list_steps_for_session("Abc") == ["Step"]


async def test_same_id_again_with_the_same_bytes_is_fine_and_with_others_a_conflict():
    manager = StorageManager("memory://")
    for _ in range(2):
        await manager.store_step_data("s1", "1", "<p>", b"pixels", {"n": 1}, {"m": 1})
    for other in (
        ("<p>other", b"pixels", {"n": 1}, {"m": 1}),
        ("<p>", b"other", {"n": 1}, {"m": 1}),
        ("<p>", b"pixels", {"n": 2}, {"m": 1}),
        ("<p>", b"pixels", {"n": 1}, {"m": 2}),
        ("<p>", b"pixels", {"n": 1}, None),
        ("<p>", None, {"n": 1}, {"m": 1}),
    ):
        with pytest.raises(Conflict):
            await manager.store_step_data("s1", "1", *other)
    assert await manager.retrieve_step_data("s1", "1") == ("<p>", b"pixels", {"n": 1}, {"m": 1})


def test_ids_made_in_the_same_millisecond_differ_and_keep_their_order():
    clock = ManualClock(parse_isoformat("2026-01-31T09:30:00Z"))
    ids = [SessionIds(clock).new()]
    source = SessionIds(clock)
    ids += [source.new() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert ids[1:] == sorted(ids[1:])
    clock.advance(timedelta(hours=-1))
    assert source.new() > ids[-1]


@pytest.mark.parametrize("ordinal", [0, -1, 10_000, 100_000])
def test_step_number_that_would_not_sort_is_refused(ordinal: int):
    with pytest.raises(InvalidId):
        step_id(ordinal, "goto")
