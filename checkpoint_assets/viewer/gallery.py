"""The gallery as a folder: every session of a store with its report, for any file browser."""

from __future__ import annotations

import asyncio
from pathlib import Path

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.workers import run_all
from checkpoint_assets.viewer.documents import STATIC, static_file
from checkpoint_assets.viewer.gallery_page import gallery_page
from checkpoint_assets.viewer.report_folder import write_report_folder
from checkpoint_assets.viewer.session_card import SessionCard, read_card, read_thumbnail

_AT_ONCE = 4


async def write_gallery(storage: StorageManager, folder: Path, *, reports: bool = True) -> Path:
    """The folder shows all sessions, the newest first; the result is its ``index.html``.

    With ``reports`` each session's report is below ``sessions/``, and its card leads there.
    """
    await asyncio.to_thread(_prepare, folder)
    newest_first = (await storage.list_sessions())[::-1]

    async def write(session_id: str) -> tuple[SessionCard, bool]:
        thumbnail = await read_thumbnail(storage, session_id)
        if thumbnail is not None:
            (folder / "thumbs" / f"{session_id}.webp").write_bytes(thumbnail)
        if reports:
            await write_report_folder(storage, session_id, folder / "sessions" / session_id)
        return await read_card(storage, session_id), thumbnail is not None

    cards = await run_all(write, newest_first, _AT_ONCE)
    document = folder / "index.html"
    page = gallery_page(storage.url, cards, served=False, reports=reports)
    document.write_text(page, encoding="utf-8")
    return document


def _prepare(folder: Path) -> None:
    (folder / "thumbs").mkdir(parents=True, exist_ok=True)
    for name in STATIC:
        (folder / name).write_text(static_file(name), encoding="utf-8")
