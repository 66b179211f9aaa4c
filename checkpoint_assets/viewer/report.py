"""The session report: what a person looks at. Made from the store, at any time, again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.report_folder import write_report_folder
from checkpoint_assets.viewer.single_file import report_chunks

REPORT = "report.html"


async def session_report(storage: StorageManager, session_id: str) -> bytes:
    """The report as one HTML document, pictures inside. Raises ``NotFound``."""
    return b"".join([chunk async for chunk in report_chunks(storage, session_id)])


async def save_report(storage: StorageManager, session_id: str, path: Path) -> Path:
    """The file holds the report, written a step at a time; it is whole or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    try:
        with partial.open("wb") as out:
            async for chunk in report_chunks(storage, session_id):
                await asyncio.to_thread(out.write, chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


async def write_report(storage: StorageManager, session_id: str, folder: Path | None = None) -> str:
    """The report is in the folder, or without one beside the session as ``_derived/report.html``.

    Returns where it is: the path of the folder's ``index.html``, or the place in the store.
    Raises ``NotFound`` for a session of which nothing is stored.
    """
    if folder is not None:
        return str(await write_report_folder(storage, session_id, folder))
    data = await session_report(storage, session_id)
    return await storage.store_derived(session_id, REPORT, data, "text/html; charset=utf-8")
