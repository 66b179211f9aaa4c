"""What is tried again, how often, how long, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from checkpoint_assets.model.clock import ManualClock
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    InvalidConfiguration,
    NotFound,
    S3ConfigError,
    StorageFull,
    StoreUnavailable,
)
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.store import DeleteReport, Page

PUT = {"media_type": "x/y", "sha256": "0" * 64}


class Shaky(MemoryStore):
    """Raises the next of ``errors`` before it does anything, and counts what it is asked."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)
        self.asked = 0

    def _shake(self) -> None:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)

    async def put(self, key, data, **how):
        self._shake()
        return await super().put(key, data, **how)

    async def fetch(self, key, *, version=None):
        self._shake()
        return await super().fetch(key, version=version)

    async def stat(self, key, *, version=None):
        self._shake()
        return await super().stat(key, version=version)

    async def delete(self, keys):
        self._shake()
        return await super().delete(keys)


class Waits:
    """A sleep that takes no time, but for the clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))


def retrying(inner, policy: RetryPolicy | None = None, chance: float = 1.0):
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    waits = Waits(clock)
    store = RetryingStore(
        inner, policy or RetryPolicy(), sleep=waits, clock=clock, chance=lambda: chance
    )
    return store, waits


def away(number: int) -> list[Exception]:
    return [StoreUnavailable(f"away {n}") for n in range(number)]


@pytest.mark.parametrize("times", [0, 1, 4])
async def test_what_goes_better_the_next_time_succeeds(times: int):
    inner = Shaky(*away(times))
    store, waits = retrying(inner)
    await store.put("a", b"1", **PUT)
    assert (inner.asked, len(waits.waited)) == (times + 1, times)


async def test_it_gives_up_after_so_many_attempts_with_the_last_error():
    inner = Shaky(*away(9))
    store, _ = retrying(inner, RetryPolicy(attempts=3))
    with pytest.raises(StoreUnavailable, match="away 2"):
        await store.get("a")
    assert inner.asked == 3


@pytest.mark.parametrize(
    "error",
    [S3ConfigError("denied"), Conflict("other"), NotFound("gone"), StorageFull("full")],
    ids=lambda error: type(error).__name__,
)
async def test_what_will_be_the_same_the_next_time_is_not_tried_again(error: Exception):
    inner = Shaky(error)
    store, waits = retrying(inner)
    with pytest.raises(type(error)):
        await store.stat("a")
    assert (inner.asked, waits.waited) == (1, [])


async def test_damaged_bytes_are_read_again_and_never_written_again():
    inner = Shaky()
    store, _ = retrying(inner)
    await store.put("a", b"1", **PUT)
    inner.errors = [IntegrityError("flipped")]
    assert await store.get("a") == b"1"
    inner.errors = [IntegrityError("flipped")]
    with pytest.raises(IntegrityError):
        await store.put("b", b"1", **PUT)


async def test_waits_double_up_to_a_limit_and_are_never_shorter_than_half():
    policy = RetryPolicy(attempts=7, first_delay=1, longest_delay=10, deadline=1000)
    store, waits = retrying(Shaky(*away(6)), policy, chance=1.0)
    await store.put("a", b"1", **PUT)
    assert waits.waited == [1, 2, 4, 8, 10, 10]
    store, waits = retrying(Shaky(*away(6)), policy, chance=0.0)
    await store.put("a", b"1", **PUT)
    assert waits.waited == [0.5, 1, 2, 4, 5, 5]


async def test_no_wait_goes_beyond_the_deadline():
    policy = RetryPolicy(attempts=99, first_delay=4, longest_delay=4, deadline=10)
    store, waits = retrying(Shaky(*away(99)), policy)
    with pytest.raises(StoreUnavailable):
        await store.put("a", b"1", **PUT)
    assert sum(waits.waited) == 8


async def test_a_store_that_never_answers_is_left_at_the_deadline():
    class Silent(MemoryStore):
        async def fetch(self, key, *, version=None):
            await asyncio.Event().wait()

    store = RetryingStore(Silent(), RetryPolicy(deadline=0.05))
    with pytest.raises(StoreUnavailable, match=r"reading a took longer than 0\.05 s") as caught:
        await store.get("a")
    assert caught.value.key == "a"


async def test_a_timeout_of_the_caller_stays_the_callers():
    class Silent(MemoryStore):
        async def fetch(self, key, *, version=None):
            await asyncio.Event().wait()

    store = RetryingStore(Silent(), RetryPolicy(deadline=60))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await store.get("a")


async def test_a_large_write_has_more_time():
    assert RetryPolicy(seconds_per_mib=2).seconds_per_mib == 2
    policy = RetryPolicy(attempts=99, first_delay=1, longest_delay=1, deadline=2, seconds_per_mib=1)
    store, waits = retrying(Shaky(*away(99)), policy)
    with pytest.raises(StoreUnavailable):
        await store.put("a", bytes(3 << 20), **PUT)
    assert sum(waits.waited) == 5


async def test_each_retry_is_logged_once(caplog: pytest.LogCaptureFixture):
    store, _ = retrying(Shaky(*away(2)))
    with caplog.at_level(logging.DEBUG):
        await store.put("a/b.html", b"1", **PUT)
    assert len(caplog.records) == 2
    assert "writing a/b.html failed (1 of 5)" in caplog.records[0].getMessage()
    assert "away 1" in caplog.records[1].getMessage()


async def test_a_stream_that_breaks_off_goes_on_where_it_broke_off():
    class Breaking(MemoryStore):
        starts: ClassVar[list[int]] = []

        async def open(self, key, *, start=0, length=None, version=None) -> AsyncIterator[bytes]:
            self.starts.append(start)
            async for chunk in super().open(key, start=start, length=length, version=version):
                yield chunk[:3]
                raise StoreUnavailable("broke off")

    inner = Breaking()
    await inner.put("a", b"0123456789", **PUT)
    store, _ = retrying(inner)
    chunks = store.open("a", start=1, length=8)
    found = [await anext(chunks) for _ in range(3)]
    assert b"".join(found) == b"12345678"
    assert inner.starts == [1, 4, 7]


async def test_a_listing_that_breaks_off_goes_on_behind_the_last_key():
    class Breaking(MemoryStore):
        afters: ClassVar[list[str | None]] = []

        async def list(self, prefix, *, after=None, recursive=True) -> AsyncIterator[Page]:
            self.afters.append(after)
            async for page in super().list(prefix, after=after, recursive=recursive):
                yield Page(page.objects[:2], page.folders[:2])
                if len(page.objects) + len(page.folders) > 2:
                    raise StoreUnavailable("broke off")

    inner = Breaking()
    for name in "abcde":
        await inner.put(f"s/{name}", b"", **PUT)
        await inner.put(f"{name}/x", b"", **PUT)
    store, _ = retrying(inner)
    found = [info.key async for page in store.list("s/") for info in page.objects]
    assert found == ["s/a", "s/b", "s/c", "s/d", "s/e"]
    assert inner.afters == [None, "s/b", "s/d"]
    folders = [folder async for page in store.list("", recursive=False) for folder in page.folders]
    assert folders == ["a/", "b/", "c/", "d/", "e/", "s/"]


async def test_only_the_keys_that_failed_for_now_are_deleted_again():
    class Partly(MemoryStore):
        calls: ClassVar[list[list[str]]] = []

        async def delete(self, keys):
            self.calls.append(list(keys))
            failed: dict[str, Exception] = {}
            if len(self.calls) == 1:
                failed = {"b": StoreUnavailable("slow down"), "c": S3ConfigError("locked")}
            return DeleteReport([key for key in keys if key not in failed], failed)

    inner = Partly()
    store, _ = retrying(inner)
    report = await store.delete(["a", "b", "c"])
    assert inner.calls == [["a", "b", "c"], ["b"]]
    assert (list(report.deleted), list(report.failed)) == (["a", "b"], ["c"])


async def test_keys_that_keep_failing_are_in_the_report():
    class Never(MemoryStore):
        async def delete(self, keys):
            return DeleteReport([], {key: StoreUnavailable(f"slow {key}") for key in keys})

    store, _ = retrying(Never(), RetryPolicy(attempts=2))
    report = await store.delete(["a", "b"])
    assert {key: str(error) for key, error in report.failed.items()} == {
        "a": "slow a",
        "b": "slow b",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"first_delay": -1},
        {"deadline": float("nan")},
        {"deadline": float("inf")},
        {"longest_delay": -0.1},
    ],
)
def test_a_policy_that_cannot_be_followed_is_refused(options: dict):
    with pytest.raises(InvalidConfiguration):
        RetryPolicy(**options)
