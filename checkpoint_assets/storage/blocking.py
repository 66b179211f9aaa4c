"""The StorageManager for blocking code: notebooks, scripts, Dagster ops, also in a running loop.

Each method is one line: a descriptor takes the asynchronous method with its types, and runs it in
the event loop of a thread that the object owns.
"""

from __future__ import annotations

import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import timedelta
from pathlib import Path
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
)

from checkpoint_assets.interfaces import IStorageBackend
from checkpoint_assets.model.clock import Clock
from checkpoint_assets.runtime.portal import Portal
from checkpoint_assets.storage.keys import Layout
from checkpoint_assets.storage.retrying import RetryPolicy
from checkpoint_assets.storage.s3_clients import S3ClientFactory
from checkpoint_assets.storage.spool_events import SpoolListener
from checkpoint_assets.storage.step_backend import QueryIndex
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store

P = ParamSpec("P")
T = TypeVar("T")

# One change of threads serves this many items of an iteration.
_BATCH = 256


class Blocking(Generic[P, T]):
    """An asynchronous method of the manager, made to block."""

    def __init__(
        self, method: Callable[Concatenate[StorageManager, P], Coroutine[Any, Any, T]]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(
        self, instance: SyncStorageManager, owner: type[SyncStorageManager] | None = None
    ) -> Callable[P, T]:
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return instance.call(self._method, *args, **kwargs)

        call.__doc__ = self.__doc__
        return call


class BlockingIterator(Generic[P, T]):
    """A method of the manager that iterates asynchronously, made to iterate plainly.

    ``batch`` items are fetched with one change of threads.
    """

    def __init__(
        self,
        method: Callable[Concatenate[StorageManager, P], AsyncIterator[T]],
        batch: int = _BATCH,
    ) -> None:
        self._method = method
        self._batch = batch
        self.__doc__ = method.__doc__

    def __get__(
        self, instance: SyncStorageManager, owner: type[SyncStorageManager] | None = None
    ) -> Callable[P, Iterator[T]]:
        def call(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return instance.iterate(
                self._method(instance.asynchronous, *args, **kwargs), self._batch
            )

        call.__doc__ = self.__doc__
        return call


class StorageOptions(TypedDict, total=False):
    """The keyword arguments of ``StorageManager``."""

    prefer_s3: bool
    s3_bucket_name: str | None
    s3_region_name: str | None
    s3_endpoint_url: str | None
    local_base_path: str | Path | None
    layout: Layout
    s3_client_factory: S3ClientFactory | None
    retry: RetryPolicy | None
    concurrency: int
    grace: timedelta
    racy_creates: bool
    spool_path: str | Path | None
    spool_floor_bytes: int
    spool_listener: SpoolListener | None
    store: Store | None
    clock: Clock
    environment: Mapping[str, str] | None


class SyncStorageManager:
    """``StorageManager`` with blocking methods; a context manager. May be used from many threads.

    An interrupt (Ctrl-C) cancels what is running, waits until it has ended, and is raised again.
    """

    def __init__(self, url: str | None = None, **options: Unpack[StorageOptions]) -> None:
        self._manager = StorageManager(url, **options)
        self._portal: Portal | None = None
        self._lock = threading.Lock()

    @property
    def asynchronous(self) -> StorageManager:
        """The manager below, for asynchronous code."""
        return self._manager

    @property
    def url(self) -> str:
        """Where everything is stored."""
        return self._manager.url

    def get_storage_info(self) -> dict[str, Any]:
        """Where and how things are stored, without touching the network."""
        return self._manager.get_storage_info()

    def session_url(self, session_id: str) -> str:
        """Where the session is: an ``s3://`` URL, or the path of its folder."""
        return self._manager.session_url(session_id)

    def register_backend(self, backend: IStorageBackend) -> str:
        """Keep everything that ``store_data`` is given there, too; returns its id."""
        return self._manager.register_backend(backend)

    def list_backends(self) -> Sequence[str]:
        """Ids of the backends, the own store (its URL) first."""
        return self._manager.list_backends()

    def answer_queries_by(self, index: QueryIndex | None) -> None:
        """Ask ``index`` before the own store is listed."""
        self._manager.answer_queries_by(index)

    connect = Blocking(StorageManager.connect)
    get_capabilities = Blocking(StorageManager.get_capabilities)
    store_step_data = Blocking(StorageManager.store_step_data)
    store_steps = Blocking(StorageManager.store_steps)
    retrieve_step_data = Blocking(StorageManager.retrieve_step_data)
    retrieve_steps = BlockingIterator(StorageManager.retrieve_steps, batch=1)
    read_artifact = Blocking(StorageManager.read_artifact)
    open_artifact = BlockingIterator(StorageManager.open_artifact, batch=1)
    get_commit_record = Blocking(StorageManager.get_commit_record)
    list_versions = Blocking(StorageManager.list_versions)
    restore_version = Blocking(StorageManager.restore_version)
    enable_versions = Blocking(StorageManager.enable_versions)
    get_manifest = Blocking(StorageManager.get_manifest)
    close_session = Blocking(StorageManager.close_session)
    close_idle_sessions = Blocking(StorageManager.close_idle_sessions)
    iter_sessions = BlockingIterator(StorageManager.iter_sessions)
    list_sessions = Blocking(StorageManager.list_sessions)
    iter_steps = BlockingIterator(StorageManager.iter_steps)
    list_steps_for_session = Blocking(StorageManager.list_steps_for_session)
    delete_step = Blocking(StorageManager.delete_step)
    delete_session = Blocking(StorageManager.delete_session)
    restore_step = Blocking(StorageManager.restore_step)
    restore_session = Blocking(StorageManager.restore_session)
    sweep = Blocking(StorageManager.sweep)
    set_expiration = Blocking(StorageManager.set_expiration)
    get_expiration = Blocking(StorageManager.get_expiration)
    clear_expiration = Blocking(StorageManager.clear_expiration)
    apply_expirations = Blocking(StorageManager.apply_expirations)
    pin = Blocking(StorageManager.pin)
    unpin = Blocking(StorageManager.unpin)
    get_pin = Blocking(StorageManager.get_pin)
    verify = Blocking(StorageManager.verify)
    sync_lifecycle_rules = Blocking(StorageManager.sync_lifecycle_rules)
    spooled_sessions = Blocking(StorageManager.spooled_sessions)
    drain_spool = Blocking(StorageManager.drain_spool)
    store_derived = Blocking(StorageManager.store_derived)
    retrieve_derived = Blocking(StorageManager.retrieve_derived)
    read_object = Blocking(StorageManager.read_object)
    write_object = Blocking(StorageManager.write_object)
    iter_objects = BlockingIterator(StorageManager.iter_objects)
    delete_objects = Blocking(StorageManager.delete_objects)
    store_data = Blocking(StorageManager.store_data)
    copy_data = Blocking(StorageManager.copy_data)
    query = Blocking(StorageManager.query)
    delete_location = Blocking(StorageManager.delete_location)

    def call(
        self,
        function: Callable[Concatenate[StorageManager, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What the asynchronous function returns for the manager, run to its end."""
        return self._opened().call(function, self._manager, *args, **kwargs)

    def iterate(self, items: AsyncIterator[T], batch_size: int = _BATCH) -> Iterator[T]:
        """The items, fetched a batch at a time."""
        portal = self._opened()
        try:
            while batch := portal.call(_take, items, batch_size):
                yield from batch
        finally:
            # A loop that has ended has closed its generators.
            if isinstance(items, AsyncGenerator) and not portal.closed:
                portal.call(_close, cast("AsyncGenerator[T]", items))

    def _opened(self) -> Portal:
        with self._lock:
            if self._portal is None:
                self._portal = Portal("checkpoint-storage")
            return self._portal

    def close(self) -> None:
        """Let go of what is open. Safe to call twice; the next call opens it again."""
        with self._lock:
            portal, self._portal = self._portal, None
        if portal is not None:
            try:
                portal.call(self._manager.close)
            finally:
                portal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _take(items: AsyncIterator[T], batch_size: int) -> list[T]:
    batch: list[T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == batch_size:
            break
    return batch


async def _close(items: AsyncGenerator[Any]) -> None:
    await items.aclose()
