"""A browser elsewhere is not led to addresses out of bounds, as far as CDP lets us see to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.testing.local_browserbase import LocalBrowserbase
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.collection.captures import check_incomplete
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Inside(Pages):
    """A site in a private network, which no scenario may open."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []

    def respond(self, request: Request) -> Response | None:
        self.asked.append(request.path)
        return Response(body=b"<p>classified")


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    with Inside(tmp_path / "inside") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def captures(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
) -> AsyncIterator[RemoteCaptures]:
    async with RemoteCaptures(tmp_path / "store", pages, server) as running:
        yield running


async def test_a_redirect_into_a_private_network_is_not_followed(
    captures: RemoteCaptures, pages: Pages, inside: Inside
):
    url = pages.add(Response.redirect(f"{inside.url}/door"))
    manifest = await captures.run({"goto": url}, source="browserbase")
    check_incomplete(manifest, "is blocked")
    assert inside.asked == []
    assert "private network" in captures.facts(manifest)["blocked_requests"][0]["reason"]


async def test_a_frame_and_a_link_into_a_private_network_stay_empty(
    captures: RemoteCaptures, pages: Pages, inside: Inside
):
    url = pages.add(f"<iframe src='{inside.url}/frame'></iframe><a href='{inside.url}/link'>go</a>")
    manifest = await captures.run({"goto": url}, {"click": "a"}, source="browserbase")
    check_incomplete(manifest, "is blocked")
    assert inside.asked == []
    assert len(captures.facts(manifest)["blocked_requests"]) == 1
    for content in captures.tree(manifest.session_id).values():
        assert b"classified" not in content


async def test_the_manifest_says_what_was_not_looked_at(captures: RemoteCaptures, pages: Pages):
    url = pages.add("<iframe srcdoc='<p>in'></iframe><iframe src='data:text/html,<p>in'></iframe>")
    manifest = await captures.run({"goto": url}, source="browserbase")
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert "web sockets" in manifest.remote["not_filtered"]
    assert "blocked_requests" not in captures.facts(manifest)
