"""Sessions in Browserbase are created once, waited for in order, and released whatever happens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from checkpoint_assets.collection.browser.browserbase_client import own_client
from checkpoint_assets.collection.browser.browserbase_sessions import BrowserbaseSessions
from checkpoint_assets.collection.browser.browserbase_tags import Owner
from checkpoint_assets.config import Browserbase, Settings, Timeouts
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import BrowserUnavailable, InvalidConfiguration
from checkpoint_assets.testing.local_browserbase import Fault, LocalBrowserbase
from checkpoint_assets_tests.collection.captures import check_incomplete
from checkpoint_assets_tests.collection.remote.collectors import RemoteCaptures
from checkpoint_assets_tests.pages import HERMETIC, Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HERE = Owner.this_process()


class Sleeps(list[float]):
    """Remembers how long was slept, and does not."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def sessions_of(
    server: LocalBrowserbase, *, owner: Owner = HERE, sleep: Any = asyncio.sleep, **wishes: Any
) -> BrowserbaseSessions:
    settings = Settings(browserbase=Browserbase(**wishes), timeouts=Timeouts(launch=5))
    return BrowserbaseSessions(settings, server.client(), owner=owner, sleep=sleep)


@pytest_asyncio.fixture(loop_scope="session")
async def slept() -> Sleeps:
    return Sleeps()


@pytest_asyncio.fixture(loop_scope="session")
async def ours(server: LocalBrowserbase, slept: Sleeps) -> AsyncIterator[BrowserbaseSessions]:
    sessions = sessions_of(server, sleep=slept)
    yield sessions
    server.clear_faults()
    await sessions.close()
    # Not by the same object: a sweep leaves alone what it has created itself.
    sweep = sessions_of(server)
    await sweep.release_orphans(older_than=timedelta(0))
    await sweep.close()


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
async def test_a_lost_answer_makes_no_second_session(
    server: LocalBrowserbase, ours: BrowserbaseSessions, kind: Any
):
    server.inject(Fault(kind, operation="sessions.create"))
    session = await ours.create(f"lost-{kind}")
    assert [each.id for each in server.live] == [session.id]
    assert session.connect_url
    assert await ours.release(f"lost-{kind}")
    assert not server.live


async def test_a_server_error_is_asked_about_before_it_is_tried_again(
    server: LocalBrowserbase, ours: BrowserbaseSessions, slept: Sleeps
):
    before = server.counts
    server.inject(Fault("status", operation="sessions.create", status=503, times=2))
    await ours.create("error")
    asked = server.counts - before
    assert (asked["sessions.create"], asked["sessions.list"]) == (3, 2)
    assert slept == [1.0, 2.0]


async def test_a_refusal_is_not_tried_again_and_says_what_to_do(
    server: LocalBrowserbase, ours: BrowserbaseSessions
):
    before = server.counts
    server.inject(Fault("status", operation="sessions.create", status=402))
    with pytest.raises(BrowserUnavailable, match=r"402.*minutes are used up"):
        await ours.create("refused")
    assert (server.counts - before)["sessions.create"] == 1


async def test_too_fast_is_waited_for_as_long_as_browserbase_says(
    server: LocalBrowserbase, ours: BrowserbaseSessions, slept: Sleeps
):
    headers = {"retry-after": "17"}
    server.inject(Fault("status", "sessions.create", status=429, headers=headers))
    await ours.create("fast")
    assert slept == [17.0]


async def test_no_free_session_is_waited_for_until_one_is_released(slept: Sleeps):
    with LocalBrowserbase(concurrent=1, arguments=[HERMETIC], reuse=True) as server:
        sessions = sessions_of(server, sleep=slept)
        await sessions.create("first")
        waiting = [asyncio.ensure_future(sessions.create(f"next-{n}")) for n in range(2)]
        while server.counts["sessions.create"] < 3:
            await asyncio.sleep(0.01)
        assert not any(each.done() for each in waiting)
        await sessions.release("first")
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        await sessions.release("next-0")
        await sessions.release("next-1")
        await asyncio.wait_for(asyncio.gather(*waiting), 20)
        await sessions.release("next-0")
        await sessions.release("next-1")
        assert server.most_live == 1
        assert not server.live
        assert slept == []
        await sessions.close()


async def test_the_wait_has_an_end():
    with LocalBrowserbase(concurrent=1, arguments=[HERMETIC]) as server:
        sessions = sessions_of(server, wait=0.5)
        await sessions.create("first")
        with pytest.raises(BrowserUnavailable, match="no session of Browserbase was free"):
            await sessions.create("second")
        assert len(server.sessions) == 1
        await sessions.close()


async def test_a_creation_that_is_cancelled_leaves_nothing(
    server: LocalBrowserbase, ours: BrowserbaseSessions
):
    creating = asyncio.ensure_future(ours.create("cancelled"))
    before = server.counts["sessions.create"]
    server.inject(Fault("latency", operation="sessions.create", seconds=0.3))
    while server.counts["sessions.create"] == before and not creating.done():
        await asyncio.sleep(0.02)
        creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    assert not server.live


async def test_who_waits_for_a_free_session_can_be_cancelled_while_he_asks():
    with LocalBrowserbase(concurrent=1, arguments=[HERMETIC]) as server:
        sessions = sessions_of(server)
        await sessions.create("first")
        server.inject(Fault("latency", operation="sessions.create", seconds=0.3))
        creating = asyncio.ensure_future(sessions.create("second"))
        await asyncio.sleep(0.1)
        creating.cancel()
        await asyncio.wait([creating], timeout=5)
        assert creating.cancelled()
        await sessions.close()


# After a crash


