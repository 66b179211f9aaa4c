# ruff: noqa: S101 - assert is what tests are made of
"""Manager conformance: ``verify`` finds each kind of damage, and changes nothing unasked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.storage.findings import VerifyReport
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store
from checkpoint_assets.testing.suites.manager_case import (
    HTML,
    ManagerCase,
    contents,
    eventually,
    keys_of,
    overwrite,
    store_step,
)
from checkpoint_assets.testing.suites.store_case import StoreCapabilities

HTML_KEY, RECORD_KEY = "s1/0001-goto.html", "s1/0001-goto.metadata.json"


async def _lose(store: Store) -> None:
    await store.delete([HTML_KEY])


async def _cut(store: Store) -> None:
    await overwrite(store, HTML_KEY, HTML.encode()[:-1])


async def _flip(store: Store) -> None:
    await overwrite(store, HTML_KEY, HTML.encode()[:-1] + b"?")


async def _swap(store: Store) -> None:
    await overwrite(store, HTML_KEY, await store.get("s1/0001-goto.webp"))


async def _cut_record(store: Store) -> None:
    await overwrite(store, RECORD_KEY, b'{"schema_version":1')


async def _lose_record(store: Store) -> None:
    await store.delete([RECORD_KEY])


async def _leave_foreign(store: Store) -> None:
    await overwrite(store, "s1/notes.txt", b"")


DAMAGES: dict[str, tuple[Callable[[Store], Awaitable[None]], str, str]] = {
    "missing": (_lose, "missing", HTML_KEY),
    "truncated": (_cut, "truncated", HTML_KEY),
    "corrupt": (_flip, "corrupt", HTML_KEY),
    "swapped": (_swap, "swapped", HTML_KEY),
    "corrupt_record": (_cut_record, "corrupt", RECORD_KEY),
    "orphan": (_lose_record, "orphan", HTML_KEY),
    "foreign": (_leave_foreign, "foreign", "s1/notes.txt"),
}


async def check(manager: StorageManager, session_id: str | None = None) -> VerifyReport:
    """A check that reads everything, and takes nothing for still being written."""
    return await manager.verify(session_id, read_data=True, orphan_grace=timedelta())


class VerifyingTests(ManagerCase):
    """A whole store is whole; each damage is found and named."""

    async def test_whole_store_is_found_whole(self, manager: StorageManager) -> None:
        await store_step(manager)
        await store_step(manager, "s2", html_content=None)
        await manager.store_derived("s1", "text.txt", b"", step_id="0001-goto")
        await manager.close_session("s1")
        report = await check(manager)
        assert (report.ok, report.findings) == (True, [])
        assert (report.sessions, report.steps, report.files_read) == (2, 2, 5)

    @pytest.mark.parametrize("damage", DAMAGES)
    @pytest.mark.parametrize("session_id", [None, "s1"], ids=["store", "session"])
    async def test_damage_is_found_and_left_as_it_is(
        self,
        manager: StorageManager,
        store: Store,
        capabilities: StoreCapabilities,
        damage: str,
        session_id: str | None,
    ) -> None:
        if capabilities.versions:
            pytest.skip("s3 store: versions are kept, so nothing that was committed is lost")
        await store_step(manager)
        await store_step(manager, "s2", html_content="<p>other")
        do, kind, key = DAMAGES[damage]
        await do(store)
        before = await contents(store)
        report = await eventually(
            lambda: check(manager, session_id), lambda report: bool(report.findings)
        )
        assert (kind, key) in [(finding.kind, finding.key) for finding in report.findings]
        assert all(finding.session_id == "s1" for finding in report.findings)
        assert report.ok == (damage == "foreign")
        assert await contents(store) == before

    async def test_step_in_both_layouts_is_a_duplicate(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await store_step(self.make_manager(store, layout="nested"))
        kinds = {finding.kind for finding in (await check(manager)).findings}
        assert kinds == {"duplicate"}

    async def test_file_that_may_still_be_written_is_no_orphan(
        self, manager: StorageManager, store: Store
    ) -> None:
        await store_step(manager)
        await store.delete([RECORD_KEY])
        assert (await manager.verify()).findings == []

    async def test_deleted_session_is_no_damage(self, manager: StorageManager) -> None:
        await store_step(manager)
        await store_step(manager, "s1", "0002")
        await manager.delete_step("s1", "0001-goto")
        assert (await check(manager)).findings == []
        await manager.delete_session("s1")
        assert (await check(manager)).findings == []

    async def test_repair_moves_damage_out_of_the_way_and_loses_no_byte(
        self, manager: StorageManager, store: Store, capabilities: StoreCapabilities
    ) -> None:
        if capabilities.versions:
            pytest.skip("s3 store: versions are kept, so nothing that was committed is lost")
        await store_step(manager)
        await store_step(manager, "s1", "0002")
        await _flip(store)
        before = await contents(store)
        report = await manager.verify(read_data=True, repair=True)
        assert report.quarantined
        assert (await check(manager)).ok
        assert await manager.list_steps_for_session("s1") == ["0002"]
        kept = list((await contents(store, "_quarantine/")).values())
        gone = set(before) - set(await keys_of(store))
        assert gone
        assert all(before[key] in kept for key in gone)

    async def test_share_of_files_to_read_can_be_chosen(self, manager: StorageManager) -> None:
        await store_step(manager)
        shares: list[bool | float | str] = ["0%", "0.5", "50%", 0.5, True, False]
        for share in shares:
            assert (await manager.verify(read_data=share)).ok
        wrong: list[float | str] = ["many", "101%", -1, 2.0, "nan"]
        for share in wrong:
            with pytest.raises(InvalidInput):
                await manager.verify(read_data=share)
