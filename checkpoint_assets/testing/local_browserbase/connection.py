"""One client's connection: requests of the API, or a web socket, and the faults of both."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from checkpoint_assets.testing.http_server import LARGEST_HEAD, read_body, read_head, reset
from checkpoint_assets.testing.local_browserbase.account import Account
from checkpoint_assets.testing.local_browserbase.answers import Answer, ApiError, Request
from checkpoint_assets.testing.local_browserbase.api import Api, operation_of
from checkpoint_assets.testing.local_browserbase.faults import BrowserbaseFaultPlan, Fault
from checkpoint_assets.testing.local_browserbase.session import RemoteSession
from checkpoint_assets.testing.local_browserbase.sessions import Sessions
from checkpoint_assets.testing.local_browserbase.tunnel import Tunnel

LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as the server saw it; ``status`` is 0 where nothing was answered."""

    operation: str
    status: int
    fault: str | None


class _Gone(Exception):
    """The connection is over."""


class Connection:
    """One client's connection, served until either side ends it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        account: Account,
        api: Api,
        sessions: Sessions,
        faults: BrowserbaseFaultPlan,
        log: Callable[[LoggedRequest], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._account = account
        self._api = api
        self._sessions = sessions
        self._faults = faults
        self._log = log

    async def serve(self) -> None:
        """Serve requests until the connection ends."""
        with (
            contextlib.closing(self._writer),
            contextlib.suppress(
                _Gone, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ),
        ):
            while await self._serve_one(await self._read()):
                pass

    async def _serve_one(self, request: Request) -> bool:
        if request.headers.get("upgrade", "").lower() == "websocket":
            await self._connect(request)
            return False
        operation, ids = operation_of(request.method, request.path)
        fault = self._faults.take(operation)
        if fault is not None and fault.kind != "lost_answer":
            refusal = await self._fail(fault, operation)
            if refusal is not None:
                return await self._send(operation, refusal, fault)
        answer = await self._api.answer(operation, ids, request)
        if fault is not None and fault.kind == "lost_answer":
            self._end(operation, fault)
        return await self._send(operation, answer, fault)

    async def _connect(self, request: Request) -> None:
        fault = self._faults.take("connect")
        try:
            refusal = await self._fail(fault, "connect") if fault is not None else None
            session = self._session(request)
        except ApiError as err:
            refusal, session = err.answer(), None
        if refusal is not None or session is None:
            await self._send("connect", refusal or Answer(404), fault)
            return
        self._log(LoggedRequest("connect", 101, fault.kind if fault else None))
        await Tunnel(session, self._sessions, self._reader, self._writer, self._faults).run(
            request.headers
        )

    def _session(self, request: Request) -> RemoteSession:
        """The session that the URL names. Raises ``ApiError`` 401, 404 or 410."""
        session = self._sessions.get(request.query.get("sessionId", ""))
        keys = (request.query.get("signingKey"), request.query.get("apiKey"))
        if keys[0] != session.signing_key and keys[1] != self._account.api_key:
            raise ApiError(401, "Unauthorized")
        if not session.live:
            raise ApiError(410, f"Session {session.id} is not running")
        return session

    async def _fail(self, fault: Fault, operation: str) -> Answer | None:
        """What the fault answers, if it lets anything be answered in the request's place."""
        match fault.kind:
            case "latency":
                await asyncio.sleep(fault.seconds)
                return None
            case "status":
                text = f"injected {fault.status}"
                return ApiError(fault.status, text, fault.headers).answer()
            case "hang":
                self._log(LoggedRequest(operation, 0, fault.kind))
                while await self._reader.read(LARGEST_HEAD):
                    pass
                raise _Gone
            case _:
                self._end(operation, fault)
        return None

    def _end(self, operation: str, fault: Fault) -> None:
        self._log(LoggedRequest(operation, 0, fault.kind))
        reset(self._writer)
        raise _Gone

    async def _send(self, operation: str, answer: Answer, fault: Fault | None) -> bool:
        lines = [
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
            f"Content-Type: {answer.media_type}",
            f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers.items()),
        ]
        # Noted first: who has the answer finds the request in the log.
        self._log(LoggedRequest(operation, answer.status, fault.kind if fault else None))
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + answer.body)
        await self._writer.drain()
        return operation != "connect"

    async def _read(self) -> Request:
        head = await read_head(self._reader)
        path, _, query = head.target.partition("?")
        length = head.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            raise _Gone
        return Request(
            head.method,
            urllib.parse.unquote(path),
            dict(urllib.parse.parse_qsl(query, keep_blank_values=True)),
            head.headers,
            await read_body(self._reader, head.headers),
        )
