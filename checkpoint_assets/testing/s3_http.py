"""HTTP/1.1 on a socket, done by hand: a server that misbehaves must own every byte it sends.

A connection reads requests one after the other, asks the fault plan about each, and answers as the
faults that hit it say.
"""

from __future__ import annotations

import asyncio
import contextlib
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.testing.http_server import (
    LARGEST_HEAD,
    Head,
    read_body,
    read_head,
    reset,
)
from checkpoint_assets.testing.s3_faults import Fault, S3FaultPlan
from checkpoint_assets.testing.s3_objects import keys_to_delete
from checkpoint_assets.testing.s3_protocol import (
    S3Answer,
    S3Error,
    S3Request,
    error_answer,
    http_time,
    operation_of,
    split_path,
)

# Requests to this "bucket" are for the server itself: no fault hits them.
CONTROL = "_control"
_ERRORS = {
    "internal_error": S3Error("InternalError", "We encountered an internal error."),
    "slow_down": S3Error("SlowDown", "Please reduce your request rate."),
    "too_many_requests": S3Error("TooManyRequests"),
    "forbidden": S3Error("AccessDenied", "Access Denied"),
    "no_such_bucket": S3Error("NoSuchBucket", "The specified bucket does not exist"),
    "request_conflict": S3Error("ConditionalRequestConflict"),
    "error_in_ok": S3Error("InternalError", "We encountered an internal error.", status=200),
}


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as the server saw it; ``status`` is 0 where nothing was answered."""

    operation: str
    bucket: str
    key: str
    status: int
    faults: tuple[str, ...]
    received: int
    sent: int


class _Gone(Exception):
    """The connection is over: reset, or silent until the client left."""


class Connection:
    """One client's connection, served until either side ends it."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answer: Callable[[S3Request], S3Answer],
        faults: S3FaultPlan,
        clock: Clock,
        log: Callable[[LoggedRequest], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._faults = faults
        self._clock = clock
        self._log = log

    async def serve(self) -> None:
        """Serve requests until the connection ends."""
        with (
            contextlib.closing(self._writer),
            contextlib.suppress(
                _Gone, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ),
        ):
            while await self._serve_one():
                pass

    async def _serve_one(self) -> bool:
        head = await read_head(self._reader)
        path, _, asked = head.target.partition("?")
        bucket, key = split_path(path)
        query = dict(urllib.parse.parse_qsl(asked, keep_blank_values=True))
        operation = operation_of(head.method, bucket, key, query, head.headers)
        request = S3Request(
            head.method, operation, bucket, key, query, head.headers, b"", self._clock.now()
        )
        if bucket == CONTROL:
            request.body = await self._read_body(head, request, ())
            return await self._respond(request)
        early = self._faults.take(operation, [key], uploading=True)
        request.body = await self._read_body(head, request, early)
        request.faults = self._faults.take(operation, _keys(request))
        return await self._respond(request)

    async def _respond(self, request: S3Request) -> bool:
        if slow := request.fault("latency"):
            await asyncio.sleep(slow.seconds or 0)
        if (skew := request.fault("wrong_clock")) and skew.seconds:
            request.now += timedelta(seconds=skew.seconds)
        if request.fault("corrupt_upload"):
            request.body = _flip(request.body)
        if request.fault("reset"):
            self._end(request)
        if hang := request.fault("hang"):
            self._note(request, 0, 0)
            await self._fall_silent(hang)
        answer = _error_of(request) or self._answer(request)
        if request.fault("lost_ack"):
            self._end(request)
        if request.fault("short"):
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        if request.fault("corrupt"):
            answer = replace(answer, body=_flip(answer.body))
        return await self._send(request, answer)

    async def _send(self, request: S3Request, answer: S3Answer) -> bool:
        body = b"" if request.method == "HEAD" else answer.body
        head = _head_bytes(request, answer)
        cut = request.fault("truncate")
        stall = request.fault("stall")
        if cut or stall:
            body = body[: len(body) // 2]
        # Noted first: who has the answer finds the request in the log.
        self._note(request, answer.status, len(head) + len(body))
        self._writer.write(head + body)
        await self._writer.drain()
        if stall:
            await self._fall_silent(stall)
        return not cut and request.headers.get("connection", "").lower() != "close"

    async def _fall_silent(self, fault: Fault) -> None:
        """Say nothing more. Ends when the client leaves, or the fault's time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(fault.seconds):
                while await self._reader.read(LARGEST_HEAD):
                    pass
        self._writer.transport.abort()
        raise _Gone

    def _end(self, request: S3Request) -> None:
        self._note(request, 0, 0)
        reset(self._writer)
        raise _Gone

    def _note(self, request: S3Request, status: int, sent: int) -> None:
        kinds = tuple(fault.kind for fault in request.faults)
        received = len(request.body)
        self._log(
            LoggedRequest(
                request.operation, request.bucket, request.key, status, kinds, received, sent
            )
        )

    async def _read_body(self, head: Head, request: S3Request, faults: tuple[Fault, ...]) -> bytes:
        headers = head.headers
        length = int(headers.get("content-length", "0"))
        has_body = length or "transfer-encoding" in headers
        if has_body and headers.get("expect", "").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if faults:
            await self._reader.readexactly(length // 2)
            request.faults = faults
            self._end(request)
        return await read_body(self._reader, headers)


def _keys(request: S3Request) -> list[str]:
    if request.operation != "DeleteObjects":
        return [request.key]
    try:
        return [item["Key"] for item in keys_to_delete(request)]
    except S3Error:
        return [""]


def _error_of(request: S3Request) -> S3Answer | None:
    for fault in request.faults:
        error = _ERRORS.get(fault.kind)
        if error is not None:
            if fault.code:
                error = S3Error(fault.code, str(error), status=error.status)
            return error_answer(error, f"/{request.bucket}/{request.key}")
    return None


def _flip(data: bytes) -> bytes:
    """The same bytes but for one bit in the middle."""
    if not data:
        return data
    place = len(data) // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _head_bytes(request: S3Request, answer: S3Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        "Server: faulty-s3",
        f"Date: {http_time(request.now)}",
        "x-amz-request-id: 0",
    ]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.status not in {204, 304}:
        lines.append(f"Content-Length: {len(answer.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
