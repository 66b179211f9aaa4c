"""The routes of the API: which operation a request is, and what is answered."""

from __future__ import annotations

import contextlib
import io
import re
import secrets
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from checkpoint_assets.testing.local_browserbase.account import Account
from checkpoint_assets.testing.local_browserbase.answers import Answer, ApiError, Request, as_json
from checkpoint_assets.testing.local_browserbase.limits import Limits
from checkpoint_assets.testing.local_browserbase.metadata_query import InvalidQuery, matches
from checkpoint_assets.testing.local_browserbase.session import RemoteSession
from checkpoint_assets.testing.local_browserbase.sessions import Sessions
from checkpoint_assets.testing.local_browserbase.wishes import read_wish

_ID = "([^/]+)"
_SESSION = f"/v1/sessions/{_ID}"
_ROUTES: tuple[tuple[str, str, str], ...] = (
    ("POST", "/v1/sessions", "sessions.create"),
    ("GET", "/v1/sessions", "sessions.list"),
    ("GET", _SESSION, "sessions.retrieve"),
    ("POST", _SESSION, "sessions.update"),
    ("GET", f"{_SESSION}/debug", "sessions.debug"),
    ("GET", f"{_SESSION}/logs", "sessions.logs.list"),
    ("GET", f"{_SESSION}/recording", "sessions.recording.retrieve"),
    ("GET", f"{_SESSION}/recording/downloads", "sessions.recording.downloads.list"),
    ("POST", f"{_SESSION}/recording/downloads", "sessions.recording.downloads.create"),
    ("GET", f"{_SESSION}/replays", "sessions.replays.retrieve"),
    ("GET", f"{_SESSION}/replays/{_ID}", "sessions.replays.retrieve_page"),
    ("GET", f"{_SESSION}/downloads", "sessions.downloads.list"),
    ("POST", f"{_SESSION}/uploads", "sessions.uploads.create"),
    ("POST", "/v1/contexts", "contexts.create"),
    ("GET", f"/v1/contexts/{_ID}", "contexts.retrieve"),
    ("PUT", f"/v1/contexts/{_ID}", "contexts.update"),
    ("DELETE", f"/v1/contexts/{_ID}", "contexts.delete"),
    ("POST", "/v1/extensions", "extensions.create"),
    ("GET", f"/v1/extensions/{_ID}", "extensions.retrieve"),
    ("DELETE", f"/v1/extensions/{_ID}", "extensions.delete"),
    ("GET", "/v1/projects", "projects.list"),
    ("GET", f"/v1/projects/{_ID}", "projects.retrieve"),
    ("GET", f"/v1/projects/{_ID}/usage", "projects.usage"),
)
OPERATIONS = tuple(operation for _, _, operation in _ROUTES)
DEFAULT_TIMEOUT = 300


