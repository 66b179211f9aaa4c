"""What Browserbase itself keeps of a session, for the manifest: where it is, never a signed URL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import datetime
from typing import Any, TypeVar

from browserbase import AsyncBrowserbase, BrowserbaseError

from checkpoint_assets.collection.redaction import redact_url
from checkpoint_assets.model.clock import isoformat

T = TypeVar("T")

DASHBOARD = "https://www.browserbase.com/sessions/"
_PAGES = 50


def described(session: Any) -> dict[str, Any]:
    """The session as it was created."""
    words = {
        "provider": "browserbase",
        "session_id": session.id,
        "url": f"{DASHBOARD}{session.id}",
        "project_id": getattr(session, "project_id", None),
        "region": getattr(session, "region", None),
        "context_id": getattr(session, "context_id", None),
        "keep_alive": getattr(session, "keep_alive", None),
        "created_at": _moment(session, "created_at"),
        "expires_at": _moment(session, "expires_at"),
    }
    return {name: value for name, value in words.items() if value is not None}


async def live_links(client: AsyncBrowserbase, session_id: str, seconds: float) -> dict[str, Any]:
    """Where a session that runs can be watched; without the key that opens it."""
    debug = await _asked(client.sessions.debug(session_id), seconds)
    if debug is None:
        return {}
    # Its query is what opens the session, to anybody.
    return {"debug_url": debug.debugger_fullscreen_url.partition("?")[0]}


async def links_afterwards(
    client: AsyncBrowserbase,
    session_id: str,
    seconds: float,
    *,
    log: bool,
    record: bool,
    make_videos: bool = True,
) -> dict[str, Any]:
    """How the session ended, and what there is of logs, replays and videos.

    Videos are made when somebody asks for it: here, if ``make_videos``.
    """
    words: dict[str, Any] = {}
    if (session := await _asked(client.sessions.retrieve(session_id), seconds)) is not None:
        words = {"status": session.status, "proxy_bytes": getattr(session, "proxy_bytes", 0)}
        if ended := _moment(session, "ended_at"):
            words["ended_at"] = ended
    base = f"/v1/sessions/{session_id}"
    if log and (entries := await _asked(client.sessions.logs.list(session_id), seconds)):
        # The entries themselves hold what was typed, secrets too: they stay where they are.
        methods = Counter(entry.method for entry in entries)
        words["logs"] = {"path": f"{base}/logs", "entries": len(entries), "methods": dict(methods)}
    if record and (replay := await _asked(client.sessions.replays.retrieve(session_id), seconds)):
        words["replay"] = [
            {
                "path": f"{base}/replays/{page.page_id}",
                "url": redact_url(page.url),
                "start_ms": page.start_time_ms,
                "end_ms": page.end_time_ms,
            }
            for page in replay.pages[:_PAGES]
        ]
        downloads = client.sessions.recording.downloads
        ask = downloads.create if make_videos else downloads.list
        videos = await _asked(ask(session_id), seconds)
        if videos is not None:
            words["videos"] = [
                {"path": f"{base}/recording/downloads", "page_id": each.page_id,
                 "status": each.status}
                for each in videos.downloads[:_PAGES]
            ]  # fmt: skip
    return words


async def _asked(call: Awaitable[T], seconds: float) -> T | None:
    """The answer, or nothing: a manifest without a link is better than no manifest."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except (BrowserbaseError, TimeoutError):
        return None


def _moment(session: Any, name: str) -> str | None:
    value = getattr(session, name, None)
    return isoformat(value) if isinstance(value, datetime) else None
