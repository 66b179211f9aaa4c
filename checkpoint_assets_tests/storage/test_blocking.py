"""The blocking manager: the same, from code that does not await."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from typing import Any

import pytest

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.blocking import StorageOptions, SyncStorageManager
from checkpoint_assets.storage.storage_manager import StorageManager


def test_a_step_goes_in_and_out_without_awaiting():
    with SyncStorageManager("memory://") as manager:
        manager.store_step_data("s1", "0001", html_content="<p>", metadata={"a": 1})
        assert manager.retrieve_step_data("s1", "0001") == ("<p>", None, None, {"a": 1})
        assert manager.close_session("s1").steps == ["0001"]
        assert list(manager.iter_sessions()) == manager.list_sessions() == ["s1"]


async def test_it_works_inside_a_running_event_loop():
    with SyncStorageManager("memory://") as manager:
        manager.store_step_data("s1", "0001", html_content="<p>")
        assert list(manager.iter_steps("s1")) == ["0001"]


def test_errors_come_through_as_they_are():
    with SyncStorageManager("memory://") as manager, pytest.raises(NotFound):
        manager.retrieve_step_data("s1", "0001")


def test_every_public_method_of_the_manager_is_there():
    public = {name for name in dir(StorageManager) if not name.startswith("_")} - {"store"}
    assert public <= {name for name in dir(SyncStorageManager) if not name.startswith("_")}


def test_the_constructors_take_the_same_arguments():
    parameters = inspect.signature(StorageManager).parameters
    assert set(parameters) == {"url", *StorageOptions.__annotations__}


def test_documentation_comes_along():
    assert SyncStorageManager("memory://").store_step_data.__doc__ == (
        StorageManager.store_step_data.__doc__
    )


def test_a_long_iteration_can_be_left_early():
    with SyncStorageManager("memory://") as manager:
        for n in range(300):
            manager.store_step_data("s1", f"{n:04}", html_content="x")
        steps = manager.iter_steps("s1")
        assert next(steps) == "0000"
        assert len(list(manager.iter_steps("s1"))) == 300


def test_many_threads_share_one_manager():
    with SyncStorageManager("memory://") as manager:

        def work(number: int) -> None:
            manager.store_step_data(f"s{number}", "0001", html_content="x")

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(manager.list_sessions()) == 8


def test_it_can_be_closed_twice_and_used_again():
    manager = SyncStorageManager("memory://")
    manager.list_sessions()
    manager.close()
    manager.close()
    assert manager.list_sessions() == []
    manager.close()


def test_closing_ends_its_thread():
    before = threading.active_count()
    with SyncStorageManager("memory://") as manager:
        manager.list_sessions()
    assert threading.active_count() == before


def test_an_interrupt_cancels_what_runs_and_waits_for_its_end():
    events: list[str] = []
    waiting = threading.main_thread()

    async def forever(manager: StorageManager) -> Any:
        try:
            signal.pthread_kill(waiting.ident or 0, signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            events.append("cleaned up")

    with SyncStorageManager("memory://") as manager:
        with pytest.raises(KeyboardInterrupt):
            manager.call(forever)
        assert events == ["cleaned up"]
