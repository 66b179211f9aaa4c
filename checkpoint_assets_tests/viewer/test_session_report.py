"""The report as bytes: small before its pictures, written a step at a time, whatever is stored."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.report import save_report, session_report, write_report
from checkpoint_assets.viewer.report_shell import report_script
from checkpoint_assets.viewer.search_index import SearchIndex
from checkpoint_assets.viewer.single_file import report_chunks
from checkpoint_assets_tests.viewer.sessions import SESSION, store_long, store_shop

SHELL_DATA = '<script type="application/json" id="data">'


async def test_two_hundred_steps_are_under_60_kb_before_the_first_picture(
    storage: StorageManager,
) -> None:
    await store_long(storage, 200)
    report = await session_report(storage, SESSION)
    assert report.index(b'id="picture-0"') < 60_000


async def test_a_report_comes_step_by_step_with_the_first_one_first(
    storage: StorageManager,
) -> None:
    await store_shop(storage)
    shell, *steps = [chunk async for chunk in report_chunks(storage, SESSION)]
    assert shell.startswith(b"<!DOCTYPE html>")
    named = [re.findall(rb'id="((?:picture|page|step)-\d)"', chunk) for chunk in steps]
    assert named[0] == [b"picture-0", b"page-0", b"step-0"]
    # The last two steps look the same: what is stored of one serves both.
    assert named[3:5] == [[b"picture-3", b"page-3", b"step-3"], [b"step-4"]]
    assert steps[-1].endswith(b"</html>\n")


async def test_a_report_names_nothing_outside_of_itself(storage: StorageManager) -> None:
    await store_shop(storage)
    report = (await session_report(storage, SESSION)).decode()
    shell = report[: report.index(SHELL_DATA)]
    assert re.findall(r"(?:src|href)=\"(?!#)[^\"]*\"", shell) == []
    assert not re.search(r"https?:", report_script())


async def test_without_a_folder_it_is_stored_beside_the_session(storage: StorageManager) -> None:
    await store_shop(storage)
    location = await write_report(storage, SESSION)
    assert location.endswith(f"{SESSION}/_derived/report.html")
    assert await storage.retrieve_derived(SESSION, "report.html") == await session_report(
        storage, SESSION
    )


async def test_a_folder_has_each_picture_and_page_once(
    storage: StorageManager, tmp_path: Path
) -> None:
    await store_shop(storage)
    await write_report(storage, SESSION, tmp_path / "report")
    steps = ["0001-goto", "0002-click", "0003-fill", "0004-click"]
    for folder, extension in (("pictures", "webp"), ("thumbs", "webp"), ("pages", "html")):
        names = sorted(path.name for path in (tmp_path / "report" / folder).iterdir())
        assert names == [f"{step}.{extension}" for step in steps]


async def test_a_report_that_cannot_be_finished_leaves_the_old_one(
    storage: StorageManager, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(NotFound):
        await save_report(storage, SESSION, tmp_path / "report.html")
    assert not (tmp_path / ".report.html.partial").exists()
    assert (tmp_path / "report.html").read_text() == "old"


async def test_an_open_session_and_a_missing_step_are_told(storage: StorageManager) -> None:
    await storage.store_step_data(SESSION, "0001-goto", html_content="<p>x")
    await storage.store_step_data(SESSION, "0002-goto", html_content="<p>y")
    assert b'<span class="state open">open</span>' in await session_report(storage, SESSION)
    await storage.close_session(
        SESSION, SessionState.ABORTED, manifest={"reason": "the browser went away"}
    )
    await storage.delete_step(SESSION, "0001-goto")
    report = await session_report(storage, SESSION)
    assert b'<span class="state aborted">aborted</span>' in report
    assert b"the browser went away" in report
    assert b"in the manifest, but not stored: 0001-goto" in report


async def test_a_damaged_step_is_named_and_hinders_no_other(storage: StorageManager) -> None:
    await store_shop(storage)
    for key in ("0002-click.metadata.json", "0003-fill.action.json", "0004-click.html"):
        await storage.store.put(
            f"{SESSION}/{key}", b"{", media_type="text/plain", sha256="", create=False
        )
    report = (await session_report(storage, SESSION)).decode()
    shell = report[: report.index(SHELL_DATA)]
    assert '<a href="#0002-click">0002-click</a>' in shell
    assert '<a href="#0003-fill">0003-fill</a>' in shell
    assert "the html cannot be shown" in report
    assert 'id="picture-0"' in report
    assert 'id="picture-3"' in report


def test_a_line_that_many_steps_show_is_kept_once() -> None:
    index = SearchIndex()
    for ordinal, lines in enumerate([["a", "b"], ["a"], ["b"], ["a", "a"]]):
        index.add(ordinal, lines)
    assert index.to_data() == {"whole": True, "lines": [["a", 0, 1, 3, 3], ["b", 0, 0, 2, 2]]}
