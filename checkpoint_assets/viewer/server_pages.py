"""The answers of the viewer's server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, InvalidInput, NotFound, StorageError
from checkpoint_assets.model.records import ArtifactRecord
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.byte_range import byte_range
from checkpoint_assets.viewer.captured_values import text
from checkpoint_assets.viewer.documents import STATIC, static_file
from checkpoint_assets.viewer.gallery_page import Asked, gallery_page
from checkpoint_assets.viewer.isolation import SANDBOXED_PAGE_POLICY, SERVED_POLICY
from checkpoint_assets.viewer.pictures import MEDIA_TYPES, small_picture
from checkpoint_assets.viewer.recently_used import RecentlyUsed
from checkpoint_assets.viewer.report_folder import script_file
from checkpoint_assets.viewer.report_shell import SHELL_END, report_shell
from checkpoint_assets.viewer.search_index import SearchIndex
from checkpoint_assets.viewer.served_sessions import ServedSessions
from checkpoint_assets.viewer.session_card import read_thumbnail
from checkpoint_assets.viewer.session_view import SessionView, StepRow, read_session
from checkpoint_assets.viewer.step_details import LoadedStep, step_details
from checkpoint_assets.viewer.step_loading import load_step, load_steps

# A step is stored once, but for a new version of it: whoever has it asks whether it still is.
_REVALIDATED = "private, no-cache"
_DOCUMENT = {
    "content-security-policy": f"{SERVED_POLICY}; frame-ancestors 'none'",
    "cache-control": _REVALIDATED,
}
_SCRIPT = "text/javascript; charset=utf-8"
_STATIC_TYPES = {"css": "text/css; charset=utf-8", "js": _SCRIPT}


class ServerPages:
    """Each answer is made from the store when it is asked for; a few are kept for the next."""

    def __init__(self, storage: StorageManager) -> None:
        self._storage = storage
        self._sessions = ServedSessions(storage)
        self._views = RecentlyUsed[str, SessionView](read_view(storage), entries=8, seconds=5)
        self._steps = RecentlyUsed[tuple[str, str], LoadedStep](self._load, entries=6, seconds=60)
        # Work that takes a processor: two at a time, whatever is asked for.
        self._working = asyncio.Semaphore(2)

    async def gallery(self, request: Request) -> Response:
        given = request.query_params
        asked = Asked(*(text(given.get(each), 96) for each in Asked.__slots__))
        before = given.get("before") or None
        page = await self._sessions.page(asked, before)
        document = gallery_page(
            self._storage.url,
            [(card, card.steps > 0) for card in page.cards],
            served=True,
            asked=asked,
            newest=asked.address() if before else None,
            older=asked.address(page.older) if page.older else None,
            searched=f"{page.looked_at} sessions looked at" if asked.anything else "",
        )
        return HTMLResponse(document, headers=_DOCUMENT)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise NotFound("there is no such file")
        data = static_file(name).encode()
        media_type = _STATIC_TYPES[name.rpartition(".")[2]]
        return _kept(request, data, media_type, sha256_hex(data))

    async def report(self, request: Request) -> Response:
        session = await self._views.get(request.path_params["session"])
        return HTMLResponse(report_shell(session, "served") + SHELL_END, headers=_DOCUMENT)

    async def words(self, request: Request) -> Response:
        session = await self._views.get(request.path_params["session"])
        async with self._working:
            index = SearchIndex()
            async for step in load_steps(self._storage, session):
                if step.page is not None:
                    index.add(step.row.ordinal, step.page.text)
            return _script(request, "text", index.to_data())

    async def details(self, request: Request) -> Response:
        session_id, row, before = await self._row(request)
        async with self._working:
            step = await self._steps.get((session_id, row.step_id))
            earlier = await self._steps.get((session_id, before.step_id)) if before else None
            found = await asyncio.to_thread(step_details, step, earlier)
        return _script(request, f"step-{row.ordinal}", found)

    async def page(self, request: Request) -> Response:
        session_id, row, _ = await self._row(request)
        async with self._working:
            step = await self._steps.get((session_id, row.step_id))
        if step.page is None:
            raise NotFound("this step has no page that can be shown")
        data = step.page.html.encode()
        policy = {"content-security-policy": SANDBOXED_PAGE_POLICY}
        return _kept(request, data, "text/html; charset=utf-8", sha256_hex(data), policy)

    async def thumbnail(self, request: Request) -> Response:
        session_id, step_id, described = await self._screenshot(request)
        headers = _tagged(f"small-{described.sha256}")
        if _is_known(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        async with self._working:
            data = await self._storage.read_artifact(session_id, step_id, Artifact.SCREENSHOT)
            try:
                small = await asyncio.to_thread(small_picture, data or b"")
            except ValueError as err:
                raise NotFound("this step has no picture that can be shown") from err
        return Response(small, headers=headers, media_type="image/webp")

    async def session_thumbnail(self, request: Request) -> Response:
        async with self._working:
            data = await read_thumbnail(self._storage, request.path_params["session"])
        if data is None:
            raise NotFound("this session has no picture that can be shown")
        return _kept(request, data, "image/webp", sha256_hex(data))

    async def picture(self, request: Request) -> Response:
        """The screenshot as it is stored: whole, a range of it, or that it has not changed."""
        session_id, step_id, described = await self._screenshot(request)
        headers = _tagged(described.sha256) | {"accept-ranges": "bytes"}
        if _is_known(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        return self._ranged(request, session_id, step_id, described, headers)

    def _ranged(
        self,
        request: Request,
        session_id: str,
        step_id: str,
        described: ArtifactRecord,
        headers: dict[str, str],
    ) -> Response:
        size = described.size
        wanted = request.headers.get("range")
        if request.headers.get("if-range", headers["etag"]) != headers["etag"]:
            wanted = None
        asked = byte_range(wanted, size)
        if asked is None:
            return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
        start, length, partial = asked
        headers["content-length"] = str(length)
        if partial:
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{size}"
        status = 206 if partial else 200
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=described.media_type)
        chunks = self._storage.open_artifact(
            session_id, step_id, Artifact.SCREENSHOT, start, length
        )
        return StreamingResponse(chunks, status, headers, described.media_type)

    async def _screenshot(self, request: Request) -> tuple[str, str, ArtifactRecord]:
        session_id, step_id = request.path_params["session"], request.path_params["step"]
        record = await self._storage.get_commit_record(session_id, step_id)
        described = record.artifacts.get(Artifact.SCREENSHOT)
        if described is None or described.media_type not in MEDIA_TYPES:
            raise NotFound("this step has no picture that can be shown")
        return session_id, step_id, described

    async def _row(self, request: Request) -> tuple[str, StepRow, StepRow | None]:
        """The session, the step that is asked for, and the one before it."""
        session = await self._views.get(request.path_params["session"])
        for row in session.steps:
            if row.step_id == request.path_params["step"]:
                before = session.steps[row.ordinal - 1] if row.ordinal else None
                return session.session_id, row, before
        raise NotFound("there is no such step")

    async def _load(self, key: tuple[str, str]) -> LoadedStep:
        session_id, step_id = key
        session = await self._views.get(session_id)
        for row in session.steps:
            if row.step_id == step_id:
                return await load_step(self._storage, session_id, row)
        raise NotFound("there is no such step")

    @property
    def refusals(self) -> Mapping[Any, Any]:
        """The answer to each kind of error. What went wrong inside is for the log alone."""
        return {
            NotFound: _refuse(404, "there is nothing of that name"),
            InvalidInput: _refuse(400, "that is no name of a session or a step"),
            ValueError: _refuse(400, "that cannot be asked for"),
            IntegrityError: _refuse(502, "what is stored is not what was committed"),
            StorageError: _refuse(503, "the store does not answer"),
        }


def read_view(storage: StorageManager) -> Any:
    """Reads a session's rows."""

    async def read(session_id: str) -> SessionView:
        return await read_session(storage, session_id)

    return read


def _refuse(status: int, words: str) -> Any:
    async def answer(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{words}\n", status)

    return answer


def _script(request: Request, name: str, data: object) -> Response:
    body = script_file(name, data).encode()
    return _kept(request, body, _SCRIPT, sha256_hex(body))


def _kept(
    request: Request,
    data: bytes,
    media_type: str,
    digest: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    tagged = {**_tagged(digest), **(headers or {})}
    if _is_known(request, tagged["etag"]):
        return Response(status_code=304, headers=tagged)
    return Response(data, headers=tagged, media_type=media_type)


def _tagged(digest: str) -> dict[str, str]:
    return {"etag": f'"{digest[:32]}"', "cache-control": _REVALIDATED}


def _is_known(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [each.strip() for each in known.split(",")]