async def test_sessions_of_a_process_that_has_ended_are_released_and_no_others(
    server: LocalBrowserbase, ours: BrowserbaseSessions
):
    ended = sessions_of(server, owner=Owner(HERE.host, _pid_of_nobody()), keep_alive=True)
    elsewhere = sessions_of(server, owner=Owner("another-host", 1), keep_alive=True)
    orphan = await ended.create("orphan")
    other = await elsewhere.create("other")
    mine = await ours.create("mine")
    foreign = await ours.client.sessions.create(user_metadata={"team": "x"}, keep_alive=True)
    assert await ours.release_orphans() == [orphan.id]
    assert {each.id for each in server.live} == {other.id, mine.id, foreign.id}
    assert await ours.release_orphans(older_than=timedelta(0)) == [other.id]
    assert await ours.release("mine")
    await ours.client.sessions.update(foreign.id, status="REQUEST_RELEASE")
    await ended.close()
    await elsewhere.close()


def _pid_of_nobody() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


async def test_without_a_key_it_is_said_which_variable_is_missing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("BROWSERBASE_API_KEY", raising=False)
    with pytest.raises(InvalidConfiguration, match="BROWSERBASE_API_KEY"):
        own_client(None, 5)
    with pytest.raises(InvalidConfiguration, match="not str"):
        own_client("bb_key", 5)


# Whole sessions


async def test_a_session_is_left_before_it_expires(tmp_path: Path, pages: Pages):
    url = pages.add("<p>x")
    never = {"wait_for": {"selector": "#never", "timeout": 60}}
    with LocalBrowserbase(longest_timeout=11, arguments=[HERMETIC]) as server:
        async with RemoteCaptures(tmp_path, pages, server) as captures:
            manifest = await captures.run({"goto": url}, never, source="browserbase")
        assert [each.status for each in server.sessions] == ["COMPLETED"]
    check_incomplete(manifest, "about to expire")
    assert manifest.steps == ["0001-goto"]


async def test_what_settings_wish_is_what_browserbase_is_asked_for(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
):
    context = server.client().contexts.create()
    wishes = Browserbase(
        region="eu-central-1", keep_alive=True, context_id=context.id, keep_context=True,
        record=True, log=True,
    )  # fmt: skip
    url = pages.add("<p>x")
    async with RemoteCaptures(tmp_path, pages, server, browserbase=wishes) as captures:
        manifest = await captures.run({"goto": url}, source="browserbase")
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    wish = server.sessions[-1].wish
    assert (wish.region, wish.keep_alive, wish.persist) == ("eu-central-1", True, True)
    assert manifest.remote["context_id"] == context.id
    assert manifest.remote["logs"]["methods"]["Page.navigate"] == 1
    assert [each["url"] for each in manifest.remote["replay"]] == [url]
    assert [each["status"] for each in manifest.remote["videos"]] == ["PENDING"]
    assert "?" not in manifest.remote["debug_url"]


async def test_language_zone_headers_and_scale_are_those_of_the_scenario(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
):
    url = pages.add(
        "<p></p><script>document.querySelector('p').textContent = [navigator.language,"
        "Intl.DateTimeFormat().resolvedOptions().timeZone, innerWidth, devicePixelRatio].join()"
        "</script>"
    )
    async with RemoteCaptures(tmp_path, pages, server) as captures:
        manifest = await captures.run(
            {"goto": url},
            source="browserbase",
            viewport={"width": 500, "height": 400, "device_scale_factor": 2},
            locale="de-DE",
            timezone="Europe/Berlin",
        )
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert "de-DE,Europe/Berlin,500,2" in captures.html(manifest)
    assert captures.facts(manifest)["screenshot"] == {"width": 1000, "height": 800}


async def test_what_is_in_a_closed_shadow_root_is_found_there_as_here(
    tmp_path: Path, pages: Pages, server: LocalBrowserbase
):
    url = pages.add(
        "<x-a></x-a><script>const root = document.querySelector('x-a').attachShadow("
        "{mode: 'closed'}); root.innerHTML = '<button>b</button>';"
        "root.firstChild.onclick = (event) => event.target.textContent += 1</script>"
    )
    async with RemoteCaptures(tmp_path, pages, server) as captures:
        manifest = await captures.run({"goto": url}, {"click": "button"}, source="browserbase")
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert ">b1</button>" in captures.html(manifest, 1)


async def test_fifty_sessions_wait_for_the_three_that_the_plan_allows(tmp_path: Path, pages: Pages):
    url = pages.add("<title>light</title><p>x")
    with LocalBrowserbase(concurrent=3, arguments=[HERMETIC], reuse=True) as server:
        many = Browserbase(sessions=50)
        async with RemoteCaptures(tmp_path, pages, server, browserbase=many) as captures:
            manifests = await asyncio.gather(
                *(captures.run({"goto": url}, source="browserbase") for _ in range(50))
            )
        assert {each.state for each in manifests} == {SessionState.COMPLETE}
        assert len({each.remote["session_id"] for each in manifests}) == 50
        assert server.most_live == 3
        assert not server.live
        # Each asks once, once more when it is its turn, and now and then in between.
        assert server.counts["sessions.create"] < 200


async def test_a_session_without_a_free_one_is_incomplete(tmp_path: Path, pages: Pages):
    with LocalBrowserbase(concurrent=1, arguments=[HERMETIC]) as server:
        server.client().sessions.create(keep_alive=True)
        short = Browserbase(wait=0.3)
        async with RemoteCaptures(tmp_path, pages, server, browserbase=short) as captures:
            manifest = await captures.run({"goto": "/"}, source="browserbase")
    check_incomplete(manifest, "no session of Browserbase was free")
