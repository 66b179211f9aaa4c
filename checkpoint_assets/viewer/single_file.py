"""A session report as one file: first the shell, then step by step what it shows."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Iterator

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.json_text import script_json
from checkpoint_assets.viewer.report_shell import SHELL_END, report_shell
from checkpoint_assets.viewer.search_index import SearchIndex
from checkpoint_assets.viewer.session_view import read_session
from checkpoint_assets.viewer.step_details import LoadedStep, step_details
from checkpoint_assets.viewer.step_loading import load_steps


async def report_chunks(storage: StorageManager, session_id: str) -> AsyncIterator[bytes]:
    """The report in parts: no more than two steps are in memory. Raises ``NotFound``."""
    session = await read_session(storage, session_id)
    yield report_shell(session, "single").encode()
    index = SearchIndex()
    before: LoadedStep | None = None
    async for step in load_steps(storage, session):
        if step.page is not None:
            index.add(step.row.ordinal, step.page.text)
        yield await asyncio.to_thread(_step_blocks, step, before)
        before = step
    yield _block("json", "text", script_json(index.to_data())).encode()
    yield SHELL_END.encode()


def _step_blocks(step: LoadedStep, before: LoadedStep | None) -> bytes:
    return "".join(_blocks(step, before)).encode()


def _blocks(step: LoadedStep, before: LoadedStep | None) -> Iterator[str]:
    ordinal = step.row.ordinal
    if step.picture is not None and step.row.picture == ordinal:
        media_type = step.picture.media_type
        yield _block(media_type, f"picture-{ordinal}", _base64(step.picture_bytes))
        yield _block("image/webp", f"thumb-{ordinal}", _base64(step.picture.thumbnail()))
    if step.page is not None and step.row.page == ordinal:
        packed = gzip.compress(step.page.html.encode(), 6, mtime=0)
        yield _block("gzip", f"page-{ordinal}", _base64(packed))
    yield _block("json", f"step-{ordinal}", script_json(step_details(step, before)))


def _block(kind: str, name: str, content: str) -> str:
    """Data that a browser reads over: the type is none that it would run."""
    media_type = kind if "/" in kind else f"application/{kind}"
    return f'<script type="{media_type}" id="{name}">{content}</script>\n'


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
