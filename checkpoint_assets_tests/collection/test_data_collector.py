"""A session from its first page to its manifest, as it lies in the store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from PIL import Image

from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import Artifact, EventType, SessionState
from checkpoint_assets.model.errors import InvalidScenario
from checkpoint_assets.model.records import SessionManifest, encode_json
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.collection.captures import Captures, scenario_on

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIGN_IN = parse_scenario("""\
name: sign-in
site: demo
tags: {team: shop}
steps:
  - goto: /sign-in
  - fill: {selector: "#email", text: ann@example.com}
  - fill: {selector: "#password", secret: SHOP_PASSWORD}
  - click: {selector: ["#nowhere", "#submit"]}
  - expect: {title: Account}
""")
STEPS = ["0001-goto", "0002-fill", "0003-fill", "0004-click", "0005-expect"]
SUFFIXES = ["html", "webp", "action.json", "metadata.json"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signed_in(captures: Captures) -> SessionManifest:
    """A session in the demo shop, from sign-in to account."""
    return await captures.collector.capture_scenario(SIGN_IN, tags={"run": "7"})


async def test_the_session_is_complete_and_says_what_it_was(
    captures: Captures, signed_in: SessionManifest
):
    assert signed_in.state is SessionState.COMPLETE
    assert signed_in.reason is None
    assert (signed_in.scenario, signed_in.source) == ("sign-in", "local")
    assert signed_in.steps == STEPS
    assert signed_in.tags == {"team": "shop", "run": "7"}
    assert signed_in.artifacts == ["action", "html", "metadata", "screenshot"]
    assert signed_in.metadata["scenario"] == SIGN_IN.to_dict()
    assert signed_in.metadata["scenario_digest"] == SIGN_IN.digest
    assert signed_in.metadata["expected_steps"] == len(STEPS)
    assert signed_in.metadata["browser"]
    assert UUID(signed_in.session_id).version == 7
    assert signed_in.seconds is not None
    assert signed_in.seconds > 0
    assert signed_in.started_at is not None
    assert parse_isoformat(signed_in.started_at) < parse_isoformat(signed_in.closed_at)


async def test_the_store_has_exactly_the_documented_files(
    captures: Captures, signed_in: SessionManifest
):
    expected = {f"{step}.{suffix}" for step in STEPS for suffix in SUFFIXES} | {"session.json"}
    assert set(captures.tree(signed_in.session_id)) == expected


async def test_the_store_has_nothing_but_sessions(captures: Captures, signed_in: SessionManifest):
    assert signed_in.session_id in {path.name for path in captures.folder.iterdir()}
    assert all(UUID(path.name) for path in captures.folder.iterdir())


async def test_every_picture_decodes_and_has_the_size_that_is_written_down(
    captures: Captures, signed_in: SessionManifest
):
    tree = captures.tree(signed_in.session_id)
    for number, step in enumerate(STEPS):
        picture = Image.open(BytesIO(tree[f"{step}.webp"]))
        picture.load()
        assert picture.format == "WEBP"
        assert picture.size == (1280, 800)
        assert captures.facts(signed_in, number)["screenshot"] == {"width": 1280, "height": 800}


async def test_every_json_file_is_canonical(captures: Captures, signed_in: SessionManifest):
    for name, content in captures.tree(signed_in.session_id).items():
        if name.endswith(".json"):
            assert encode_json(json.loads(content)) == content, name


async def test_every_page_is_a_page_in_utf_8(captures: Captures, signed_in: SessionManifest):
    for name, content in captures.tree(signed_in.session_id).items():
        if name.endswith(".html"):
            assert content.decode().startswith("<!DOCTYPE html><html")
            assert content.decode().endswith("</html>")


async def test_sizes_and_digests_of_the_commit_records_are_those_of_the_files(
    captures: Captures, signed_in: SessionManifest
):
    tree = captures.tree(signed_in.session_id)
    total = 0
    for step in STEPS:
        record = json.loads(tree[f"{step}.metadata.json"])
        assert record["step_id"] == step
        assert record["session_id"] == signed_in.session_id
        assert set(record["artifacts"]) == {"html", "screenshot", "action"}
        for artifact in record["artifacts"].values():
            content = tree[artifact["name"]]
            assert artifact["sha256"] == hashlib.sha256(content).hexdigest()
            assert artifact["size"] == len(content)
            total += len(content)
    assert signed_in.bytes == total
    assert json.loads(tree["session.json"])["bytes"] == total


async def test_what_is_stored_is_read_back_by_the_storage_manager(
    captures: Captures, signed_in: SessionManifest
):
    assert await captures.manager.get_manifest(signed_in.session_id) == signed_in
    html, picture, action, facts = await captures.manager.retrieve_step_data(
        signed_in.session_id, "0005-expect"
    )
    tree = captures.tree(signed_in.session_id)
    assert html is not None
    assert html.encode() == tree["0005-expect.html"]
    assert picture == tree["0005-expect.webp"]
    assert action == json.loads(tree["0005-expect.action.json"])
    assert facts is not None
    assert facts["title"].startswith("Account")


async def test_an_action_says_what_was_done_to_what(captures: Captures, signed_in: SessionManifest):
    action = captures.action(signed_in, 3)
    assert action["kind"] == "click"
    assert action["ordinal"] == 4
    assert action["selectors"] == ["#nowhere", "#submit"]
    assert action["selector"] == "#submit"
    assert action["matches"] == 1
    assert action["target"]["tag"] == "button"
    assert action["target"]["text"] == "Sign in"
    assert set(action["target"]["box"]) == {"x", "y", "width", "height"}
    assert action["url_before"].endswith("/sign-in")
    assert action["url_after"].endswith("/account")
    assert action["outcome"] == "ok"
    assert set(action["milliseconds"]) == {"locate", "act", "settle", "capture"}
    assert "error" not in action


async def test_of_a_secret_only_its_name_is_written_down(
    captures: Captures, signed_in: SessionManifest
):
    action = captures.action(signed_in, 2)
    assert action["secret"] == "SHOP_PASSWORD"
    assert action["value"] == "********"
    assert action["target"]["private"] is True
    assert captures.action(signed_in, 1)["value"] == "ann@example.com"


async def test_the_page_s_facts_are_in_its_commit_record(
    captures: Captures, signed_in: SessionManifest
):
    facts = captures.facts(signed_in, 0)
    assert facts["status"] == 200
    assert facts["url"].endswith("/sign-in")
    assert facts["settle"]["reason"] == "quiet"
    assert facts["consistency"]["mutations"] == 0
    assert facts["artifacts"] == ["action", "html", "metadata", "screenshot"]
    assert facts["viewport"] == {"width": 1280, "height": 800, "device_pixel_ratio": 1}


async def test_every_step_is_told_of_after_it_is_stored(
    captures: Captures, signed_in: SessionManifest
):
    told = [each for each in captures.told if each.data.get("session_id") == signed_in.session_id]
    assert [each.event_type for each in told] == [
        EventType.COLLECTION_START,
        *[EventType.STEP_STORED] * len(STEPS),
        EventType.COLLECTION_COMPLETE,
    ]
    stored = told[1:-1]
    assert [each.data["step_id"] for each in stored] == STEPS
    assert all(each.data["outcome"] == "ok" for each in stored)
    assert sum(each.data["bytes"] for each in stored) < signed_in.bytes
    assert stored[3].data["selector"] == "#submit"
    assert told[-1].data["steps"] == len(STEPS)
    assert told[-1].data["bytes"] == signed_in.bytes
    for each in told:
        encode_json(each.data)


async def test_another_capture_harms_no_file_of_the_first(
    captures: Captures, signed_in: SessionManifest
):
    before = captures.tree(signed_in.session_id)
    again = await captures.collector.capture_scenario(SIGN_IN)
    assert again.state is SessionState.COMPLETE
    assert again.session_id > signed_in.session_id
    assert captures.tree(signed_in.session_id) == before


async def test_two_sessions_at_once_share_the_browser_and_nothing_else(captures: Captures):
    url = captures.pages.add(
        "<p></p><script>document.cookie = 'seen=1'; document.querySelector('p').textContent ="
        "document.cookie + (localStorage.seen || 'nothing'); localStorage.seen = 'before'</script>"
    )
    sessions = await asyncio.gather(*(captures.run({"goto": url}) for _ in range(3)))
    assert {each.state for each in sessions} == {SessionState.COMPLETE}
    assert len({each.session_id for each in sessions}) == 3
    assert all("seen=1nothing" in captures.html(each) for each in sessions)


# What is collected, and how often

THREE = [{"goto": "/three"}, {"click": "#b"}, {"fill": {"selector": "#i", "text": "x"}}]


def kept(captures: Captures, manifest: SessionManifest) -> dict[str, list[str]]:
    """Which steps have which files, besides action and metadata, which all have."""
    tree = captures.tree(manifest.session_id)
    for step in manifest.steps:
        assert {f"{step}.action.json", f"{step}.metadata.json"} <= set(tree)
    return {
        suffix: [step[:4] for step in manifest.steps if f"{step}.{suffix}" in tree]
        for suffix in ("html", "webp")
    }


@pytest.fixture(scope="module")
def three(captures: Captures) -> list[Any]:
    captures.pages.add("<button id=b>b</button><input id=i>", "/three")
    return [*THREE, {"click": "#b"}, {"press": "Tab"}]


@pytest.mark.parametrize(
    ("collect", "steps"),
    [
        ({}, ["0001", "0002", "0003", "0004", "0005"]),
        ({"every": 2}, ["0001", "0003", "0005"]),
        ({"every": 4, "on": ["fill"]}, ["0001", "0003", "0005"]),
        ({"on": ["click"]}, ["0002", "0004"]),
        ({"on": ["navigate"]}, ["0001"]),
    ],
)
async def test_thinning_drops_pages_and_pictures_only(
    captures: Captures, three: list[Any], collect: dict[str, Any], steps: list[str]
):
    manifest = await captures.run(*three, collect=collect)
    assert manifest.state is SessionState.COMPLETE
    assert len(manifest.steps) == 5
    assert kept(captures, manifest) == {"html": steps, "webp": steps}


@pytest.mark.parametrize(
    ("collected", "asked", "has"),
    [
        (["html"], None, "html"),
        (["screenshot"], None, "webp"),
        (["action", "metadata"], None, ""),
        (["html", "screenshot", "action", "metadata"], [Artifact.HTML], "html"),
        (["html", "screenshot", "action", "metadata"], [], ""),
        (["html"], [Artifact.SCREENSHOT], ""),
    ],
)
async def test_only_the_artifacts_that_scenario_and_call_want_are_kept(
    captures: Captures, collected: list[str], asked: list[Artifact] | None, has: str
):
    scenario = scenario_on(captures.pages, {"goto": "/three"}, collect={"artifacts": collected})
    manifest = await captures.collector.capture_scenario(scenario, artifacts=asked)
    found = kept(captures, manifest)
    assert [suffix for suffix, steps in found.items() if steps] == ([has] if has else [])
    assert set(manifest.artifacts) >= {"action", "metadata"}


async def test_a_scenario_that_does_not_open_a_page_first_begins_on_its_start_page(
    captures: Captures, three: list[Any]
):
    manifest = await captures.run({"click": "#b"}, start_url=captures.pages.url + "/three")
    assert manifest.steps == ["0001-goto", "0002-click"]
    assert manifest.metadata["expected_steps"] == 2
    assert captures.facts(manifest, 0)["url"] == captures.pages.url + "/three"


async def test_the_whole_page_is_taken_where_the_scenario_says_so(captures: Captures):
    url = captures.pages.add("<body style='margin: 0'><div style='height: 1700px'></div>")
    manifest = await captures.run({"goto": url}, collect={"full_page": True})
    assert captures.facts(manifest)["screenshot"] == {"width": 1280, "height": 1700}


async def test_viewport_device_scale_language_zone_and_headers_are_those_of_the_scenario(
    captures: Captures,
):
    heard: list[str] = []

    def page(request: Request) -> Response:
        heard.append(request.headers.get("x-team", ""))
        return Response(
            body=b"<p></p><script>document.querySelector('p').textContent = [navigator.language,"
            b"Intl.DateTimeFormat().resolvedOptions().timeZone, innerWidth, devicePixelRatio]"
            b".join()</script>"
        )

    manifest = await captures.run(
        {"goto": captures.pages.add(page)},
        viewport={"width": 500, "height": 400, "device_scale_factor": 2},
        locale="de-DE",
        timezone="Europe/Berlin",
        extra_headers={"X-Team": "shop"},
    )
    assert "de-DE,Europe/Berlin,500,2" in captures.html(manifest)
    assert captures.facts(manifest)["screenshot"] == {"width": 1000, "height": 800}
    assert heard == ["shop"]


async def test_a_device_is_what_playwright_knows_of_it(captures: Captures):
    url = captures.pages.add(
        "<meta name=viewport content='width=device-width'><p></p><script>"
        "document.querySelector('p').textContent = [innerWidth, devicePixelRatio].join()</script>"
    )
    manifest = await captures.run({"goto": url}, device="Pixel 7")
    assert "412,2.625" in captures.html(manifest)
    assert captures.facts(manifest)["screenshot"]["width"] == round(412 * 2.625)


async def test_a_log_in_is_taken_from_the_secret_that_holds_it(captures: Captures):
    cookie = {"name": "who", "value": "ann-from-before", "domain": "127.0.0.1", "path": "/"}
    cookie |= {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
    heard: list[str] = []

    def page(request: Request) -> Response:
        heard.append(request.cookies().get("who", ""))
        return Response(body=b"<p>hello")

    environment = {"CHECKPOINT_SECRET_LOGIN": json.dumps({"cookies": [cookie], "origins": []})}
    async with Captures(captures.folder, captures.pages, environment=environment) as own:
        url = captures.pages.add(page)
        await own.run({"goto": url}, storage_state={"secret": "LOGIN"})
    assert heard == ["ann-from-before"]


async def test_what_a_log_in_consists_of_is_masked_where_a_page_shows_it(captures: Captures):
    cookie = {"name": "sid", "value": "tok-cookie-4711", "domain": "127.0.0.1", "path": "/"}
    theme = cookie | {"name": "theme", "value": "dark"}
    kept = {"name": "jwt", "value": "tok-stored-0815"}
    origins = [{"origin": captures.pages.url, "localStorage": [kept]}]
    state = json.dumps({"cookies": [cookie, theme], "origins": origins})
    url = captures.pages.add(
        "<p></p><script>document.querySelector('p').textContent ="
        " document.cookie + localStorage.jwt</script>"
    )
    async with Captures(
        captures.folder, captures.pages, environment={"CHECKPOINT_SECRET_LOGIN": state}
    ) as own:
        manifest = await own.run({"goto": url}, storage_state={"secret": "LOGIN"})
    assert manifest.state is SessionState.COMPLETE, manifest.reason
    assert "theme=dark" in captures.html(manifest)
    assert b"tok-" not in b"".join(captures.tree(manifest.session_id).values())


@pytest.mark.parametrize("state", ["{", "[]", '{"cookies": 1}', '{"cookies": [{"name": "a"}]}'])
async def test_a_secret_that_is_no_log_in_state_is_named_and_not_quoted(
    captures: Captures, state: str
):
    environment = {"CHECKPOINT_SECRET_LOGIN": state}
    async with Captures(captures.folder, captures.pages, environment=environment) as own:
        with pytest.raises(InvalidScenario) as caught:
            await own.run({"goto": "/"}, storage_state={"secret": "LOGIN"})
    assert str(caught.value).startswith("the secret LOGIN is no storage state")
    assert state not in str(caught.value)


async def test_a_subscriber_that_fails_harms_no_session(
    captures: Captures, caplog: pytest.LogCaptureFixture
):
    async def fail(_: SystemEvent) -> None:
        raise LookupError("its own fault")

    subscription = await captures.events.subscribe(EventType.STEP_STORED, fail)
    with caplog.at_level(logging.CRITICAL):
        manifest = await captures.run({"goto": "/three"})
    await captures.events.unsubscribe(subscription)
    assert manifest.state is SessionState.COMPLETE
