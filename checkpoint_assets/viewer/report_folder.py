"""A session report as a folder that any file browser or web server shows; images load lazily."""

from __future__ import annotations

import asyncio
from pathlib import Path

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.documents import STATIC, static_file
from checkpoint_assets.viewer.json_text import script_json
from checkpoint_assets.viewer.report_shell import SHELL_END, report_shell
from checkpoint_assets.viewer.search_index import SearchIndex
from checkpoint_assets.viewer.session_view import read_session
from checkpoint_assets.viewer.step_details import LoadedStep, step_details
from checkpoint_assets.viewer.step_loading import load_steps

_FOLDERS = ("steps", "pictures", "thumbs", "pages")


async def write_report_folder(storage: StorageManager, session_id: str, folder: Path) -> Path:
    """The folder holds the report; the result is its ``index.html``. Raises ``NotFound``."""
    session = await read_session(storage, session_id)
    await asyncio.to_thread(_prepare, folder)
    index = SearchIndex()
    before: LoadedStep | None = None
    async for step in load_steps(storage, session):
        if step.page is not None:
            index.add(step.row.ordinal, step.page.text)
        await asyncio.to_thread(_write_step, folder, step, before)
        before = step
    found = script_file("text", index.to_data())
    (folder / "text.js").write_text(found, encoding="utf-8")
    document = folder / "index.html"
    # Last: a folder without it is one that was not finished.
    document.write_text(report_shell(session, "folder") + SHELL_END, encoding="utf-8")
    return document


def script_file(name: str, data: object) -> str:
    """Data as a script, which is what a page from a disk may load."""
    return f"checkpoint({script_json(name)},{script_json(data)})\n"


def _prepare(folder: Path) -> None:
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in STATIC:
        (folder / name).write_text(static_file(name), encoding="utf-8")


def _write_step(folder: Path, step: LoadedStep, before: LoadedStep | None) -> None:
    ordinal, name = step.row.ordinal, step.row.step_id
    if step.picture is not None and step.row.picture == ordinal:
        (folder / "pictures" / f"{name}.webp").write_bytes(step.picture_bytes)
        (folder / "thumbs" / f"{name}.webp").write_bytes(step.picture.thumbnail())
    if step.page is not None and step.row.page == ordinal:
        (folder / "pages" / f"{name}.html").write_text(step.page.html, encoding="utf-8")
    details = script_file(f"step-{ordinal}", step_details(step, before))
    (folder / "steps" / f"{name}.js").write_text(details, encoding="utf-8")
