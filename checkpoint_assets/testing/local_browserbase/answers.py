"""Requests and answers of the API, as far as they are the same for all routes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``path`` is decoded, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``ApiError`` 400."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as err:
            raise ApiError(400, "Body is not valid JSON") from err
        if not isinstance(value, dict):
            raise ApiError(400, "body must be object")
        return cast("dict[str, Any]", value)

    def file(self) -> tuple[str, bytes]:
        """Name and content of the field ``file`` of a form. Raises ``ApiError`` 400."""
        kind = self.headers.get("content-type", "")
        message = BytesParser(policy=HTTP).parsebytes(
            f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + self.body
        )
        for part in message.iter_parts() if message.is_multipart() else ():
            if part.get_param("name", header="content-disposition") == "file":
                content = part.get_payload(decode=True)
                return part.get_filename() or "file", cast("bytes", content)
        raise ApiError(400, "file is required")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; ``body`` is JSON unless ``media_type`` says otherwise."""

    status: int
    body: bytes = b""
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class ApiError(Exception):
    """An error status with the body that Browserbase sends: statusCode, error, message."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        body = {
            "statusCode": self.status,
            "error": HTTPStatus(self.status).phrase,
            "message": self.message,
        }
        return Answer(self.status, json.dumps(body).encode(), headers=self.headers)


def as_json(value: Any, status: int = 200) -> Answer:
    """The value as the answer's body."""
    return Answer(status, json.dumps(value).encode())
