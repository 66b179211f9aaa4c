"""Where a page may go. Every name is made up: none is looked up, and nothing leaves the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import NavigationFailed
from checkpoint_assets.testing.web_server import Request, Response
from checkpoint_assets_tests.collection.browser.made_up_network import (
    OTHER_PUBLIC,
    PUBLIC,
    MadeUpNetwork,
)
from checkpoint_assets_tests.collection.browser.safety_case import Inner, Runner, port_of
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

METADATA = "169.254.169.254"


@pytest.fixture
def network(pages: Pages) -> MadeUpNetwork:
    """``shop.example`` is a public site; its pages are those of ``pages``."""
    made_up = MadeUpNetwork()
    made_up.serve("shop.example", port_of(pages.url))
    return made_up


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Inner]:
    with Inner(tmp_path) as site:
        yield site


@pytest.fixture
def run(browser: LocalChromium, network: MadeUpNetwork) -> Runner:
    return Runner(browser, network)


# Ways out of a page

# {0} is the base URL of what the page asks for.
MARKUP = {
    "img": "<img src='{0}/img'>",
    "iframe": "<iframe src='{0}/iframe'></iframe>",
    "script": "<script src='{0}/script'></script>",
    "stylesheet": "<link rel=stylesheet href='{0}/stylesheet'>",
    "background": "<p style=\"background: url('{0}/background')\">x</p>",
    "object": "<object data='{0}/object'></object>",
    "embed": "<embed src='{0}/embed'>",
    "video": "<video src='{0}/video' preload=auto></video>",
    "svg": "<svg><image href='{0}/svg' width=9 height=9 /></svg>",
    "font": "<style>@font-face {{font-family: f; src: url('{0}/font')}} b {{font-family: f}}"
    "</style><b>x</b>",
    "form": "<form action='{0}/form' target=hole method=post></form><iframe name=hole></iframe>"
    "<script>document.forms[0].submit()</script>",
}
SCRIPTS = {
    "fetch": "fetch('{0}/fetch', {{mode: 'no-cors'}}).catch(() => 0)",
    "xhr": "const x = new XMLHttpRequest(); x.open('GET', '{0}/xhr'); x.send()",
    "beacon": "navigator.sendBeacon('{0}/beacon', 'x')",
    "events": "new EventSource('{0}/events')",
    "import": "import('{0}/import').catch(() => 0)",
    "socket": "new WebSocket('ws' + '{0}/socket'.slice(4))",
    "worker": "new Worker(URL.createObjectURL(new Blob([\"fetch('{0}/worker')\"])))",
    "popup": "window.open('{0}/popup')",
}
WAYS = {**MARKUP, **{name: f"<script>{text}</script>" for name, text in SCRIPTS.items()}}


def ways_out(base: str) -> str:
    return "<!doctype html><title>ways</title>" + "".join(way.format(base) for way in WAYS.values())


async def test_no_way_out_of_a_page_leads_into_the_private_network(
    each_browser: LocalChromium, network: MadeUpNetwork, pages: Pages, inner: Inner
):
    run = Runner(each_browser, network)
    captured = await run({"goto": pages.add(ways_out(inner.url)).replace(pages.url, "")})
    assert not inner.visits
    assert captured.error is None
    assert "ways" in captured.html()
    told = {url.rpartition("/")[2] for url in captured.blocked()}
    assert told >= set(WAYS) - {"worker", "popup"}
    assert "inner secret" not in captured.everything()


async def test_the_same_ways_are_open_where_settings_and_scenario_allow_them(
    each_browser: LocalChromium, network: MadeUpNetwork, pages: Pages, inner: Inner
):
    run = Runner(each_browser, network)
    page = pages.add(ways_out(inner.url)).replace(pages.url, "")
    captured = await run({"goto": page}, allow=(inner.host,))
    assert {visit.removeprefix("/") for visit in inner.visits} >= set(WAYS)
    assert not captured.blocked()


async def test_no_redirect_leads_into_the_private_network(
    each_browser: LocalChromium, network: MadeUpNetwork, pages: Pages, inner: Inner
):
    def hop(request: Request) -> Response:
        return Response(307, headers={"Location": inner.url + request.path})

    for way in WAYS:
        pages.add(hop, f"/hop/{way}")
    run = Runner(each_browser, network)
    page = pages.add(ways_out("http://shop.example/hop")).replace(pages.url, "")
    captured = await run({"goto": page})
    assert not inner.visits
    assert captured.error is None
    # A web socket follows no redirect.
    told = {url.rpartition("/")[2] for url in captured.blocked()}
    assert told >= set(WAYS) - {"worker", "popup", "socket"}


AROUND = """<!doctype html><script>
const credentials = {username: 'a', credential: 'b'};
const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:<udp>'},
  {urls: 'turn:<udp>', ...credentials}, {urls: 'turn:<tcp>?transport=tcp', ...credentials}]});
