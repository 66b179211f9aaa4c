"""No damaged bytes come out of a store that is verified."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checkpoint_assets.model.errors import IntegrityError
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.retrying import RetryingStore, RetryPolicy
from checkpoint_assets.storage.s3 import S3Store
from checkpoint_assets.storage.store import StoredObject
from checkpoint_assets.storage.verifying import VerifyingStore
from checkpoint_assets.testing.faulty_s3 import Fault, FaultyS3


class Damaging(MemoryStore):
    """Gives out other bytes than it has."""

    def __init__(self, damaged: bytes) -> None:
        super().__init__()
        self.damaged = damaged

    async def fetch(self, key, *, version=None):
        return replace(await super().fetch(key), data=self.damaged)


async def put(store, key: str, data: bytes, sha256: str | None = None):
    return await store.put(key, data, media_type="x/y", sha256=sha256 or sha256_hex(data))


async def test_whole_bytes_come_out_with_their_digest():
    store = VerifyingStore(MemoryStore())
    await put(store, "a", b"hello")
    stored: StoredObject = await store.fetch("a")
    assert (stored.data, stored.digest) == (b"hello", sha256_hex(b"hello"))


@pytest.mark.parametrize("damaged", [b"", b"hell", b"hellp", b"hello!"])
async def test_damaged_bytes_do_not_come_out(damaged: bytes):
    store = VerifyingStore(Damaging(damaged))
    await put(store, "a", b"hello")
    with pytest.raises(IntegrityError) as caught:
        await store.get("a")
    assert caught.value.key == "a"


async def test_a_wrong_digest_is_refused_where_writes_are_checked():
    store = VerifyingStore(MemoryStore(), check_writes=True)
    with pytest.raises(IntegrityError):
        await put(store, "a", b"hello", sha256="0" * 64)
    await put(store, "a", b"hello")


@pytest.mark.parametrize("kind", ["corrupt", "short", "truncate"])
async def test_a_body_that_is_damaged_once_is_read_again(
    faulty_s3: FaultyS3, faulty_store: S3Store, kind
):
    policy = RetryPolicy(first_delay=0.001)
    store = RetryingStore(VerifyingStore(faulty_store), policy)
    await put(store, "a", b"x" * 10_000)
    faulty_s3.inject(Fault(kind, operation="GetObject"))
    assert await store.get("a") == b"x" * 10_000


async def test_a_body_that_is_always_damaged_is_told(faulty_s3: FaultyS3, faulty_store: S3Store):
    store = RetryingStore(VerifyingStore(faulty_store), RetryPolicy(first_delay=0.001))
    await put(store, "a", b"x" * 10_000)
    faulty_s3.inject(Fault("corrupt", operation="GetObject", times=None))
    with pytest.raises(IntegrityError) as caught:
        await store.get("a")
    assert caught.value.key == "a"
    assert faulty_s3.counts["GetObject"] == 5
