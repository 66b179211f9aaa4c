"""A wrapper that tries again what may go better the next time, and gives up in time.

Only ``StoreUnavailable`` is tried again, and a read whose bytes came damaged. Access denied, a
conflict or a full disk are not: they will be the same the next time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.errors import (
    IntegrityError,
    InvalidConfiguration,
    StorageManagerError,
    StoreUnavailable,
)
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo, Page, Store, StoredObject
from checkpoint_assets.storage.wrapper import WrappedStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

Sleep = Callable[[float], Awaitable[object]]
# The most that one request deletes; each has a deadline of its own.
_DELETE_BATCH = 1000
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, how patiently and how long. Times in seconds.

    The n-th wait is a random part of ``first_delay * 2**(n-1)``, at least half of it and at most
    ``longest_delay``. ``deadline`` bounds a call with all its attempts; each MiB that is written
    or read at once adds ``seconds_per_mib``.
    """

    attempts: int = 5
    first_delay: float = 0.1
    longest_delay: float = 5.0
    deadline: float = 60.0
    seconds_per_mib: float = 2.0

    def __post_init__(self) -> None:
        times = (self.first_delay, self.longest_delay, self.deadline, self.seconds_per_mib)
        if self.attempts < 1 or not all(0 <= time < float("inf") for time in times):
            raise InvalidConfiguration(f"{self} cannot be followed", hint="use positive numbers")

    def delay(self, failures: int, chance: float) -> float:
        """The wait after so many failures; ``chance`` is from [0, 1)."""
        longest = min(self.longest_delay, self.first_delay * 2.0 ** min(failures - 1, 60))
        return longest * (0.5 + chance / 2)


class RetryingStore(WrappedStore):
    """Tries again by ``policy``. Each retry is logged once, with what failed and how."""

    def __init__(
        self,
        inner: Store,
        policy: RetryPolicy | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = system_clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(inner)
        self.policy = policy or RetryPolicy()
        self._sleep = sleep
        self._clock = clock
        self._chance = chance

    async def _try(
        self,
        what: str,
        key: str | None,
        attempt: Callable[[], Awaitable[T]],
        *,
        size: int = 0,
        again: tuple[type[StorageManagerError], ...] = (StoreUnavailable,),
    ) -> T:
        policy = self.policy
        limit = policy.deadline + policy.seconds_per_mib * (size // _MIB)
        ends = self._clock.monotonic() + limit
        failures = 0
        last: StorageManagerError | None = None
        timeout = asyncio.timeout(limit)
        try:
            async with timeout:
                while True:
                    try:
                        return await attempt()
                    except again as error:
                        last = error
                    failures += 1
                    delay = policy.delay(failures, self._chance())
                    if failures >= policy.attempts or self._clock.monotonic() + delay > ends:
                        raise last
                    logger.warning(
                        "%s %s failed (%d of %d), again in %.2f s: %s",
                        what,
                        key,
                        failures,
                        policy.attempts,
                        delay,
                        last,
                    )
                    await self._sleep(delay)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            message = f"{what} {key} took longer than {limit:g} s"
            raise StoreUnavailable(message, key=key) from (last or error)

    async def connect(self) -> None:
        await self._try("opening", self.url, self.inner.connect)

    async def put(
        self,
        key: str,
        data: bytes,
        *,
        media_type: str,
        sha256: str,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        return await self._try(
            "writing",
            key,
            lambda: self.inner.put(
                key, data, media_type=media_type, sha256=sha256, create=create, if_match=if_match
            ),
            size=len(data),
        )

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        return await self._try(
            "reading",
            key,
            lambda: self.inner.fetch(key, version=version),
            again=(StoreUnavailable, IntegrityError),
        )

    async def stat(self, key: str, *, version: str | None = None) -> ObjectInfo:
        return await self._try("looking at", key, lambda: self.inner.stat(key, version=version))

    async def open(
        self, key: str, *, start: int = 0, length: int | None = None, version: str | None = None
    ) -> AsyncIterator[bytes]:
        """A body that breaks off is taken up again where it broke off."""
        end = None if length is None else start + length
        chunks: AsyncIterator[bytes] | None = None

        async def following() -> bytes:
            nonlocal chunks
            if chunks is None:
                left = None if end is None else end - start
                chunks = self.inner.open(key, start=start, length=left, version=version)
            try:
                return await anext(chunks, b"")
            except StoreUnavailable:
                chunks = None
                raise

        while chunk := await self._try("reading", key, following, size=_MIB * 8):
            start += len(chunk)
            yield chunk

    async def list(
        self, prefix: str, *, after: str | None = None, recursive: bool = True
    ) -> AsyncIterator[Page]:
        """A listing that breaks off is taken up again behind the last key."""
        pages: AsyncIterator[Page] | None = None

        async def following() -> Page | None:
            nonlocal pages
            if pages is None:
                pages = self.inner.list(prefix, after=after, recursive=recursive)
            try:
                return await anext(pages, None)
            except StoreUnavailable:
                pages = None
                raise

        while page := await self._try("listing", prefix or self.url, following):
            ends = [info.key for info in page.objects[-1:]] + list(page.folders[-1:])
            after = max(ends)
            yield page

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        failed: dict[str, Exception] = {}
        for begin in range(0, len(keys), _DELETE_BATCH):
            batch = keys[begin : begin + _DELETE_BATCH]
            try:
                failed.update(await self._delete(batch))
            except StorageManagerError as error:
                if begin == 0:
                    raise
                failed.update(dict.fromkeys(batch, error))
        return DeleteReport([key for key in keys if key not in failed], failed)

    async def _delete(self, keys: Sequence[str]) -> dict[str, Exception]:
        """What could not be deleted. Only the keys that failed for now are tried again."""
        failed: dict[str, Exception] = {}
        left = keys

        async def attempt() -> None:
            nonlocal left
            report = await self.inner.delete(left)
            for key in left:
                failed.pop(key, None)
            failed.update(report.failed)
            left = [k for k, error in report.failed.items() if isinstance(error, StoreUnavailable)]
            if left:
                raise _Unfinished(str(failed[left[0]]))

        with suppress(_Unfinished):  # each key's own error says more
            await self._try(f"deleting {len(keys)} objects from", keys[0], attempt)
        return failed

    async def delete_versions(self, versions: Sequence[tuple[str, str]]) -> DeleteReport:
        if not versions:
            return DeleteReport([])
        return await self._try(
            f"deleting {len(versions)} versions from",
            versions[0][0],
            lambda: self.inner.delete_versions(versions),
        )


class _Unfinished(StoreUnavailable):
    """Some keys of a delete failed in a way that is worth a retry."""