peer.createDataChannel('x');
peer.createOffer().then(offer => peer.setLocalDescription(offer));
new WebTransport('https://<udp>/').ready.catch(() => 0);
setTimeout(() => document.body.append('tried'), 1500);
</script>"""


async def test_datagrams_do_not_go_around_the_proxy(
    each_browser: LocalChromium, network: MadeUpNetwork, pages: Pages, inner: Inner
):
    class Heard(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            heard.append(data)

    heard: list[bytes] = []
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Heard, local_addr=("127.0.0.1", 0)
    )
    udp = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    page = pages.add(AROUND.replace("<udp>", udp).replace("<tcp>", inner.host))
    # A page on loopback is a secure context, which WebTransport wants.
    site = pages.url
    captured = await Runner(each_browser, network)(
        {"goto": page}, {"wait_for": {"text": "tried"}}, allow=(site.removeprefix("http://"),)
    )
    transport.close()
    assert captured.error is None
    assert not heard
    assert not inner.visits
    assert inner.host in captured.blocked() | captured.blocked(1)


# Navigations


@pytest.mark.parametrize(
    "leave",
    [
        "<a id=go href='{0}/'>go</a>",
        "<a id=go href='/away'>go</a>",
        "<button id=go onclick=\"location = '{0}/'\">go</button>",
        "<button id=go onclick=\"setTimeout(() => location.replace('{0}/'), 20)\">go</button>",
        "<form action='{0}/' method=post><button id=go>go</button></form>",
        '<button id=go onclick="document.write('
        "'<meta http-equiv=refresh content=0;url={0}/>');document.close()\">go</button>",
    ],
    ids=["link", "redirect", "script", "timer", "form", "refresh"],
)
async def test_click_that_leads_into_the_private_network_fails_and_says_so(
    run: Runner, pages: Pages, inner: Inner, leave: str
):
    pages.add(Response.redirect(inner.url + "/"), "/away")
    page = pages.add("<!doctype html>" + leave.format(inner.url)).replace(pages.url, "")
    captured = await run({"goto": page}, {"click": "#go"}, {"hover": "#go"})
    assert isinstance(captured.error, NavigationFailed)
    assert f"{inner.url}/ is blocked: {inner.host} is in a private network" in str(captured.error)
    assert "allow_private" in str(captured.error)
    assert len(captured.steps) == 2
    assert captured.action(1)["error"]["type"] == "NavigationFailed"
    assert captured.blocked(1) == {inner.url + "/"}
    assert not captured.steps[1].artifacts
    assert not inner.visits


@pytest.mark.parametrize("hops", [1, 3])
async def test_redirect_of_a_goto_into_the_private_network_is_blocked_at_its_hop(
    run: Runner, pages: Pages, inner: Inner, hops: int
):
    for hop in range(1, hops):
        pages.add(Response.redirect(f"/hop{hop + 1}"), f"/hop{hop}")
    pages.add(Response.redirect(inner.url + "/?token=hunter2"), f"/hop{hops}")
    captured = await run({"goto": "/hop1"})
    assert isinstance(captured.error, NavigationFailed)
    assert "is blocked" in str(captured.error)
    assert captured.blocked()
    assert not inner.visits
    assert "hunter2" not in captured.everything() + str(captured.error)


async def test_goto_of_a_private_address_never_reaches_the_browser(run: Runner, inner: Inner):
    captured = await run({"goto": inner.url + "/"})
    assert isinstance(captured.error, NavigationFailed)
    assert not inner.visits
    assert not run.network.dialled


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]"]
)
async def test_loopback_is_blocked_in_every_spelling(
    run: Runner, pages: Pages, inner: Inner, host: str
):
    run.network.names["localhost"] = ["127.0.0.1", "::1"]
    url = f"http://{host}:{port_of(inner.url)}/"
    page = pages.add(f"<title>ok</title><img src='{url}'>").replace(pages.url, "")
    captured = await run({"goto": page})
    assert captured.error is None
    assert len(captured.blocked()) == 1
    assert not inner.visits


async def test_metadata_address_is_blocked_although_everybody_allows_it(run: Runner, pages: Pages):
    run.network.names["metadata.example"] = [METADATA]
    page = pages.add(
        f"<img src='http://{METADATA}/latest'><iframe src='http://metadata.example/'></iframe>"
    )
    allow = (f"{METADATA}:80", "metadata.example:80")
    captured = await run({"goto": page.replace(pages.url, "")}, allow=allow)
    assert captured.error is None
    assert captured.blocked() == {f"http://{METADATA}/latest", "http://metadata.example/"}
    assert METADATA not in {address for address, _ in run.network.dialled}


async def test_name_with_public_and_private_addresses_is_blocked(run: Runner, pages: Pages):
    run.network.names["both.example"] = [PUBLIC, "10.0.0.1"]
    page = pages.add("<a href='http://both.example/'>go</a>").replace(pages.url, "")
    captured = await run({"goto": page}, {"click": "text=go"})
    assert isinstance(captured.error, NavigationFailed)
    assert "both.example:80 is in a private network" in str(captured.error)


async def test_name_that_is_rebound_while_a_page_is_open_leads_where_it_did(
    run: Runner, pages: Pages, inner: Inner
):
    port = port_of(inner.url)
    run.network.names["rebound.example"] = [[PUBLIC], [PUBLIC], ["127.0.0.1"]]
    run.network.servers[PUBLIC, port] = port_of(pages.url)
    pages.add(Response(body=b"from the first", headers={"Connection": "close"}), "/data")
    page = pages.add(
        Response(
            body=b"<script>setTimeout(() => fetch('/data').then(r => r.text()).then(text =>"
            b" document.body.append(text)), 200)</script>",
            headers={"Connection": "close"},
        )
    ).removeprefix(pages.url)
    captured = await run(
        {"goto": f"http://rebound.example:{port}{page}"}, {"wait_for": {"text": "from the first"}}
    )
    assert captured.error is None
    assert {address for address, _ in run.network.dialled} == {PUBLIC}
    assert not inner.visits


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere.example", "ERR_NAME_NOT_RESOLVED"), ("dead.example", "ERR_CONNECTION_REFUSED")],
)
async def test_host_that_is_not_there_is_told_as_such(
    run: Runner, pages: Pages, name: str, reason: str
):
    run.network.names["dead.example"] = [OTHER_PUBLIC]
    page = pages.add(f"<img src='http://{name}/a.png'><a href='http://{name}/'>go</a>")
    captured = await run({"goto": page.replace(pages.url, "")}, {"click": "text=go"})
    assert captured.page()["failed_requests"] == [
        {"url": f"http://{name}/a.png", "error": f"net::{reason}"}
    ]
    assert isinstance(captured.error, NavigationFailed)
    assert f"http://{name}/ cannot be opened: {reason}" in str(captured.error)
    assert not captured.blocked()


# What is allowed


@pytest.mark.parametrize(("scenario", "settings"), [(True, False), (False, True), (False, False)])
async def test_private_address_needs_both_settings_and_scenario(
    run: Runner, inner: Inner, scenario: bool, settings: bool
):
    captured = await run(
        {"goto": inner.url + "/"},
        allow=(inner.host,) if scenario else (),
        settings=Settings(allow_private=(inner.host,) if settings else ()),
    )
    assert isinstance(captured.error, NavigationFailed)
    assert not inner.visits


async def test_private_address_that_both_allow_is_captured(run: Runner, inner: Inner):
    captured = await run({"goto": inner.url + "/"}, allow=(inner.host,))
    assert captured.error is None
    assert "inner secret" in captured.html()


async def test_site_that_is_served_for_the_run_needs_no_permission(run: Runner, inner: Inner):
    captured = await run({"goto": inner.url + "/"}, site_url=inner.url)
    assert captured.error is None
    assert "inner secret" in captured.html()


async def test_sessions_in_one_browser_have_rules_of_their_own(
    run: Runner, pages: Pages, inner: Inner
):
    with_, without = (
        pages.add(f"<img src='{inner.url}/{name}'>").replace(pages.url, "")
        for name in ("with", "without")
    )
    allowed, refused = await asyncio.gather(
        run({"goto": with_}, allow=(inner.host,)), run({"goto": without})
    )
    assert inner.visits == ["/with"]
    assert not allowed.blocked()
    assert refused.blocked() == {f"{inner.url}/without"}


async def test_international_name_is_recorded_as_the_name_it_stands_for(run: Runner, pages: Pages):
    run.network.serve("xn--80ak6aa92e.com", port_of(pages.url), address=OTHER_PUBLIC)
    page = pages.add("<title>not apple</title>").removeprefix(pages.url)
    captured = await run({"goto": f"http://аррӏе.com{page}"})
    assert captured.error is None
    assert captured.action()["url_after"] == f"http://xn--80ak6aa92e.com{page}"


# Permissions


async def test_permissions_are_denied_without_a_prompt(each_browser: LocalChromium, pages: Pages):
    context = await each_browser.new_context()
    page = await context.new_page()
    await page.goto(pages.add("<p>"))
    states = await page.evaluate(
        """() => Promise.all(['geolocation', 'notifications', 'camera', 'microphone',
        'clipboard-read', 'midi'].map(async name =>
        (await navigator.permissions.query({name})).state))"""
    )
    await context.close()
    assert set(states) == {"denied"}
