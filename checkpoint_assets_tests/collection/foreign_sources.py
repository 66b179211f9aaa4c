"""Sources as somebody else would write them: good ones, and ones that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from io import BytesIO
from typing import Any

from PIL import Image

from checkpoint_assets.collection.plugged_source import SourceRequest
from checkpoint_assets.model.contract_records import CollectedData

HERE = __name__


def png(size: tuple[int, int] = (4, 3)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, "PNG")
    return out.getvalue()


class Letters:
    """One page a step: the letters of ``variables.word``. Remembers what it was asked."""

    made: list[Letters] = []  # noqa: RUF012 (for the tests to look at)

    def __init__(self, request: SourceRequest) -> None:
        self.request = request
        self.word = request.scenario.variables["word"]
        self.calls: list[str] = []
        self.stored = asyncio.Event()
        Letters.made.append(self)

    def get_source_id(self) -> str:
        return f"letters:{self.word}"

    async def connect(self) -> None:
        self.calls.append("connect")

    async def disconnect(self) -> None:
        self.calls.append("disconnect")

    def data(self, letter: str) -> CollectedData:
        page = f"<!doctype html><title>{letter}</title><p>{letter}</p>".encode()
        now = datetime.now()  # noqa: DTZ005 (as somebody would who thinks of no zones)
        metadata: dict[str, Any] = {
            "page": {"title": letter, "url": f"https://abc.example/{letter}"}
        }
        return CollectedData(self.get_source_id(), now, "html", "spelling", page, metadata)

    async def collect(self) -> CollectedData:
        raise NotImplementedError

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        try:
            for letter in self.word:
                yield self.data(letter)
        finally:
            self.calls.append("stream closed")


class Chatty(Letters):
    """Says everything that a step can have, secrets among it."""

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        secret = self.request.secrets["API_KEY"]
        page = f"<p>Bearer {secret}</p>".encode()
        action = {"kind": "search", "selector": "#q", "value": secret, "ordinal": 99}
        yield CollectedData(
            "chatty",
            datetime.now(),  # noqa: DTZ005
            "checkpoint/step",
            "api",
            page,
            {"action": action, "page": {"url": f"https://a.example/?token={secret}", "title": "t"}},
            {"html": page, "screenshot": png()},
        )
        yield self.data("b")


class Broken(Letters):
    """Fails where ``word`` says."""

    async def connect(self) -> None:
        await super().connect()
        if self.word == "connect":
            raise OSError("nobody at home")

    async def disconnect(self) -> None:
        await super().disconnect()
        if self.word == "disconnect":
            raise RuntimeError("it sticks")

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        yield self.data("a")
        match self.word:
            case "collect":
                raise LookupError("lost the thread")
            case "timeout":
                raise TimeoutError
            case "nothing":
                yield None  # type: ignore[misc]
            case "format":
                yield CollectedData("x", datetime.now(), "csv", "x", b"1,2", {})  # noqa: DTZ005
            case "metadata":
                odd = {"page": {"when": datetime.now()}}  # noqa: DTZ005
                yield CollectedData("x", datetime.now(), "html", "x", b"<p>", odd)  # noqa: DTZ005
            case "kind":
                odd = {"action": {"kind": "../up"}}
                yield CollectedData("x", datetime.now(), "html", "x", b"<p>", odd)  # noqa: DTZ005
            case "picture":
                yield CollectedData("x", datetime.now(), "png", "x", b"no picture", {})  # noqa: DTZ005


class Stuck(Letters):
    """Hangs where ``word`` says, until it is cancelled."""

    async def connect(self) -> None:
        await super().connect()
        if self.word == "connect":
            await asyncio.sleep(3600)

    async def disconnect(self) -> None:
        await super().disconnect()
        if self.word == "disconnect":
            await asyncio.sleep(3600)

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        try:
            yield self.data("a")
            if self.word == "collect":
                await asyncio.sleep(3600)
        finally:
            self.calls.append("stream closed")


class Half:
    def __init__(self, request: SourceRequest) -> None:
        pass

    async def connect(self) -> None: ...


def picky(request: SourceRequest) -> Letters:
    raise ValueError("I want a longer word")
