"""The local server, spoken to as plainly as HTTP allows."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionIds
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.served_sessions import PAGE
from checkpoint_assets_tests.viewer.conftest import serving
from checkpoint_assets_tests.viewer.sessions import SESSION, store_shop, webp

PICTURE = f"/sessions/{SESSION}/pictures/0001-goto.webp"


class Answer:
    """A response that was read to its end; header names are in lower case."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.body = response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}


class Client:
    def __init__(self, url: str) -> None:
        self._at = urlsplit(url).netloc

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """The answer; underscores in names of headers are hyphens."""
        return await asyncio.to_thread(self._ask, path, method, headers)

    def _ask(self, path: str, method: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._at, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=named)
            return Answer(connection.getresponse())
        finally:
            connection.close()


@pytest_asyncio.fixture
async def client(storage: StorageManager) -> AsyncIterator[Client]:
    await store_shop(storage)
    async with serving(storage) as url:
        yield Client(url)


async def test_a_picture_is_sent_as_it_is_stored(client: Client, storage: StorageManager) -> None:
    answer = await client.ask(PICTURE)
    stored = await storage.read_artifact(SESSION, "0001-goto", Artifact.SCREENSHOT)
    assert (answer.status, answer.body) == (200, stored)
    assert answer.headers["content-type"] == "image/webp"


async def test_a_picture_that_is_known_is_not_sent_again(client: Client) -> None:
    first = await client.ask(PICTURE)
    again = await client.ask(PICTURE, If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=4-", slice(4, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=8-999999", slice(8, None)),
    ],
)
async def test_a_range_is_that_part_of_the_picture(client: Client, asked: str, part: slice) -> None:
    answer = await client.ask(PICTURE, Range=asked)
    whole = webp("teal")
    assert (answer.status, answer.body) == (206, whole[part])
    assert answer.headers["content-range"].endswith(f"/{len(whole)}")


async def test_a_range_of_another_version_is_answered_with_the_whole(client: Client) -> None:
    answer = await client.ask(PICTURE, Range="bytes=0-3", If_Range='"another"')
    assert (answer.status, answer.body) == (200, webp("teal"))


async def test_a_range_beyond_the_end_is_refused(client: Client) -> None:
    assert (await client.ask(PICTURE, Range="bytes=999999-")).status == 416


@pytest.mark.parametrize("path", ["/", PICTURE, f"/sessions/{SESSION}/"])
async def test_a_head_is_the_answer_without_its_body(client: Client, path: str) -> None:
    whole, head = await client.ask(path), await client.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_but_reading_is_allowed(client: Client, method: str) -> None:
    answer = await client.ask("/", method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:80", ""])
async def test_another_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    answer = await client.ask("/", Host=host)
    assert answer.status == 421
    assert b"shop" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "/sessions/nope/",
        f"/sessions/{SESSION}/steps/0009-nope.js",
        f"/sessions/{SESSION}/pictures/0009-nope.webp",
        "/static/nope.css",
        "/static/..%2f..%2fsession.json",
        "/nothing",
    ],
)
async def test_what_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert (await client.ask(path)).status == 404


@pytest.mark.parametrize(
    "path", ["/sessions/a.b/", "/?state=odd", "/?since=yesterday", "/?before=a.b"]
)
async def test_what_cannot_be_meant_is_refused(client: Client, path: str) -> None:
    assert (await client.ask(path)).status == 400


async def test_captured_html_is_sent_so_that_it_can_do_nothing(client: Client) -> None:
    answer = await client.ask(f"/sessions/{SESSION}/pages/0001-goto.html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; ")
    assert "script-src" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_no_answer_sets_a_cookie_or_may_be_framed_by_others(client: Client) -> None:
    for path in ("/", f"/sessions/{SESSION}/", PICTURE, "/nothing"):
        answer = await client.ask(path)
        assert "set-cookie" not in answer.headers
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_a_damaged_file_is_told_apart_from_a_missing_one(
    client: Client, storage: StorageManager
) -> None:
    key = f"{SESSION}/0001-goto.webp"
    await storage.store.put(key, b"x", media_type="image/webp", sha256="", create=False)
    details = await client.ask(f"/sessions/{SESSION}/steps/0001-goto.js")
    assert b"the screenshot cannot be shown" in details.body
    assert (await client.ask(f"/sessions/{SESSION}/thumbs/0001-goto.webp")).status == 502
    assert (await client.ask(f"/sessions/{SESSION}/thumbs/0009-nope.webp")).status == 404


async def test_pages_go_back_in_time_and_each_session_is_on_one(storage: StorageManager) -> None:
    ids = SessionIds()
    sessions = [str(ids.new()) for _ in range(PAGE + 5)]
    for session in sessions:
        await storage.store_step_data(session, "0001-goto", html_content="<p>x")
    async with serving(storage) as url:
        client = Client(url)
        first = (await client.ask("/")).body.decode()
        older = (await client.ask(f"/?before={sessions[5]}")).body.decode()
    assert [each for each in sessions if each in first] == sessions[5:]
    assert f"/?before={sessions[5]}" in first
    assert [each for each in sessions if each in older] == sessions[:5]


async def test_the_gallery_says_when_a_session_expires_and_that_it_is_pinned(
    client: Client, storage: StorageManager
) -> None:
    moment = await storage.set_expiration(SESSION, ttl=timedelta(days=30))
    assert f"expires {moment:%Y-%m-%d %H:%M:%S} UTC" in (await client.ask("/")).body.decode()
    await storage.pin(SESSION, reason="evidence")
    assert "pinned" in (await client.ask("/")).body.decode()