def operation_of(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """The operation and the ids in the path; an unknown one is called ``unknown``."""
    for each, pattern, operation in _ROUTES:
        if each == method and (found := re.fullmatch(pattern, path)):
            return operation, found.groups()
    return "unknown", ()


class Api:
    """Answers the requests of one account."""

    def __init__(
        self,
        account: Account,
        sessions: Sessions,
        limits: Limits,
        *,
        shortest_timeout: int,
        longest_timeout: int | None,
        host: Callable[[], str],
    ) -> None:
        self._account = account
        self._sessions = sessions
        self._limits = limits
        self._shortest = shortest_timeout
        self._longest = longest_timeout
        self._host = host
        self._handlers: dict[str, Callable[..., Awaitable[Answer]]] = {
            operation: getattr(self, "_" + operation.replace(".", "_")) for operation in OPERATIONS
        }

    async def answer(self, operation: str, ids: tuple[str, ...], request: Request) -> Answer:
        """The answer, also to a request that cannot be served."""
        try:
            if request.headers.get("x-bb-api-key") != self._account.api_key:
                raise ApiError(401, "Unauthorized")
            if operation == "unknown":
                raise ApiError(404, f"Route {request.method}:{request.path} not found")
            return await self._handlers[operation](request, *ids)
        except ApiError as err:
            return err.answer()

    # Sessions

    async def _sessions_create(self, request: Request) -> Answer:
        body = request.json()
        self._check_project(body)
        wish = read_wish(
            body,
            shortest=self._shortest,
            longest=self._longest,
            default=DEFAULT_TIMEOUT,
            contexts=self._account.contexts,
            extensions=self._account.extensions,
        )
        session = await self._sessions.create(
            wish, self._account.project_id, self._account.archives
        )
        answer = as_json(session.with_addresses(self._host()))
        return Answer(answer.status, answer.body, headers=self._limits.headers())

    async def _sessions_list(self, request: Request) -> Answer:
        status, query = request.query.get("status"), request.query.get("q")
        found = [each for each in self._sessions.all.values() if status in (None, each.status)]
        if query is not None:
            try:
                found = [each for each in found if matches(query, each.wish.user_metadata)]
            except InvalidQuery as err:
                raise ApiError(400, str(err)) from err
        return as_json([each.to_json() for each in reversed(found)])

    async def _sessions_retrieve(self, request: Request, session_id: str) -> Answer:
        session = self._sessions.get(session_id)
        live = session.with_addresses(self._host()) if session.live else session.to_json()
        return as_json(live)

    async def _sessions_update(self, request: Request, session_id: str) -> Answer:
        body = request.json()
        self._check_project(body)
        if body.get("status") != "REQUEST_RELEASE":
            raise ApiError(400, "body/status must be equal to constant")
        session = self._sessions.get(session_id)
        self._sessions.end_soon(session, "COMPLETED", "released")
        return as_json(session.to_json())

    async def _sessions_debug(self, request: Request, session_id: str) -> Answer:
        session = self._running(session_id)
        host, key = self._host(), session.signing_key
        socket = f"{host}/debug/{session.id}?signingKey={key}"
        inspector = f"http://{host}/devtools/inspector.html?ws={socket}"
        pages = [
            {
                "id": page["targetId"],
                "url": page["url"],
                "title": page["title"],
                "faviconUrl": "",
                "debuggerUrl": inspector,
                "debuggerFullscreenUrl": inspector,
            }
            for page in await self._pages(session)
        ]
        words = {"debuggerUrl": inspector, "debuggerFullscreenUrl": inspector}
        return as_json({**words, "wsUrl": f"ws://{socket}", "pages": pages})

    async def _sessions_logs_list(self, request: Request, session_id: str) -> Answer:
        return as_json(list(self._sessions.get(session_id).logs))

    async def _sessions_recording_retrieve(self, request: Request, session_id: str) -> Answer:
        session = self._sessions.get(session_id)
        width, height = session.wish.viewport
        started = _milliseconds(session)
        return as_json(
            [
                {
                    "data": {"href": page["url"], "width": width, "height": height},
                    "sessionId": session.id,
                    "timestamp": started,
                    "type": 4,
                }
                for page in await self._recorded(session)
            ]
        )

    async def _sessions_recording_downloads_list(self, request: Request, session_id: str) -> Answer:
        session = self._sessions.get(session_id)
        answer = await self._downloads(session)
        if session.videos == "PENDING":
            session.videos = "COMPLETED"
        return answer

    async def _sessions_recording_downloads_create(
        self, request: Request, session_id: str
    ) -> Answer:
        session = self._sessions.get(session_id)
        if session.live:
            raise ApiError(409, "Session is still running")
        if session.videos == "NOT_REQUESTED":
            session.videos = "PENDING"
        return await self._downloads(session)

    async def _downloads(self, session: RemoteSession) -> Answer:
        downloads: list[dict[str, Any]] = []
        for number, _ in enumerate(await self._recorded(session)):
            words: dict[str, Any] = {"pageId": str(number), "status": session.videos}
            if session.videos == "COMPLETED":
                signature = secrets.token_urlsafe(32)
                path = f"recordings/{session.id}/{number}.mp4"
                words["completedAt"] = session.to_json().get("endedAt")
                words["downloadUrl"] = f"http://{self._host()}/{path}?signature={signature}"
            downloads.append(words)
        return as_json({"downloads": downloads})

    async def _sessions_replays_retrieve(self, request: Request, session_id: str) -> Answer:
        session = self._sessions.get(session_id)
        started = _milliseconds(session)
        ended = round((session.ended_at or session.created_at).timestamp() * 1000)
        pages = [
            {
                "pageId": str(number),
                "url": page["url"],
                "startTimeMs": started,
                "endTimeMs": max(ended, started),
            }
            for number, page in enumerate(await self._recorded(session))
        ]
        return as_json({"pageCount": len(pages), "pages": pages})

    async def _sessions_replays_retrieve_page(
        self, request: Request, session_id: str, page: str
    ) -> Answer:
        recorded = await self._recorded(self._sessions.get(session_id))
        if not page.isdecimal() or int(page) >= len(recorded):
            raise ApiError(404, f"Page {page} not found")
        return Answer(200, b"#EXTM3U\n#EXT-X-ENDLIST\n", "application/vnd.apple.mpegurl")

    async def _sessions_downloads_list(self, request: Request, session_id: str) -> Answer:
        session = self._sessions.get(session_id)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(session.downloads.glob("*")):
                archive.write(file, file.name)
        return Answer(200, packed.getvalue(), "application/zip")

    async def _sessions_uploads_create(self, request: Request, session_id: str) -> Answer:
        session = self._running(session_id)
        name, content = request.file()
        session.uploads.mkdir(parents=True, exist_ok=True)
        (session.uploads / Path(name).name).write_bytes(content)
        return as_json({"message": "File uploaded successfully"})

    # Contexts, extensions, the project

    async def _contexts_create(self, request: Request) -> Answer:
        return as_json(self._account.new_context(request.json()))

    async def _contexts_retrieve(self, request: Request, context_id: str) -> Answer:
        return as_json(self._account.context(context_id))

    async def _contexts_update(self, request: Request, context_id: str) -> Answer:
        return as_json(self._account.context_keys(context_id))

    async def _contexts_delete(self, request: Request, context_id: str) -> Answer:
        self._account.context(context_id)
        del self._account.contexts[context_id]
        return Answer(204)

    async def _extensions_create(self, request: Request) -> Answer:
        return as_json(self._account.new_extension(*request.file()))

    async def _extensions_retrieve(self, request: Request, extension_id: str) -> Answer:
        return as_json(self._account.extension(extension_id))

    async def _extensions_delete(self, request: Request, extension_id: str) -> Answer:
        self._account.extension(extension_id)
        del self._account.extensions[extension_id], self._account.archives[extension_id]
        return Answer(204)

    async def _projects_list(self, request: Request) -> Answer:
        return as_json([self._account.project(self._limits.concurrent, DEFAULT_TIMEOUT)])

    async def _projects_retrieve(self, request: Request, project_id: str) -> Answer:
        self._check_project({"projectId": project_id})
        return as_json(self._account.project(self._limits.concurrent, DEFAULT_TIMEOUT))

    async def _projects_usage(self, request: Request, project_id: str) -> Answer:
        self._check_project({"projectId": project_id})
        ended = [each for each in self._sessions.all.values() if each.ended_at is not None]
        seconds = sum(
            (each.ended_at - each.created_at).total_seconds() for each in ended if each.ended_at
        )
        return as_json({"browserMinutes": round(seconds / 60), "proxyBytes": 0})

    def _check_project(self, body: dict[str, Any]) -> None:
        if body.get("projectId", self._account.project_id) != self._account.project_id:
            raise ApiError(403, "You do not have access to this project")

    def _running(self, session_id: str) -> RemoteSession:
        session = self._sessions.get(session_id)
        if not session.live:
            raise ApiError(410, f"Session {session_id} is not running")
        return session

    async def _pages(self, session: RemoteSession) -> list[dict[str, str]]:
        if session.live and session.browser is not None:
            with contextlib.suppress(ConnectionError):
                return await session.browser.pages()
        await self._sessions.ended()  # by then it is known what was open
        return session.pages

    async def _recorded(self, session: RemoteSession) -> list[dict[str, str]]:
        return await self._pages(session) if session.wish.record else []


def _milliseconds(session: RemoteSession) -> int:
    return round((session.started_at or session.created_at).timestamp() * 1000)
